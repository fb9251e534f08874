// Owns an ELF file opened for its debugging information, and libdw's handles on it.

@unsafe @preconcurrency import CDW
import Glibc

/// Why a file has no debugging information to offer.
public struct DWARFError: Error, Equatable, Sendable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }

  /// libdw's words for what failed last on this thread.
  init(_ what: String, of name: String) {
    let reason = unsafe dwarf_errmsg(-1).map { unsafe String(cString: $0) } ?? "the data is broken"
    self.init("\(name): \(what) cannot be read: \(reason); build the program again with -g")
  }
}

/// The line table and the call frame information of one ELF file, read with libdw (DWARF 2 to 5).
///
/// Nothing is read before it is asked for. What is broken is left out: a unit whose line table cannot be read has no
/// lines. Not for use by two threads at once.
@safe public final class DebugInformation {
  /// Of the file, for messages.
  public let name: String
  /// A copy of the file, which libelf works in.
  private let image: UnsafeMutableBufferPointer<CChar>
  let elf: OpaquePointer
  /// Nil: the file has no DWARF sections.
  let dwarf: OpaquePointer?
  /// Bytes of an address: 4 or 8.
  let addressSize: Int
  public private(set) lazy var lines = LineTable(self)
  lazy var callFrames = CallFrameInformation(self)

  /// - Throws: if the bytes are no ELF file.
  public init(_ bytes: [UInt8], name: String) throws(DWARFError) {
    self.name = name
    let size = max(1, bytes.count)
    unsafe image = UnsafeMutableBufferPointer.allocate(capacity: size)
    unsafe UnsafeMutableRawBufferPointer(image).copyBytes(from: bytes)
    _ = elf_version(UInt32(EV_CURRENT))
    guard let elf = unsafe elf_memory(image.baseAddress!, bytes.count), unsafe elf_kind(elf) == ELF_K_ELF else {
      unsafe image.deallocate()
      throw DWARFError("\(name): not an ELF file; give a linked program")
    }
    unsafe self.elf = elf
    addressSize = unsafe gelf_getclass(elf) == ELFCLASS32 ? 4 : 8
    unsafe DiscardedCode.move(in: elf, addressSize: addressSize)
    unsafe dwarf = dwarf_begin_elf(elf, DWARF_C_READ, nil)
  }

  deinit {
    callFrames.close()
    if let dwarf = unsafe dwarf { _ = unsafe dwarf_end(dwarf) }
    _ = unsafe elf_end(elf)
    unsafe image.deallocate()
  }

  /// The registers of the caller of the code at `address`, by call frame information; nil if there is none for it.
  ///
  /// - Parameters:
  ///   - address: of the instruction that runs, or for a frame that waits for a call to return, of the call.
  ///   - registers: DWARF numbers of the registers wanted.
  ///   - state: registers and memory of the frame at hand.
  /// - Throws: what is broken, or needs what `state` does not know.
  public func caller(
    ofCodeAt address: UInt64, registers: [Int], _ state: FrameState
  ) throws(DWARFError) -> CallerState? {
    try callFrames.caller(ofCodeAt: address, registers: registers, state)
  }
}

/// What the unwinding of a frame asks of whoever shows its registers and the memory.
public struct FrameState {
  /// The value of the register with a DWARF number; nil if it is not known.
  public var register: (Int) -> UInt64?
  /// So many bytes at an address, 1 to 8, as a number of the guest's byte order; nil if they cannot be read.
  public var memory: (_ address: UInt64, _ size: Int) -> UInt64?

  public init(
    register: @escaping (Int) -> UInt64?, memory: @escaping (_ address: UInt64, _ size: Int) -> UInt64?
  ) {
    self.register = register
    self.memory = memory
  }
}

/// A caller's registers, as call frame information tells them.
public struct CallerState: Sendable, Equatable {
  /// The canonical frame address: the caller's stack pointer, as a rule.
  public var frameAddress: UInt64
  /// Values by DWARF number. Registers that the frame at hand has not changed have its values; those whose values are
  /// lost are missing.
  public var registers: [Int: UInt64]
  /// The DWARF number of the register with the address to return to.
  public var returnColumn: Int
  /// The return address is lost on purpose: there is no caller.
  public var isOutermost: Bool
  /// The frame was not called: it is that of an exception handler.
  public var isSignalFrame: Bool
}
