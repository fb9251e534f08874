// Owns the seam between the shared parts of lowering and a host: which registers it has, and what it emits for them.

import IR

/// A position in the code being assembled, bound now or later. Valid while one block is lowered.
public struct Label: Sendable, BitwiseCopyable, Equatable {
  public let index: UInt32
  @inlinable public init(index: UInt32) { self.index = index }
}

/// Code at the start of the cache that blocks go to.
public enum SharedCode {
  /// Leave; the state says why.
  case leave
  /// Called by an exit that is not chained, or that is due: leave. Where it was called from tells the exit.
  case leaveUnchained, leaveBudget
  /// Go on at the guest PC in `ABI.jumpTarget` if the jump cache knows it; leave for it as the budget is used up.
  case lookUp, leaveBudgetIndirect
}

/// What a host that compiles adds to the shared ``Lowering``: its assembler, its instructions, and tables of its own.
///
/// The methods here emit; none of them decides where a value is. Those that need to know are static and are given the
/// lowering. Moves, loads and stores keep the flags unless it says otherwise.
public protocol Target {
  associatedtype ABI: RegisterRoles
  /// What an instruction can test.
  associatedtype Condition
  /// A forward branch over a few instructions.
  associatedtype Skip
  /// What a host does first where a block is left.
  associatedtype ExitWork: BitwiseCopyable

  typealias Register = ABI.Register
  typealias VectorRegister = ABI.VectorRegister

  // MARK: A block

  /// Starts a block in `memory`, which runs at `address`.
  mutating func begin(_ memory: UnsafeMutableRawBufferPointer, runningAt address: UInt64)
  /// Takes back what its tables were given since ``begin(_:runningAt:)``.
  mutating func forgetBlock()
  /// Drops what its tables hold of all blocks, and frees them for good.
  mutating func forgetBlocks()
  mutating func deallocate()
  /// Bytes assembled so far.
  var count: Int { get }
  /// Why what was assembled is of no use.
  var failure: HostError? { get }
  /// Lowers an op that no shared part does.
  static func lower(_ op: Op, _ lowering: inout Lowering<Self>)
  /// Emits what was put off until the block's end, before and behind the shared cold parts.
  static func emitFirstColdParts(_ lowering: inout Lowering<Self>)
  static func emitLastColdParts(_ lowering: inout Lowering<Self>)

  // MARK: Integer registers

  mutating func move(_ type: Type, _ register: Register, _ source: Register)
  mutating func move(_ type: Type, _ register: Register, _ source: VectorRegister)
  mutating func move(_ register: Register, constant: Int64)
  /// Puts 0 in `register`; may change the flags.
  mutating func clear(_ register: Register)
  /// Zero-extends `source` from `type` to 64 bits.
  mutating func extend(_ type: Type, _ register: Register, _ source: Register)
  mutating func spill(_ register: Register, to slot: Int)
  mutating func reload(_ type: Type, _ register: Register, from slot: Int)
  /// Reloads, zero-extended from `type` to 64 bits.
  mutating func reloadExtended(_ type: Type, _ register: Register, from slot: Int)
  /// The bytes of `type` at byte `offset` of the state, zero-extended.
  mutating func load(_ type: Type, _ register: Register, state offset: Int)
  mutating func store(_ type: Type, _ register: Register, state offset: Int)
  /// Stores a constant without a register.
  /// - Returns: false if the host cannot.
  mutating func store(_ type: Type, constant: Int64, state offset: Int) -> Bool
  /// Stores a constant where a block is left: `ABI.jumpTarget` may be changed for it.
  mutating func storeLeaving(_ type: Type, constant: Int64, state offset: Int)

  // MARK: Vector registers

  mutating func move(_ register: VectorRegister, _ source: VectorRegister)
  mutating func move(_ type: Type, _ register: VectorRegister, _ source: Register)
  mutating func clear(_ register: VectorRegister)
  /// To a slot, or two of them for 128 bits.
  mutating func spill(_ type: Type, _ register: VectorRegister, to slot: Int)
  mutating func reload(_ type: Type, _ register: VectorRegister, from slot: Int)
  mutating func load(_ type: Type, _ register: VectorRegister, state offset: Int)
  mutating func store(_ type: Type, _ register: VectorRegister, state offset: Int)
  /// What a vector register holds for a constant of `type` that is `bits`.
  static func pattern(of bits: Int64, _ type: Type) -> Int64
  /// Notes that `register` is written, with a copy of `source` if it is given.
  mutating func noteWritten(_ register: VectorRegister, copyOf source: VectorRegister?)
  /// Notes that code from here on may be entered from elsewhere: no value is live.
  mutating func beginLabel()
  /// Before the bits of `register` are seen by the guest or saved.
  static func observe(_ register: VectorRegister, _ lowering: inout Lowering<Self>)

  // MARK: Control flow

  mutating func makeLabel() -> Label
  mutating func bind(_ label: Label)
  /// Pads to where a loop starts well; `offset` is that of the block in the code cache.
  mutating func alignLoopHead(_ offset: Int)
  mutating func jump(_ label: Label)
  /// To byte `offset` of the code cache.
  mutating func jump(toCode offset: Int)
  mutating func call(toCode offset: Int)
  /// Offset in the code cache.
  func offset(of code: SharedCode) -> Int
  mutating func branch(_ condition: Condition, _ label: Label)
  /// Branches over what follows unless `condition` holds.
  mutating func skip(unless condition: Condition) -> Skip
  mutating func land(_ skip: Skip)
  /// Sets the flags by truth value `value` and returns the condition under which it is 1.
  static func test(_ value: ValueID, _ lowering: inout Lowering<Self>) -> Condition
  /// Computes comparison op number `index` as 0 or 1 into `register`, which none of its operands is found in.
  static func materializeCompare(_ index: Int, into register: Register, _ lowering: inout Lowering<Self>)

  // MARK: Exits

  /// What is to be done first where the block is left here. Emits nothing.
  static func exitWork(_ lowering: inout Lowering<Self>) -> ExitWork
  static func emit(_ work: ExitWork, _ lowering: inout Lowering<Self>)
  /// Takes `count` off the budget; the flags say what is left if `setsFlags`.
  mutating func retire(_ count: UInt32, setsFlags: Bool)
  /// What holds after that while there is some left.
  static var budgetIsLeft: Condition { get }
  /// Tests whether the vCPU may run, and returns the condition under which it may.
  mutating func testMayRun() -> Condition
  /// Reads the page that a kick makes inaccessible.
  mutating func readPollPage()
  /// Leaves by `SharedCode.leaveBudgetIndirect` unless `condition` holds.
  mutating func leaveIndirectly(unless condition: Condition)
  /// Pads, so that what takes `retired` off the budget and the jump behind it need no padding between them.
  mutating func alignExit(retired: UInt32)
  /// A jump to `label`, under `condition` or always, which can be led elsewhere while other threads run it. The one to
  /// `due`, if given, is taken if the condition does not hold.
  /// - Returns: the offset of the 4 bytes to replace.
  mutating func chainableJump(_ condition: Condition?, _ label: Label, else due: Label?) -> Int
  /// What to replace them with so that the jump leads to `target`. Both are offsets in the code cache.
  static func chainedWord(at place: UInt32, to target: UInt32) -> Int32
  /// Goes on at the guest PC in `ABI.jumpTarget` if the jump cache knows it, else leaves.
  mutating func jumpThroughCache()
  /// Completes memory access number `site` by the slow path, behind label of a cold part.
  static func emitSlowAccess(_ site: UInt32, _ lowering: inout Lowering<Self>)
  /// Faults, so that memory access number `site`, which is outside the window, gets a way to the slow path.
  static func emitTrap(_ site: UInt32, _ lowering: inout Lowering<Self>)
}
