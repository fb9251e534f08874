// Owns the seam between a guest ISA and the engine: what a guest must say about itself.

import IR

/// A guest exception or interrupt: the architecture's own cause number, and the value that goes with it.
public struct GuestException: Error, Equatable, Sendable {
  public var cause: UInt64
  public var value: UInt64
  @inlinable public init(cause: UInt64, value: UInt64 = 0) {
    self.cause = cause
    self.value = value
  }
}

public enum AccessKind: UInt8, Sendable { case read, write, execute }

/// How translated code reaches data memory under given translation flags.
public enum MemoryMode: UInt8, Sendable {
  /// Guest addresses are physical and unrestricted: through the memory window.
  case window
  /// Guest addresses are physical, but memory protection denies some: through a window that lacks them, see
  /// ``Guest/memoryRestrictions(_:)``.
  case restrictedWindow
  /// Addresses are translated or restricted page by page: through the inline TLB.
  case tlb
}

/// Memory below 4 GiB that loads and stores may not reach freely: whole pages, `first` to `last` byte.
public struct MemoryRestriction: Sendable, Equatable {
  public var first: UInt64
  public var last: UInt64
  /// Loads are allowed all the same.
  public var readable: Bool

  public init(first: UInt64, last: UInt64, readable: Bool) {
    self.first = first
    self.last = last
    self.readable = readable
  }
}

/// The part of vCPU state that translation depends on, packed by the guest; blocks are looked up by it.
public typealias TranslationFlags = UInt32

/// Where a virtual address leads, and what may be done there.
public struct AddressTranslation: Sendable {
  public var physical: UInt64
  public var readable: Bool
  public var writable: Bool
  public var executable: Bool
  /// Whether the answer holds for the whole 4 KiB page, so that a TLB may keep it.
  public var wholePage: Bool
  /// Bytes that the page-table entry it comes from stands for: 4 KiB or more.
  public var leafSize: UInt64
  /// Where it does not: the addresses within the page for which the answer about this kind of access holds; nil if
  /// unknown.
  public var stretch: Range<UInt64>?

  @inlinable public init(
    physical: UInt64, readable: Bool, writable: Bool, executable: Bool, wholePage: Bool, leafSize: UInt64 = 0x1000
  ) {
    self.leafSize = leafSize
    self.physical = physical
    self.readable = readable
    self.writable = writable
    self.executable = executable
    self.wholePage = wholePage
  }
}

/// The page tables a vCPU's addresses are translated by. Translations are kept for each, so that changing over and back
/// loses none: what software must fence, only its fences end.
public struct TranslationSpace: Equatable, Sendable {
  /// What fences call it (RISC-V: the ASID).
  public var number: UInt64
  /// Tells it from others that have had the same number (RISC-V: `satp`).
  public var root: UInt64

  public init(number: UInt64 = 0, root: UInt64 = 0) {
    self.number = number
    self.root = root
  }
}

/// Physical memory as a page-table walker sees it. Nil is a bus error.
public protocol PhysicalMemoryPort: AnyObject {
  func readPhysical(_ address: UInt64, size: Int) -> UInt64?
  /// - Returns: false on a bus error.
  func writePhysical(_ address: UInt64, size: Int, _ value: UInt64) -> Bool
}

/// Guest code at a PC, for a front end to decode.
///
/// `bytes` reach to the end of the PC's page. An instruction that goes on beyond it asks for `nextPage`.
@safe public struct CodeBytes {
  @usableFromInline let base: UnsafeRawPointer
  public let count: Int
  /// The first bytes of the following page, or the exception that fetching them raises.
  public let nextPage: () -> Result<UInt64, GuestException>

  /// - Parameter bytes: at least one.
  public init(_ bytes: UnsafeRawBufferPointer, nextPage: @escaping () -> Result<UInt64, GuestException>) {
    unsafe base = bytes.baseAddress!
    count = bytes.count
    self.nextPage = nextPage
  }

  /// `T` at `offset`, little-endian; the caller has checked `offset + size <= count`.
  @inlinable @inline(__always)
  public func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: T.Type) -> T {
    precondition(offset >= 0 && offset &+ MemoryLayout<T>.size <= count)
    return unsafe T(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: type))
  }
}

/// What the engine asks a front end to translate.
public struct TranslationRequest: ~Copyable {
  public var pc: UInt64
  public var flags: TranslationFlags
  public var code: CodeBytes
  /// At most so many guest instructions (1 when single-stepping).
  public var maximumInstructions: Int
  /// Stop before an instruction at one of these PCs, other than the first (breakpoints); sorted.
  public var stopBefore: [UInt64]
  /// All of the code to translate, in order, with an `IR` label at each of its labels but the first, which is `pc`; nil for
  /// the block that is found from `pc` on. A front end may leave a part at its end out.
  public var region: RegionShape?

  public init(
    pc: UInt64, flags: TranslationFlags, code: CodeBytes, maximumInstructions: Int, stopBefore: [UInt64],
    region: RegionShape? = nil
  ) {
    self.region = region
    self.pc = pc
    self.flags = flags
    self.code = code
    self.maximumInstructions = maximumInstructions
    self.stopBefore = stopBefore
  }
}

/// What the engine offers a guest's helpers about the vCPU they run on, reached through `StateOffset.context`.
open class VCPUContext: PhysicalMemoryPort {
  public init() {}
  /// Guest instructions retired so far by this vCPU, exact at the calling instruction.
  open var retiredInstructions: UInt64 { 0 }
  /// The platform timer's value (RISC-V `time`), in its own ticks.
  open var platformTime: UInt64 { 0 }
  /// Forget cached translations: all, or those of one virtual address and/or address space.
  open func flushTLB(address: UInt64?, addressSpace: UInt64?) {}
  /// What physical memory may be accessed or executed has changed (PMP, MPU), whatever the translation flags say.
  open func protectionChanged() {}
  /// Any state the translation flags are made of, or that decides about interrupts, has changed: translated code is to be
  /// left at the next exit that checks the budget.
  open func stateChanged() {}
  /// The translation flags or the address space may have changed. The calling instruction is the last of its block, and
  /// goes on by an exit that looks its target up (`ExitFlags.unchainable`, or an indirect one): from there on the new mode's
  /// code runs, without a way through the engine.
  open func modeChanged() {}
  /// Enters the handler of an exception that the calling instruction raises, which does not retire; it goes on at the PC by
  /// an indirect exit that checks the budget.
  /// - Returns: false if the engine has to see the exception: then the helper raises it, and nothing was done.
  open func enterHandler(of exception: GuestException) -> Bool { false }
  /// Note something once in the log of what guests do wrong or what is not implemented.
  open func log(_ category: LogItem, _ message: @autoclosure () -> String) {}
  /// Forget the reservation of load-reserved (Arm: clear the local monitor).
  open func clearReservation() {}
  /// What loads and stores may reach has changed, but not what may be executed: translated code need not know before
  /// the next point where interrupts are taken.
  open func dataProtectionChanged() { protectionChanged() }
  /// The calling instruction, a taken branch, closes a loop of `length` instructions that does the same each time as long as
  /// nothing else runs: the engine may let it have run as often as the budget allows. An exit that checks the budget follows.
  open func spins(_ length: UInt64) {}
  /// Wait for an interrupt before the next instruction; from an exception return.
  open func waitForInterrupt() {}
  /// Execute the next instruction by itself, and then ask for a transition (``Guest/pendingTransition(_:)``).
  open func stepNext() {}
  /// What the CPU's own debug unit compares, in place of what it did before.
  open func setComparators(_ comparators: [Comparator]) {}
  /// The device that is part of this CPU, once it has been attached: the guest's own business.
  public final var companion: AnyObject?
  /// The CPU is about to access physical memory, but not as an instruction's load or store: it stacks registers. What is
  /// watched there stops the machine behind it.
  open func willTransfer(_ address: UInt64, size: Int, isWrite: Bool) {}
  open func readPhysical(_ address: UInt64, size: Int) -> UInt64? { nil }
  open func writePhysical(_ address: UInt64, size: Int, _ value: UInt64) -> Bool { false }
}

extension VCPUState {
  /// The vCPU's context object, set by the engine before anything runs.
  @inlinable public var context: VCPUContext {
    unsafe Unmanaged<VCPUContext>.fromOpaque(load(StateOffset.context, as: UnsafeRawPointer.self))
      .takeUnretainedValue()
  }

  /// The context's platform time, without counting references to it: guests poll the time.
  @inlinable public var platformTime: UInt64 {
    unsafe Unmanaged<VCPUContext>.fromOpaque(load(StateOffset.context, as: UnsafeRawPointer.self))
      ._withUnsafeGuaranteedRef { $0.platformTime }
  }
}

/// The categories of `-d` that guests and the engine write to.
public enum LogItem: String, Sendable, CaseIterable {
  case inAsm = "in_asm", op, opOpt = "op_opt", outAsm = "out_asm", exec, int, unimp, guestErrors = "guest_errors"
}

/// A device of the board that is part of a CPU (Arm's NVIC with its system control space).
public protocol CoreDevice: AnyObject {
  /// Told once which vCPU it is part of, before anything runs.
  func attach(to cpu: VCPUState)
}

/// A comparator of a debug unit that the guest itself programs (Arm's DWT).
public struct Comparator: Hashable, Sendable {
  public var number: Int
  public var address: UInt64
  public var length: UInt64
  /// Matches before the instruction at `address` is executed; else after an access to memory.
  public var isInstruction: Bool
  public var onRead: Bool
  public var onWrite: Bool
  /// What an access has to move besides, in some aligned part of it; nil for anything.
  public var value: ComparedValue?

  public init(
    number: Int, address: UInt64, length: UInt64, isInstruction: Bool, onRead: Bool, onWrite: Bool,
    value: ComparedValue? = nil
  ) {
    self.value = value
    self.number = number
    self.address = address
    self.length = length
    self.isInstruction = isInstruction
    self.onRead = onRead
    self.onWrite = onWrite
  }
}

/// A value that a comparator waits for: the low `size` (1, 2, 4) bytes of `bits`.
public struct ComparedValue: Hashable, Sendable {
  public var bits: UInt64
  public var size: Int

  public init(bits: UInt64, size: Int) {
    self.bits = bits
    self.size = size
  }

  /// Whether an access of `count` bytes at `address` has moved it.
  public func appears(in value: UInt64, at address: UInt64, count: Int) -> Bool {
    let mask: UInt64 = (1 << UInt64(8 * size)) - 1
    return (0..<count).contains { byte in
      (address &+ UInt64(byte)) % UInt64(size) == 0 && byte + size <= count
        && (value >> UInt64(8 * byte) ^ bits) & mask == 0
    }
  }
}

/// How a guest starts.
public enum BootProtocol: Sendable {
  /// At an image's first instruction, with a devicetree in memory.
  case devicetree
  /// At what a table of vectors in memory says; nothing else is put into memory.
  case vectorTable
}

/// A guest ISA, configured as one CPU model. Immutable once made; all vCPU state lives in the state block.
public protocol Guest: AnyObject, Sendable {
  /// `riscv32`, `riscv64`, `armv7e-m`…
  var architecture: String { get }
  var registerFile: RegisterFile { get }
  /// Numbered as `call` ops name them.
  var helpers: [Helper] { get }
  /// Address width in bits: 32 or 64.
  var addressBits: Int { get }
  /// Bytes of the longest instruction; at most 16.
  var longestInstruction: Int { get }
  /// The most bytes, in ascending order, that the loads or stores of one instruction move by several accesses
  /// (``IR/Builder/store(_:_:at:offset:following:)``); 0 if none makes several.
  var longestTransfer: Int { get }
  /// Where the instruction is that a pointer to code means (Arm: bit 0 only says that it is of Thumb).
  func instructionAddress(_ pointer: UInt64) -> UInt64
  /// Bytes that instructions are aligned to.
  var instructionAlignment: UInt64 { get }
  /// Register number of the stack pointer.
  var stackPointer: Int { get }

  var bootProtocol: BootProtocol { get }

  /// The translation flags, of the low 8 bits, that ordinary instructions change (Arm's ITSTATE): they are looked at anew
  /// wherever a block was left, and a block's exits say what they are there (`ExitFlags.changing(_:)`). They are 0 at the
  /// targets of indirect exits, and what is kept for each mode (TLB, window, jump cache) does not depend on them.
  var codeFlags: TranslationFlags { get }

  /// Puts `cpu` in its reset state, about to run at `pc` (or at what the vector table there says), as hart number
  /// `number`.
  func reset(_ cpu: VCPUState, number: Int, pc: UInt64)

  /// Puts what boot firmware is handed into registers: the devicetree's address, and that of a block of parameters for
  /// the next stage (RISC-V: OpenSBI's `fw_dynamic_info`).
  func passBootParameters(_ cpu: VCPUState, number: Int, devicetree: UInt64, parameters: UInt64)

  /// The state that translation depends on.
  func translationFlags(_ cpu: VCPUState) -> TranslationFlags
  func memoryMode(_ flags: TranslationFlags) -> MemoryMode
  /// The page tables in force; all modes without have the same.
  func translationSpace(_ cpu: VCPUState) -> TranslationSpace
  /// What the current mode's loads and stores may not reach, ascending, in `MemoryMode.restrictedWindow`. Where rights
  /// differ within a page, none of it may be reached. Accesses that are denied so come to
  /// ``translateAddress(_:_:_:size:space:memory:)``, which has the last word.
  func memoryRestrictions(_ cpu: VCPUState) -> [MemoryRestriction]
  /// What decides about memory protection beside the flags: chains are good for vCPUs with equal values.
  func protectionState(_ cpu: VCPUState) -> [UInt64]

  /// Translates from `request.pc` on until a block end; always at least one instruction, or an op that raises.
  func translate(_ request: borrowing TranslationRequest, into builder: inout Builder)

  /// Walks page tables and protection tables for an access of `size` bytes at `address`.
  /// - Throws: the exception the access raises.
  func translateAddress(
    _ cpu: VCPUState, _ address: UInt64, _ kind: AccessKind, size: Int, space: AccessSpace,
    memory: any PhysicalMemoryPort
  ) throws(GuestException) -> AddressTranslation
  /// As ``translateAddress(_:_:_:size:space:memory:)`` for a debugger: no side effects, privileges ignored. Nil: unmapped.
  func debugTranslate(_ cpu: VCPUState, _ address: UInt64, memory: any PhysicalMemoryPort) -> UInt64?
  /// The exception for a physical access that nothing answers.
  func accessFault(_ kind: AccessKind, _ address: UInt64) -> GuestException
  /// The exception for a misaligned access that must be aligned.
  func misalignedFault(_ kind: AccessKind, _ address: UInt64) -> GuestException

  /// Enters the guest's handler for `exception`, raised by the instruction at `cpu.pc`.
  func enterException(_ cpu: VCPUState, _ exception: GuestException)
  /// Why the CPU cannot go on, if it cannot: a fault that the architecture has no handler for.
  func lockUp(_ cpu: VCPUState) -> String?
  /// The interrupt to take now, if any is pending and enabled.
  func pendingInterrupt(_ cpu: VCPUState) -> GuestException?
  /// Why a CPU that was just reset cannot run what was loaded, if it cannot: what is wrong with the image, what to do.
  func startProblem(_ cpu: VCPUState) -> String?
  /// What speaks against running a file built with these attributes (the ELF ABI's, by tag).
  func objection(toAttributes attributes: [UInt64: UInt64]) -> ImageObjection?
  /// What the instruction that led to PC still does: a jump to a magic address that is an exception return. Taken before
  /// anything else happens.
  func pendingTransition(_ cpu: VCPUState) -> GuestException?
  /// Why the machine is to stop for a debugger now that an exception was entered, if it is; said once.
  func takeDebugStop(_ cpu: VCPUState) -> String?
  /// A debugger came or went.
  func debuggerChanged(_ cpu: VCPUState, isAttached: Bool)
  /// What ``setCatches(_:_:)`` understands: the words of vector catch.
  var catchWords: [String] { get }
  /// Makes the machine stop as these exceptions' handlers begin, and no others.
  func setCatches(_ cpu: VCPUState, _ words: [String])
  func catches(_ cpu: VCPUState) -> [String]
  /// A comparator matched. The exception to take for it, if there is one; see ``takeDebugStop(_:)`` too.
  func comparatorMatched(_ cpu: VCPUState, _ comparator: Comparator, isWrite: Bool) -> GuestException?
  /// Whether a store to a physical address, of a device, may make an interrupt takeable: it is then taken before the next
  /// instruction.
  func storeDecidesInterrupts(_ address: UInt64) -> Bool
  /// Whether a waiting vCPU goes on (an interrupt is pending, whether or not it would be taken).
  func wakesFromWait(_ cpu: VCPUState) -> Bool
  /// An interrupt input of the vCPU changed: the architecture's own numbering (RISC-V: the bit in `mip`).
  func setInterruptLine(_ cpu: VCPUState, _ line: Int, _ level: Bool)

  /// Disassembles the instruction in `bytes` (up to 16, from `pc` on).
  func disassemble(_ bytes: [UInt8], pc: UInt64) -> (text: String, length: Int)
  /// A short name for a trap cause, for logs and the monitor.
  func exceptionName(_ cause: UInt64) -> String

  /// Reads and writes a register as a debugger sees it (side effects of CSRs as a plain value change). Nil: no such value.
  func readRegister(_ cpu: VCPUState, _ register: Int) -> UInt64
  func writeRegister(_ cpu: VCPUState, _ register: Int, _ value: UInt64)
}

extension Guest {
  public var bootProtocol: BootProtocol { .devicetree }
  public var longestTransfer: Int { 0 }
  public func instructionAddress(_ pointer: UInt64) -> UInt64 { pointer }
  public var instructionAlignment: UInt64 { 2 }
  public func lockUp(_ cpu: VCPUState) -> String? { nil }
  public func startProblem(_ cpu: VCPUState) -> String? { nil }
  public func objection(toAttributes attributes: [UInt64: UInt64]) -> ImageObjection? { nil }
  public func pendingTransition(_ cpu: VCPUState) -> GuestException? { nil }
  public func takeDebugStop(_ cpu: VCPUState) -> String? { nil }
  public func debuggerChanged(_ cpu: VCPUState, isAttached: Bool) {}
  public var catchWords: [String] { [] }
  public func setCatches(_ cpu: VCPUState, _ words: [String]) {}
  public func catches(_ cpu: VCPUState) -> [String] { [] }
  public func comparatorMatched(_ cpu: VCPUState, _ comparator: Comparator, isWrite: Bool) -> GuestException? { nil }
  public func storeDecidesInterrupts(_ address: UInt64) -> Bool { false }
  public var codeFlags: TranslationFlags { 0 }
  public func memoryRestrictions(_ cpu: VCPUState) -> [MemoryRestriction] { [] }
  public func protectionState(_ cpu: VCPUState) -> [UInt64] { [] }
  public func translationSpace(_ cpu: VCPUState) -> TranslationSpace { TranslationSpace() }
}

/// What speaks against running an image on a CPU.
public struct ImageObjection: Sendable, Equatable {
  public var text: String
  /// The CPU lacks a whole instruction set that the image was built for. Otherwise the image may do without what is
  /// missing: attributes say what compilers were allowed to use, not what they used.
  public var isCertain: Bool

  public init(_ text: String, isCertain: Bool) {
    self.text = text
    self.isCertain = isCertain
  }
}
