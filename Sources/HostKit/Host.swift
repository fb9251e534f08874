// Owns the seam between a host back end and the engine.

import IR

/// A place in a host's code: an offset in its code cache (or whatever the host counts in). Never 0 for real code.
public struct CodeAddress: Hashable, Sendable, BitwiseCopyable {
  public var offset: UInt32
  @inlinable public init(_ offset: UInt32) { self.offset = offset }
}

public enum HostError: Error, Equatable, Sendable {
  /// No room for the block: flush and compile again.
  case codeCacheFull
  /// The block needs something the host cannot do; the text names it.
  case unsupported(String)
  /// The host could not be set up (memory, signals).
  case setup(String)
}

/// How generated code reaches data memory.
public enum DataPath: UInt8, Sendable {
  /// Below `StateOffset.windowLimit`: at `StateOffset.dataBase` + address, faults caught. Else the slow path.
  case window
  /// Through the ``SoftTLB`` at `StateOffset.dataBase`.
  case tlb
  /// Always the slow path.
  case slow
}

/// The softmmu TLB: ``SoftTLB/count`` entries, indexed by the low bits of the virtual page number, as four arrays of u64.
/// A tag is the virtual address of the page. An entry without a page has a tag that is never compared with an address
/// of that index.
public enum SoftTLB {
  @inlinable public static var count: Int { 256 }
  /// Offsets of the arrays: tags for reads, tags for writes, host address minus guest virtual address, host address.
  @inlinable public static var readTags: Int { 0 }
  @inlinable public static var writeTags: Int { count * 8 }
  @inlinable public static var addends: Int { count * 16 }
  @inlinable public static var hostPages: Int { count * 24 }
  /// Bytes of all.
  @inlinable public static var size: Int { count * 32 }
  /// Offset of a second TLB, right behind, which holds pages with watched bytes too: for accesses that have been compared
  /// with these (``Host/compareWithWatchpoints(at:)``).
  @inlinable public static var unwatched: Int { size }
  @inlinable public static func index(_ address: UInt64) -> Int { Int(truncatingIfNeeded: address >> 12) & (count - 1) }
  /// The tag of entry `index` while it holds no page: of a page that has another index.
  @inlinable public static func invalidTag(_ index: Int) -> UInt64 { UInt64((index + 1) & (count - 1)) << 12 }
}

/// The guide of stores: a byte for each line of guest memory in the window, right before a view of that memory in which no
/// page is write-protected for the sake of what is beside. A guided store looks its line up and makes the store in the
/// view if the byte is ``open``.
public enum StoreGuide {
  /// A line is 4 bytes, so that data right behind code shares none with it.
  @inlinable public static var lineShift: UInt64 { 2 }
  /// A line's byte also answers for so many bytes behind it, so that one look-up will do for any store.
  @inlinable public static var overrun: UInt64 { 7 }
  /// Bytes of the guide, for a window of 4 GiB.
  @inlinable public static var size: Int { 1 << (32 - Int(lineShift)) }
  /// Byte of a line whose page nothing was looked up for yet.
  @inlinable public static var unknown: UInt8 { 0 }
  /// Byte of a line in which stores need not be seen.
  @inlinable public static var open: UInt8 { 1 }
  /// Byte of a line in which stores must be seen.
  @inlinable public static var closed: UInt8 { 2 }
}

/// The jump cache: direct-mapped, from guest PC to host code, one per set of translation flags. 16 bytes an entry: the
/// PC, then what the host jumps to (``Host/jumpTarget(_:)``).
public enum JumpCache {
  @inlinable public static var count: Int { 4096 }
  @inlinable public static var entrySize: Int { 16 }
  @inlinable public static func index(_ pc: UInt64) -> Int { Int(pc >> 1) & (count - 1) }
  /// A PC no guest can have in an empty entry: odd.
  @inlinable public static var emptyPC: UInt64 { .max }
}

/// Function of the engine that makes a memory access by the slow path, for hosts: (state, address, value, third,
/// descriptor) to the loaded value, extended as the access says. `value` is the op's `b` and `third` its `c`, zero-extended
/// (a store's or atomic's operand; a compare-exchange's expected and new value). Of 16 bytes these are the lower 8, and the
/// others pass through `StateOffset.upperData`. `descriptor` is a ``SlowAccess``. Sets
/// `StateOffset.accessOutcome`; on `.left` also `exitReason`. Callers first bring `StateOffset.budget`,
/// `pendingRetired` and `currentPC` up to date.
public typealias SlowAccessFunction = HelperFunction

/// What a slow memory access is to do, in 64 bits: bits 0–15 ``MemoryAccess``, 16–23 the ``Opcode`` (load, store,
/// atomic, compareExchange), 24–31 ``AtomicKind`` or, of a load or store, the words that follow it, 32–39 result ``Type``.
public struct SlowAccess: RawRepresentable, Sendable, BitwiseCopyable {
  public var rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  @inlinable public init(_ op: Op) {
    rawValue =
      UInt64(op.aux) | UInt64(op.opcode.rawValue) << 16 | UInt64(op.extra & 0xFF) << 24
      | UInt64(op.type.rawValue) << 32
  }
  @inlinable public var access: MemoryAccess { MemoryAccess(rawValue: UInt16(truncatingIfNeeded: rawValue)) }
  @inlinable public var opcode: Opcode { Opcode(rawValue: UInt8(truncatingIfNeeded: rawValue >> 16)) ?? .load }
  @inlinable public var atomicKind: AtomicKind { AtomicKind(rawValue: UInt32(rawValue >> 24 & 0xFF)) ?? .exchange }
  /// Words that the same instruction accesses behind this one: see ``IR/Builder/load(_:_:at:offset:following:)``.
  @inlinable public var following: Int { Int(rawValue >> 24 & 0xFF) }
  @inlinable public var type: Type { Type(rawValue: UInt8(truncatingIfNeeded: rawValue >> 32)) ?? .none }
}

/// Where a guest register lives in the state block, and whether the host may keep it in a host register.
public struct RegisterSlot: Sendable {
  public var offset: Int
  public var type: Type
  @inlinable public init(offset: Int, type: Type) {
    self.offset = offset
    self.type = type
  }
}

/// All a host needs to know of the guest and the engine, given once.
@safe public struct HostConfiguration: Sendable {
  public var registers: [RegisterSlot]
  /// Register numbers, hottest first.
  public var pinOrder: [Int]
  public var helpers: [Helper]
  public var slowAccess: SlowAccessFunction
  /// Where the guest keeps its floating-point environment; nil if it has none, and then its IR has no such ops.
  public var floatEnvironment: FloatEnvironment?
  /// Bytes of code cache.
  public var codeCacheSize: Int
  public var interrupts: InterruptStrategy
  /// Whether a host that allocates registers proves that each value is where it is read: for tests, since it takes long.
  public var checksAllocation: Bool
  /// Whether there are guest registers of 128 bits.
  public var hasVectors: Bool { registers.contains { $0.type == .v128 } }

  public init(
    registers: [RegisterSlot], pinOrder: [Int], helpers: [Helper], slowAccess: @escaping SlowAccessFunction,
    floatEnvironment: FloatEnvironment? = nil, codeCacheSize: Int = 64 << 20,
    interrupts: InterruptStrategy = .budget, checksAllocation: Bool = false
  ) {
    self.registers = registers
    self.pinOrder = pinOrder
    self.helpers = helpers
    unsafe self.slowAccess = slowAccess
    self.floatEnvironment = floatEnvironment
    self.codeCacheSize = codeCacheSize
    self.interrupts = interrupts
    self.checksAllocation = checksAllocation
  }
}

/// A compiled block as the engine keeps it.
public struct CompiledBlock: Sendable, BitwiseCopyable {
  public var entry: CodeAddress
  private var packedSize: UInt32
  /// Host bytes, cold parts included.
  public var size: Int { Int(packedSize) }
  public init(entry: CodeAddress, size: Int) {
    self.entry = entry
    packedSize = UInt32(size)
  }
}

/// A line of host code for a listing: which IR op (index in the block as compiled) it came from, if one.
public struct HostLine: Sendable {
  public var address: UInt64
  public var bytes: [UInt8]
  public var text: String
  public var op: Int?
  public init(address: UInt64, bytes: [UInt8], text: String, op: Int?) {
    self.address = address
    self.bytes = bytes
    self.text = text
    self.op = op
  }
}

/// A piece of code, or of data that code reads, at the start of the code cache, for listings.
public struct SharedEntry: Sendable {
  public var address: UInt64
  public var name: String
  /// What it does, in a sentence without a period.
  public var purpose: String
  public var isCode: Bool
  public init(address: UInt64, name: String, purpose: String, isCode: Bool = true) {
    self.address = address
    self.name = name
    self.purpose = purpose
    self.isCode = isCode
  }
}

/// A host back end with its code cache. Used by one thread at a time.
public protocol Host: AnyObject, SendableMetatype {
  /// `x86_64`, `interpreter`…
  static var name: String { get }
  /// Whether it executes IR as it stands, so that no tier below it would save anything.
  static var isInterpreter: Bool { get }
  init(_ configuration: HostConfiguration) throws(HostError)

  /// Compiles `block`.
  ///
  /// - Parameters:
  ///   - isHot: whether it is worth some time to choose the guest registers that live in host registers for this block.
  ///   - outline: takes the ways in at its labels and the ways out by its `exit` and `exitIf` ops, in place of another's.
  func compile(
    _ block: BlockView, dataPath: DataPath, isHot: Bool, _ outline: inout BlockOutline
  ) throws(HostError) -> CompiledBlock
  /// Runs translated code from `entry` until something leaves it; the state's header says what and where.
  ///
  /// `exitReason` is cleared first. While code runs the header's `budget` and `pc` may be stale; leaving stores both.
  /// All hosts do exactly this:
  /// - `exit`, and `exitIf` when its condition holds: subtract `extra` from the budget. If the exit checks the budget
  ///   and it is now <= 0, leave with `.budget`; else if the exit is chained, go on at that entry; else leave with
  ///   `.unchained` and `exitSite`. `pc` is the target each time. An `exitIf` whose condition is false does nothing.
  /// - `exitIndirect`: subtract; check the budget likewise; then go on where the jump cache leads if its entry for
  ///   `JumpCache.index(target)` has that PC, else leave with `.indirectMiss`.
  /// - `exitWith`: subtract; leave with reason `aux` and `pc` = `imm`; the budget is not checked.
  /// - `raise`: subtract; `exceptionCause` = `imm`, `exceptionValue` = `a` or 0; leave with `.exception`, `pc` being the
  ///   current instruction's (the last `instruction` op's).
  /// - `retire`, and `label` when it is fallen into: subtract `extra`.
  /// - Memory access by the slow path, and `call` of a helper with ``IR/Effects/callsOut``: store `budget`,
  ///   `pendingRetired` (instructions begun since the block's start or the last `retire`, without the current one),
  ///   `currentPC`, and the same to `pc`; call; read `budget` again and set `pendingRetired` to 0. If then
  ///   `accessOutcome` is `.left` (access), or `exitReason` is not 0 (helper with `.mayRaise`): subtract what
  ///   `pendingRetired` was, store the current instruction's PC to `pc`, and leave. Other helpers are called without any
  ///   of this. A helper may change `StateOffset.dataBase`, `softTLB` and `jumpCache` where nothing but a look-up in the jump
  ///   cache follows.
  /// - An `atomic` op may be made in line wherever a store may be (`loadReserved`: a load), without locks: nobody else looks at
  ///   memory meanwhile. `loadReserved` then sets `StateOffset.reservedAddress`, `reservedValue` and `reservedSize`;
  ///   `storeConditional` stores if all three are as it finds them, sets the size to 0, and gives 0. If they are not, it
  ///   takes the slow path.
  /// - An `exit` or `exitIf` that is `.unchainable`, or leads to another page than the block's in a block compiled for
  ///   `DataPath.tlb`, goes through the jump cache as `exitIndirect` does; its ``ChainSite`` says that it cannot be chained.
  func run(_ entry: CodeAddress, _ cpu: VCPUState)
  /// Lets a ``ChainSite`` go on at `entry` from now on.
  func chain(_ site: UInt32, to entry: CodeAddress)
  /// Lets it leave again.
  func unchain(_ site: UInt32)
  /// The bytes of host code that chaining a ``ChainSite`` replaces, as they are, and where; nil if there are none.
  func chainWord(_ site: UInt32) -> (address: UInt64, bytes: [UInt8])?
  /// Whether ``guideStores(at:)`` does anything.
  var guidesStores: Bool { get }
  /// From now on, compiles stores by the instruction at guest PC `pc`, in blocks for `DataPath.window`, as guided ones:
  /// they look their line up at `StateOffset.storeGuide`, and if it is open make the store in the view there, else by the
  /// slow path.
  func guideStores(at pc: UInt64)
  /// Ranges of watched bytes that code compares addresses with, at most; 0 if it never does.
  var watchedRangeLimit: Int { get }
  /// From now on, compiles plain accesses by the instruction at guest PC `pc` so that they compare their address with the
  /// ranges of ``setWatched(_:)``; what hits none reaches memory as if nothing were watched: by ``setUnwatchedBase(_:)``
  /// in place of `dataBase`, or the second TLB (``SoftTLB/unwatched``).
  func compareWithWatchpoints(at pc: UInt64)
  /// The ranges that code compares with, ``watchedRangeLimit`` at most: the first `count` by code compiled from now on. A
  /// hit leads to the slow path, so a range may cover more than is watched.
  func setWatched(_ ranges: [ClosedRange<UInt64>], compared count: Int)
  func setUnwatchedBase(_ base: UInt)
  /// Compiles no more such accesses.
  func forgetWatchpoints()
  /// Makes code that runs on `cpu` come back at its next taken backward branch or indirect jump, and stay out until
  /// ``endKick(_:)``; from any thread. Without effect for `InterruptStrategy.budget`, where the budget does it.
  func kick(_ cpu: VCPUState)
  /// Takes kicks back. What they were for is to be looked at after, or it may be missed.
  func endKick(_ cpu: VCPUState)
  /// Lets `cpu` use the jump cache at a host address, once no kick holds.
  func publish(jumpCache: UInt, _ cpu: VCPUState)
  /// `StateOffset.dataBase` has changed while code runs on `cpu`, in a call out of it.
  func dataBaseChanged(_ cpu: VCPUState)
  /// Chained exits that a kick turns back.
  var loopChainCount: Int { get }
  /// What a jump-cache entry holds for `entry`.
  func jumpTarget(_ entry: CodeAddress) -> UInt64
  /// Drops all code.
  func reset()
  /// The host code of a compiled block; lines know the ops they came from if `ir`, as it was compiled, is given.
  func listing(_ block: CompiledBlock, of ir: Block?, dataPath: DataPath) -> [HostLine]
  /// Machine code of a compiled block, and where it runs; nil if the host makes none.
  func machineCode(_ block: CompiledBlock) -> (address: UInt64, bytes: [UInt8])?
  /// Code that blocks share (ways in and out, slow paths); nil if there is none.
  var sharedCode: CompiledBlock? { get }
  /// Its pieces, in ascending order of their addresses.
  var sharedEntries: [SharedEntry] { get }
  /// Host registers with a role while translated code runs, and how listings call what they hold: `state`, `spill` (by
  /// slots of 8 bytes), `budget`, `memory`.
  var roles: [(role: String, hostRegister: String)] { get }
  var codeBytesUsed: Int { get }
  /// Which guest registers live in host registers, by name of the host register, for the monitor.
  var pinnedRegisters: [(register: Int, hostRegister: String)] { get }
  /// The same within a block, which may have others than it is entered and left with.
  func pinnedRegisters(of block: CompiledBlock) -> [(register: Int, hostRegister: String)]
}

extension Host {
  /// Compiles a block, and tells of its ways in and out.
  public func compile(
    _ block: Block, dataPath: DataPath, isHot: Bool = false
  ) throws(HostError) -> (block: CompiledBlock, outline: BlockOutline) {
    var outline = BlockOutline()
    let compiled = try block.withView { (view) throws(HostError) in
      try compile(view, dataPath: dataPath, isHot: isHot, &outline)
    }
    return (compiled, outline)
  }
  public static var isInterpreter: Bool { false }
  public func pinnedRegisters(of block: CompiledBlock) -> [(register: Int, hostRegister: String)] { pinnedRegisters }
  public var guidesStores: Bool { false }
  public func guideStores(at pc: UInt64) {}
  public var watchedRangeLimit: Int { 0 }
  public func compareWithWatchpoints(at pc: UInt64) {}
  public func setWatched(_ ranges: [ClosedRange<UInt64>], compared count: Int) {}
  public func setUnwatchedBase(_ base: UInt) {}
  public func forgetWatchpoints() {}
  public func kick(_ cpu: VCPUState) {}
  public func endKick(_ cpu: VCPUState) {}
  public func dataBaseChanged(_ cpu: VCPUState) {}
  public func publish(jumpCache: UInt, _ cpu: VCPUState) { cpu.store(jumpCache, at: StateOffset.jumpCache) }
  public var loopChainCount: Int { 0 }
  public func machineCode(_ block: CompiledBlock) -> (address: UInt64, bytes: [UInt8])? { nil }
  public var sharedCode: CompiledBlock? { nil }
  public func chainWord(_ site: UInt32) -> (address: UInt64, bytes: [UInt8])? { nil }
  public var sharedEntries: [SharedEntry] { [] }
  public var roles: [(role: String, hostRegister: String)] { [] }
}
