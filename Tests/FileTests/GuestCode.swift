// Owns cases that are guest machine code: reading them, translating them block by block, and the kind `decode`.

import GuestARM
import GuestKit
import GuestRISCV
import HostKit
import IR
import TestSupport
import Testing

/// The guest of a case, its state, and the code if the case is machine code.
///
/// The text is halfwords and words in hexadecimal, in the order of memory; the rest of a line after `;` is a comment.
/// Directives: `cpu: rv64` or `cortex-m4`, `at: 0x80000000` (where the code is), `set: mstatus = 0x6000`.
struct GuestCode {
  let guest: any Guest
  let cpu: TestCPU
  let pc: UInt64
  private(set) var bytes: [UInt8] = []

  init(_ file: FileCase, model: String) throws {
    guest = model.hasPrefix("cortex-m") ? try ARMGuest(model: model) : try RISCVGuest(model: model)
    pc = try file.directives("at").first.map(number64) ?? 0x8000_0000
    cpu = TestCPU(guest.registerFile)
    // An M-profile reset reads the vector table, and there is no memory here; its registers are 0.
    if guest is RISCVGuest { guest.reset(cpu.state, number: 0, pc: pc) }
    for directive in file.directives("set") {
      let (name, text) = try sides(directive)
      cpu[register: try #require(guest.registerFile.index(of: name), "no register \(name)")] = try number64(text)
    }
    guard !Self.isIR(file) else { return }
    for line in file.input.split(separator: "\n") {
      for word in line.prefix(while: { $0 != ";" }).split(separator: " ") {
        let bits = try #require(UInt32(word, radix: 16), "`\(word)` is no hexadecimal number")
        try #require(word.count == 4 || word.count == 8, "`\(word)` is neither a halfword nor a word")
        for byte in 0..<word.count / 2 { bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(8 * byte))) }
      }
    }
  }

  /// Whether the case's text is IR and not machine code.
  static func isIR(_ file: FileCase) -> Bool { file.input.split(separator: "\n").contains { $0.hasPrefix("block ") } }

  var flags: TranslationFlags { guest.translationFlags(cpu.state) }
  var names: TextNames {
    TextNames(registers: guest.registerFile.registers.map(\.name), helpers: guest.helpers.map(\.name))
  }
  var verifier: Verifier {
    Verifier(registers: guest.registerFile.registers.map(\.type), helpers: guest.helpers.map(\.effects))
  }

  /// All the code, translated: where one block ends, the next begins. Behind the code no page can be executed.
  func blocks() throws -> [Block] {
    var blocks: [Block] = []
    var offset = 0
    while offset < bytes.count {
      let start = pc &+ UInt64(offset)
      var builder = Builder(pc: start)
      unsafe bytes[offset...].withUnsafeBytes { rest in
        let end = start &+ UInt64(rest.count)
        let code = unsafe CodeBytes(rest) { [guest] _ in .failure(guest.accessFault(.execute, end)) }
        let request = TranslationRequest(
          pc: start, flags: flags, code: code, maximumInstructions: .max, stopBefore: [])
        guest.translate(request, into: &builder)
      }
      let block = builder.block
      try verifier.verify(block)
      let last = try #require(block.ops.last { $0.opcode == .instruction }, "a block without an instruction")
      offset = Int(UInt64(bitPattern: last.imm) &+ UInt64(last.aux) &- pc)
      blocks.append(block)
    }
    return blocks
  }

  /// `00a50513  addi a0, a0, 10`: the instruction that an `instruction` op begins; nil where there is no code.
  func disassembly(_ op: Op) -> String? {
    let offset = Int(truncatingIfNeeded: UInt64(bitPattern: op.imm) &- pc)
    guard op.opcode == .instruction, bytes.indices.contains(offset) else { return nil }
    let (text, length) = guest.disassemble(Array(bytes[offset...].prefix(16)), pc: UInt64(bitPattern: op.imm))
    let encoding = bytes[offset...].prefix(length).reversed().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
    return encoding.joined() + "  " + text
  }
}

/// Disassembles the code and prints its IR as translated, before any pass.
@Sendable func decodeGuestCode(_ file: FileCase) throws -> String {
  let code = try GuestCode(file, model: file.directives("cpu").first ?? "rv64")
  let blocks = try code.blocks()
  let printer = Printer(code.names)
  var text = ""
  for block in blocks {
    text += "block \(hex(block.pc))\n"
    for (op, line) in zip(block.ops, printer.lines(block)) {
      text += "  " + line + (code.disassembly(op).map { "  ; " + $0 } ?? "") + "\n"
    }
  }
  #expect(try Parser(code.names).blocks(text) == blocks, "the text does not read back as what was printed")
  return text
}
