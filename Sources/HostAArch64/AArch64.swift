// What the AArch64 host adds to the shared lowering: its assembler, and the instructions that shared parts ask for.

import HostKit
import IR

/// The AArch64 side of a ``Lowering``.
public struct AArch64: Target {
  public typealias ABI = HostAArch64.ABI

  var assembler: Assembler
  let trampolines: Trampolines
  /// Offset in the code cache of the block at hand.
  private var blockOffset = 0
  private let cacheBase: UInt64

  init(trampolines: Trampolines, cacheBase: UInt64, assembler: Assembler) {
    self.trampolines = trampolines
    self.cacheBase = cacheBase
    self.assembler = assembler
  }

  public mutating func begin(_ memory: UnsafeMutableRawBufferPointer, runningAt address: UInt64) {
    unsafe assembler.restart(memory, runningAt: address)
    blockOffset = Int(address - cacheBase)
  }
  public mutating func forgetBlock() {}
  public mutating func forgetBlocks() {}
  public mutating func deallocate() {}
  public var count: Int { assembler.count }
  public var failure: HostError? {
    switch assembler.failure {
    case .none: nil
    case .bufferFull: .codeCacheFull
    case .outOfReach: .unsupported("a block of over 1 MiB")
    }
  }
  public static func emitFirstColdParts(_ lowering: inout Lowering<AArch64>) {}
  public static func emitLastColdParts(_ lowering: inout Lowering<AArch64>) {
    if lowering.target.assembler.failure == .none { lowering.target.assembler.resolveLabels() }
  }

  // MARK: Integer registers

  public mutating func move(_ type: Type, _ register: Register, _ source: Register) {
    assembler.mov(register, source, wide: type.isWide)
  }
  public mutating func move(_ type: Type, _ register: Register, _ source: VectorRegister) {
    assembler.fmov(register, source, wide: type.isWide)
  }
  public mutating func move(_ register: Register, constant: Int64) { assembler.mov(register, constant) }
  public mutating func clear(_ register: Register) { assembler.mov(register, .zero, wide: false) }
  public mutating func extend(_ type: Type, _ register: Register, _ source: Register) {
    if type.bits >= 32 {
      assembler.mov(register, source, wide: type.isWide)
    } else {
      assembler.extract(register, source, bits: type.bits, signed: false, wide: false)
    }
  }
  public mutating func spill(_ register: Register, to slot: Int) { assembler.transfer(.str, register, .sp, slot * 8) }
  public mutating func reload(_ type: Type, _ register: Register, from slot: Int) {
    assembler.transfer(.ldr, register, .sp, slot * 8)
  }
  public mutating func reloadExtended(_ type: Type, _ register: Register, from slot: Int) {
    assembler.transfer(type.transfer(loads: true), register, .sp, slot * 8)
  }
  public mutating func load(_ type: Type, _ register: Register, state offset: Int) {
    assembler.transfer(type.transfer(loads: true), register, ABI.state, offset)
  }
  public mutating func store(_ type: Type, _ register: Register, state offset: Int) {
    assembler.transfer(type.transfer(loads: false), register, ABI.state, offset)
  }
  public mutating func store(_ type: Type, constant: Int64, state offset: Int) -> Bool {
    if constant == 0 { store(type, .zero, state: offset) }
    return constant == 0
  }
  public mutating func storeLeaving(_ type: Type, constant: Int64, state offset: Int) {
    assembler.mov(ABI.scratch, constant)
    store(type, ABI.scratch, state: offset)
  }

  // MARK: Vector registers

  public mutating func move(_ register: VectorRegister, _ source: VectorRegister) { assembler.mov(register, source) }
  public mutating func move(_ type: Type, _ register: VectorRegister, _ source: Register) {
    assembler.fmov(register, source, wide: type.isWide)
  }
  public mutating func clear(_ register: VectorRegister) { assembler.fmov(register, .zero, wide: true) }
  public mutating func spill(_ type: Type, _ register: VectorRegister, to slot: Int) {
    assembler.transfer(register, .sp, slot * 8, loads: false, bytes: type.inVectorPin.bytes)
  }
  public mutating func reload(_ type: Type, _ register: VectorRegister, from slot: Int) {
    assembler.transfer(register, .sp, slot * 8, loads: true, bytes: type.inVectorPin.bytes)
  }
  public mutating func load(_ type: Type, _ register: VectorRegister, state offset: Int) {
    assembler.transfer(register, ABI.state, offset, loads: true, bytes: type.bytes)
  }
  public mutating func store(_ type: Type, _ register: VectorRegister, state offset: Int) {
    assembler.transfer(register, ABI.state, offset, loads: false, bytes: type.bytes)
  }
  public static func pattern(of bits: Int64, _ type: Type) -> Int64 { bits }
  public mutating func noteWritten(_ register: VectorRegister, copyOf source: VectorRegister?) {}
  public static func observe(_ register: VectorRegister, _ lowering: inout Lowering<AArch64>) {}

  // MARK: Control flow

  public mutating func makeLabel() -> Label { assembler.makeLabel() }
  public mutating func bind(_ label: Label) { assembler.bind(label) }
  public mutating func beginLabel() {}
  public mutating func alignLoopHead(_ offset: Int) {
    while (offset + count) & 15 != 0, assembler.failure == .none { assembler.nop() }
  }
  public mutating func jump(_ label: Label) { assembler.b(label) }
  public mutating func jump(toCode offset: Int) { assembler.b(toOffset: offset - blockOffset) }
  public mutating func call(toCode offset: Int) { assembler.bl(toOffset: offset - blockOffset) }
  public func offset(of code: SharedCode) -> Int {
    switch code {
    case .leave: trampolines.leave
    case .leaveUnchained: trampolines.leaveUnchained
    case .leaveBudget: trampolines.leaveBudget
    case .lookUp: trampolines.lookUp
    case .leaveBudgetIndirect: trampolines.leaveBudgetIndirect
    }
  }
  public mutating func branch(_ condition: ConditionCode, _ label: Label) { assembler.b(condition, label) }
  public mutating func skip(unless condition: ConditionCode) -> Label {
    let label = assembler.makeLabel()
    assembler.b(condition.inverted, label)
    return label
  }
  public mutating func land(_ skip: Label) { assembler.bind(skip) }
  public static func test(_ value: ValueID, _ lowering: inout Lowering<AArch64>) -> ConditionCode {
    lowering.emitCondition(value)
  }
  public static func materializeCompare(_ index: Int, into register: Register, _ lowering: inout Lowering<AArch64>) {
    let condition = lowering.emitCompare(index)
    lowering.target.assembler.cset(register, condition)
  }

  // MARK: Exits

  /// There is nothing to be done first.
  public struct NoWork: BitwiseCopyable {}
  public static func exitWork(_ lowering: inout Lowering<AArch64>) -> NoWork { NoWork() }
  public static func emit(_ work: NoWork, _ lowering: inout Lowering<AArch64>) {}

  public mutating func retire(_ count: UInt32, setsFlags: Bool) {
    if Assembler.isShort(Int64(count)) {
      if count != 0 || setsFlags {
        setsFlags
          ? assembler.subs(ABI.budget, ABI.budget, Int(count)) : assembler.add(ABI.budget, ABI.budget, -Int(count))
      }
    } else {
      assembler.mov(ABI.scratch, Int64(count))
      assembler.sub(ABI.budget, ABI.budget, ABI.scratch)
      if setsFlags { assembler.subs(.zero, ABI.budget, 0) }
    }
  }
  public static var budgetIsLeft: ConditionCode { .gt }
  public mutating func testMayRun() -> ConditionCode {
    assembler.transfer(.ldrw, ABI.scratch, ABI.state, ABI.mayRun)
    assembler.subs(.zero, ABI.scratch, 0, wide: false)
    return .ne
  }
  public mutating func readPollPage() { preconditionFailure("AArch64Host.init refuses InterruptStrategy.page") }
  public mutating func leaveIndirectly(unless condition: ConditionCode) {
    let over = skip(unless: condition.inverted)
    jump(.leaveBudgetIndirect)
    land(over)
  }
  public mutating func alignExit(retired: UInt32) {}
  public mutating func chainableJump(_ condition: ConditionCode?, _ label: Label, else due: Label?) -> Int {
    if let condition, let due { assembler.b(condition.inverted, due) }
    assembler.b(label)
    return assembler.count - 4
  }
  public static func chainedWord(at place: UInt32, to target: UInt32) -> Int32 {
    Int32(bitPattern: 0x1400_0000 | (target &- place) >> 2 & 0x03FF_FFFF)
  }
  public mutating func jumpThroughCache() { jump(.lookUp) }
  public static func emitSlowAccess(_ site: UInt32, _ lowering: inout Lowering<AArch64>) {
    preconditionFailure("no memory access takes the slow path yet")
  }
  /// Ends the process, since there is no slow path yet.
  public static func emitTrap(_ site: UInt32, _ lowering: inout Lowering<AArch64>) { lowering.target.assembler.brk() }
}

extension Type {
  func transfer(loads: Bool) -> Transfer {
    switch bits {
    case 64: loads ? .ldr : .str
    case 32: loads ? .ldrw : .strw
    case 16: loads ? .ldrh : .strh
    default: loads ? .ldrb : .strb
    }
  }
}
