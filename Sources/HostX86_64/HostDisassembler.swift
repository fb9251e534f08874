// Listings of host code, by Capstone.

import CCapstone
import HostKit

/// Lists x86-64 machine code in Intel syntax.
public struct HostDisassembler: ~Copyable {
  private var handle: csh = 0

  /// The installed Capstone library cannot be used: wrong version, or built without x86.
  public struct Unavailable: Error {
    /// `cs_err` of Capstone.
    public var code: Int
  }

  public init() throws(Unavailable) {
    let error = unsafe cs_open(CS_ARCH_X86, CS_MODE_64, &handle)
    guard error == CS_ERR_OK else { throw Unavailable(code: Int(error.rawValue)) }
    cs_option(handle, CS_OPT_SKIPDATA, Int(CS_OPT_ON.rawValue))
  }

  deinit {
    var handle = handle
    unsafe cs_close(&handle)
  }

  /// Every byte of `code` is in exactly one line. `address` is where the first byte runs.
  public func lines(_ code: Span<UInt8>, at address: UInt64) -> [HostLine] {
    unsafe code.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress, !buffer.isEmpty else { return [] }
      var instructions: UnsafeMutablePointer<cs_insn>?
      let count = unsafe cs_disasm(
        handle, start, buffer.count, address, 0, &instructions)
      guard let list = unsafe instructions else { return [] }
      defer { unsafe cs_free(list, count) }
      return (0..<count).map { unsafe HostLine(list[$0]) }
    }
  }
}

extension HostLine {
  fileprivate init(_ instruction: cs_insn) {
    let mnemonic = unsafe cString(instruction.mnemonic)
    let operands = unsafe cString(instruction.op_str)
    let bytes = unsafe withUnsafeBytes(of: instruction.bytes) { unsafe Array($0.prefix(Int(instruction.size))) }
    self.init(
      address: unsafe instruction.address, bytes: bytes,
      text: operands.isEmpty ? mnemonic : mnemonic + " " + operands, op: nil)
  }
}

/// The text of a NUL-terminated C array, imported as a tuple.
private func cString<Characters>(_ characters: Characters) -> String {
  unsafe withUnsafeBytes(of: characters) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}
