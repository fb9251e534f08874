// Owns the layout of a vCPU's state block: the header the engine and the hosts share; guest registers follow it.

/// Offsets of the header's fields, in bytes from the start of the state block.
public enum StateOffset {
  /// Guest PC, valid whenever translated code is left (u64).
  @inlinable public static var pc: Int { 0 }
  /// Guest instructions that may still run before the engine wants control (i64).
  @inlinable public static var budget: Int { 8 }
  /// ``ExitReason`` (u32); 0 while nothing asks to leave. Helpers and the memory slow path set it to leave the block.
  @inlinable public static var exitReason: Int { 16 }
  /// The chainable exit taken (u32).
  @inlinable public static var exitSite: Int { 20 }
  /// Guest exception number and value (u64 each).
  @inlinable public static var exceptionCause: Int { 24 }
  @inlinable public static var exceptionValue: Int { 32 }
  /// Host address of the jump cache for the current translation flags.
  @inlinable public static var jumpCache: Int { 40 }
  /// Guest addresses below it may be accessed through the memory window (u64).
  @inlinable public static var windowLimit: Int { 48 }
  /// Host address by which code reaches data: of guest physical address 0 in the memory window, or of the data TLB in modes
  /// that use that.
  @inlinable public static var dataBase: Int { 56 }
  /// Host PC of a memory fault in translated code, written by the signal handler.
  @inlinable public static var faultPC: Int { 64 }
  /// Where the signal handler sends a faulting vCPU: host code.
  @inlinable public static var faultTrampoline: Int { 72 }
  /// The vCPU's context object (an unretained reference).
  @inlinable public static var context: Int { 80 }
  /// Host address of a ``SoftTLB`` that hosts may use in every mode, whatever ``dataBase`` is; 0 for none.
  @inlinable public static var softTLB: Int { 88 }
  /// Budget at the last entry: `budgetStart - budget` instructions ran since (i64).
  @inlinable public static var budgetStart: Int { 96 }
  /// Guest instructions of the current block that ran since its count was last brought into `budget` (u64); set
  /// around calls that read the clock.
  @inlinable public static var pendingRetired: Int { 104 }
  /// Guest PC of the instruction that is calling out, where the host knows it (u64).
  @inlinable public static var currentPC: Int { 112 }
  /// ``AccessOutcome`` of the last slow memory access (u32).
  @inlinable public static var accessOutcome: Int { 120 }
  /// Set by the host when the slow memory access it asks for came as a fault; cleared by who has seen it (u32).
  @inlinable public static var accessFaulted: Int { 124 }
  /// 32 bytes for the host alone.
  @inlinable public static var hostPrivate: Int { 128 }
  /// The reservation that load-reserved made: the guest's address (u64), the bytes found there, in a u64 of which the others
  /// count for nothing, and how many they are, 0 while there is no reservation (u32).
  @inlinable public static var reservedAddress: Int { 160 }
  @inlinable public static var reservedValue: Int { 168 }
  @inlinable public static var reservedSize: Int { 176 }
  /// Not 0: somebody wants to hear of handlers that begin (u32).
  @inlinable public static var reportsHandlers: Int { 180 }
  /// Host address by which guided stores reach memory (`StoreGuide`): of guest physical address 0 in a view without
  /// write protection, right behind the guide; 0 as long as there are no such stores.
  @inlinable public static var storeGuide: Int { 184 }
  /// The upper half of a slow memory access of 16 bytes: of what is to be stored, or of what was loaded (u64).
  @inlinable public static var upperData: Int { 192 }
  /// The header's fields by name, for listings.
  public static var names: [(name: String, offset: Int)] {
    [
      ("pc", pc), ("budget", budget), ("exitReason", exitReason), ("exitSite", exitSite),
      ("exceptionCause", exceptionCause), ("exceptionValue", exceptionValue), ("jumpCache", jumpCache),
      ("windowLimit", windowLimit), ("dataBase", dataBase), ("faultPC", faultPC), ("context", context),
      ("softTLB", softTLB), ("budgetStart", budgetStart), ("pendingRetired", pendingRetired), ("currentPC", currentPC),
      ("accessOutcome", accessOutcome), ("accessFaulted", accessFaulted), ("reservedAddress", reservedAddress),
      ("reservedValue", reservedValue), ("reservedSize", reservedSize), ("reportsHandlers", reportsHandlers),
      ("storeGuide", storeGuide),
      ("upperData", upperData),
    ]
  }
  /// Where guest registers start.
  @inlinable public static var registers: Int { 256 }
}

/// What a slow memory access did, for the host's decision about its site.
public enum AccessOutcome: UInt32, Sendable {
  /// Done.
  case completed
  /// Done, and the same site will come again: make it call the slow path directly.
  case completedOnDevice
  /// Done, as translated code could have done it itself in its window.
  case completedNeedlessly
  /// Not done: `exitReason` says why; leave the block at the current instruction.
  case left
}

/// A vCPU's state block: raw memory with typed access. The memory belongs to the engine.
@safe public struct VCPUState: @unchecked Sendable {
  public let base: UnsafeMutableRawPointer

  @inlinable public init(_ base: UnsafeMutableRawPointer) { unsafe self.base = base }

  /// A state block of `size` bytes, all 0, behind the values of packed code; ``deallocate()`` frees it.
  public static func allocate(size: Int) -> VCPUState {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: Place.valueBytes + size, alignment: 64)
    let state = unsafe VCPUState(memory + Place.valueBytes)
    unsafe state.base.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    state.store(Vector128(), at: Place.none)
    return state
  }

  public func deallocate() { unsafe (base - Place.valueBytes).deallocate() }

  @inlinable public func load<T: BitwiseCopyable>(_ offset: Int, as type: T.Type = T.self) -> T {
    unsafe base.load(fromByteOffset: offset, as: type)
  }

  @inlinable public func store<T: BitwiseCopyable>(_ value: T, at offset: Int) {
    unsafe base.storeBytes(of: value, toByteOffset: offset, as: T.self)
  }

  @inlinable public var pc: UInt64 {
    get { load(StateOffset.pc) }
    nonmutating set { store(newValue, at: StateOffset.pc) }
  }
  @inlinable public var budget: Int64 {
    get { load(StateOffset.budget) }
    nonmutating set { store(newValue, at: StateOffset.budget) }
  }
  @inlinable public var exitReason: ExitReason? {
    get { ExitReason(rawValue: load(StateOffset.exitReason)) }
    nonmutating set { store(newValue?.rawValue ?? 0, at: StateOffset.exitReason) }
  }
  /// Whether ``GuestKit/VCPUContext/handlerBegins(_:)`` is to be called.
  @inlinable public var reportsHandlers: Bool {
    get { load(StateOffset.reportsHandlers, as: UInt32.self) != 0 }
    nonmutating set { store(UInt32(newValue ? 1 : 0), at: StateOffset.reportsHandlers) }
  }
  @inlinable public var exitSite: UInt32 {
    get { load(StateOffset.exitSite) }
    nonmutating set { store(newValue, at: StateOffset.exitSite) }
  }
  @inlinable public var exceptionCause: UInt64 {
    get { load(StateOffset.exceptionCause) }
    nonmutating set { store(newValue, at: StateOffset.exceptionCause) }
  }
  @inlinable public var exceptionValue: UInt64 {
    get { load(StateOffset.exceptionValue) }
    nonmutating set { store(newValue, at: StateOffset.exceptionValue) }
  }
  @inlinable public var accessOutcome: AccessOutcome {
    get { AccessOutcome(rawValue: load(StateOffset.accessOutcome)) ?? .completed }
    nonmutating set { store(newValue.rawValue, at: StateOffset.accessOutcome) }
  }
}
