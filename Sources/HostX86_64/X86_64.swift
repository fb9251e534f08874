// What the x86-64 host adds to the shared lowering: its assembler, the instructions that shared parts ask for, and its tables.

import Bits
import HostKit
import IR

/// The x86-64 side of a ``Lowering``.
public struct X86_64: Target {
  public typealias ABI = HostX86_64.ABI

  var assembler: Assembler
  let trampolines: Trampolines
  let floatEnvironment: FloatEnvironment?
  /// Whether an f32 in a register or spill slot has ones in its upper half, so that it is NaN-boxed already. Guests whose
  /// registers are of type f32 have no boxes.
  let boxesSingles: Bool
  /// Whether the guest has registers of 128 bits, so that all of an SSE register may count.
  let hasVectors: Bool
  /// Whether the CPU has AVX and FMA.
  let hasFMA: Bool
  /// Host address of the code cache.
  let cacheBase: UInt64
  /// Offset in the code cache of the page that `InterruptStrategy.page` reads.
  let pollPage: UInt32
  /// Offset of the `WatchGuide` in the code cache.
  let watchGuide: Int
  /// With how many ranges accesses are compared that may be watched.
  var watchRanges = 1

  // MARK: The block at hand

  var nans = PendingNaNs()
  var separate = RawList<SeparateAccess>(reserving: 64)
  var floatCold = RawList<FloatColdPart>(reserving: 64)
  private var (firstSite, firstFloatSite, firstVectorSite) = (0, 0, 0)

  // MARK: What is kept of blocks

  /// Room for almost all programs: growing copies everything, and memory not touched costs nothing.
  var sites = RawList<MemorySite>(reserving: 1 << 21)
  var floatSites = RawList<FloatSite>(reserving: 1 << 16)
  var vectorSites = RawList<VectorSite>(reserving: 1 << 10)

  init(
    _ configuration: HostConfiguration, hasFMA: Bool, trampolines: Trampolines, cacheBase: UInt64, watchGuide: Int,
    pollPage: UInt32, assembler: Assembler
  ) {
    self.assembler = assembler
    self.trampolines = trampolines
    floatEnvironment = configuration.floatEnvironment
    boxesSingles = !configuration.registers.contains { $0.type == .f32 }
    hasVectors = configuration.hasVectors
    self.hasFMA = hasFMA
    self.cacheBase = cacheBase
    self.pollPage = pollPage
    self.watchGuide = watchGuide
  }

  public mutating func begin(_ memory: UnsafeMutableRawBufferPointer, runningAt address: UInt64) {
    unsafe assembler.restart(memory, runningAt: address)
    nans.begin()
    separate.removeAll()
    floatCold.removeAll()
    (firstSite, firstFloatSite, firstVectorSite) = (sites.count, floatSites.count, vectorSites.count)
  }

  public mutating func forgetBlock() {
    sites.truncate(to: firstSite)
    floatSites.truncate(to: firstFloatSite)
    vectorSites.truncate(to: firstVectorSite)
  }

  public mutating func forgetBlocks() {
    sites.removeAll()
    floatSites.removeAll()
    vectorSites.removeAll()
  }

  public mutating func deallocate() {
    nans.results.deallocate()
    separate.deallocate()
    floatCold.deallocate()
    sites.deallocate()
    floatSites.deallocate()
    vectorSites.deallocate()
  }

  @inline(__always)
  public var count: Int { assembler.count }

  public var failure: HostError? {
    switch assembler.failure {
    case .none: nil
    case .bufferFull: .codeCacheFull
    case .outOfReach: .unsupported("a block of over 2 GiB")
    }
  }

  public static func emitFirstColdParts(_ lowering: inout Lowering<X86_64>) { lowering.emitSeparateAccesses() }
  public static func emitLastColdParts(_ lowering: inout Lowering<X86_64>) { lowering.emitFloatColdParts() }

  // MARK: Integer registers

  @inline(__always)
  public mutating func move(_ type: Type, _ register: Register, _ source: Register) {
    assembler.mov(type.width, register, source)
  }
  public mutating func move(_ type: Type, _ register: Register, _ source: VectorRegister) {
    assembler.mov(type.width, register, source)
  }
  public mutating func move(_ register: Register, constant: Int64) { assembler.mov(register, constant) }
  public mutating func clear(_ register: Register) { assembler.zero(register) }
  public mutating func extend(_ type: Type, _ register: Register, _ source: Register) {
    assembler.movzx(from: type.exactWidth, register, source)
  }
  public mutating func spill(_ register: Register, to slot: Int) { assembler.store(.qword, ABI.spill(slot), register) }
  public mutating func reload(_ type: Type, _ register: Register, from slot: Int) {
    assembler.load(type.width, register, ABI.spill(slot))
  }
  public mutating func reloadExtended(_ type: Type, _ register: Register, from slot: Int) {
    assembler.movzx(from: type.exactWidth, register, ABI.spill(slot))
  }
  @inline(__always)
  public mutating func load(_ type: Type, _ register: Register, state offset: Int) {
    assembler.movzx(from: type.exactWidth, register, ABI.state(offset))
  }
  @inline(__always)
  public mutating func store(_ type: Type, _ register: Register, state offset: Int) {
    assembler.store(type.exactWidth, ABI.state(offset), register)
  }
  public mutating func store(_ type: Type, constant: Int64, state offset: Int) -> Bool {
    guard let immediate = Int32(exactly: constant) else { return false }
    assembler.store(type.exactWidth, ABI.state(offset), immediate)
    return true
  }
  public mutating func storeLeaving(_ type: Type, constant: Int64, state offset: Int) {
    if store(type, constant: constant, state: offset) { return }
    assembler.mov(ABI.jumpTarget, constant)
    store(type, ABI.jumpTarget, state: offset)
  }

  // MARK: SSE registers

  public mutating func move(_ register: VectorRegister, _ source: VectorRegister) {
    assembler.vector(.movaps, register, source)
  }
  public mutating func move(_ type: Type, _ register: VectorRegister, _ source: Register) {
    assembler.mov(type.width, register, source)
    if type == .f32, boxesSingles { assembler.vector(.orps, register, constantOperand(.box)) }
  }
  public mutating func clear(_ register: VectorRegister) { assembler.vector(.xorps, register, register) }
  public mutating func spill(_ type: Type, _ register: VectorRegister, to slot: Int) {
    assembler.vectorStore(type.inVectorPin.storing, ABI.spill(slot), register)
  }
  public mutating func reload(_ type: Type, _ register: VectorRegister, from slot: Int) {
    assembler.vector(type.inVectorPin.loading, register, ABI.spill(slot))
  }
  public mutating func load(_ type: Type, _ register: VectorRegister, state offset: Int) {
    assembler.vector(type.loading, register, ABI.state(offset))
  }
  public mutating func store(_ type: Type, _ register: VectorRegister, state offset: Int) {
    assembler.vectorStore(type.storing, ABI.state(offset), register)
  }
  public static func pattern(of bits: Int64, _ type: Type) -> Int64 { type == .f32 ? bits | -1 << 32 : bits }
  @inline(__always)
  public mutating func noteWritten(_ register: VectorRegister, copyOf source: VectorRegister?) {
    guard nans.count != 0 else { return }
    nans.inRegister[Int(register.rawValue)] = source.map { nans.inRegister[Int($0.rawValue)] } ?? 0
  }
  public static func observe(_ register: VectorRegister, _ lowering: inout Lowering<X86_64>) {
    lowering.observe(register)
  }

  /// A constant as an operand, of up to 16 bytes.
  func constantOperand(_ constant: FloatConstant) -> Memory {
    let place = cacheBase + UInt64(trampolines.floats.constants + 16 * constant.rawValue)
    return Memory(codeOffset: Int32(truncatingIfNeeded: Int64(bitPattern: place &- assembler.address)))
  }

  // MARK: Control flow

  public mutating func makeLabel() -> Label { assembler.makeLabel() }
  public mutating func bind(_ label: Label) { assembler.bind(label) }
  public mutating func beginLabel() { nans.begin() }
  public mutating func alignLoopHead(_ offset: Int) { assembler.nop(-(offset + assembler.count) & 31) }
  public mutating func jump(_ label: Label) { assembler.jmp(label) }
  public mutating func jump(toCode offset: Int) { assembler.jmp(toAddress: cacheBase + UInt64(offset)) }
  public mutating func call(toCode offset: Int) { assembler.call(toAddress: cacheBase + UInt64(offset)) }
  @inline(__always)
  public func offset(of code: SharedCode) -> Int {
    switch code {
    case .leave: trampolines.leave
    case .leaveUnchained: trampolines.leaveUnchained
    case .leaveBudget: trampolines.leaveBudget
    case .lookUp: trampolines.lookUp
    case .leaveBudgetIndirect: trampolines.leaveBudgetIndirect
    }
  }
  public mutating func branch(_ condition: ConditionCode, _ label: Label) { assembler.jcc(condition, label) }
  public mutating func skip(unless condition: ConditionCode) -> ShortJump { assembler.shortJcc(condition.inverted) }
  public mutating func land(_ skip: ShortJump) { assembler.land(skip) }
  public static func test(_ value: ValueID, _ lowering: inout Lowering<X86_64>) -> ConditionCode {
    lowering.emitCondition(value)
  }
  public static func materializeCompare(_ index: Int, into register: Register, _ lowering: inout Lowering<X86_64>) {
    lowering.materializeCompare(index, into: register)
  }

  // MARK: Exits

  public static func exitWork(_ lowering: inout Lowering<X86_64>) -> NaNChecks { lowering.nanChecks() }
  public static func emit(_ work: NaNChecks, _ lowering: inout Lowering<X86_64>) { lowering.emit(work) }

  public mutating func retire(_ count: UInt32, setsFlags: Bool) {
    if count != 0 {
      assembler.alu(.sub, .qword, ABI.budget, Int32(truncatingIfNeeded: count))
    } else if setsFlags {
      assembler.test(.qword, ABI.budget, ABI.budget)
    }
  }
  public static var budgetIsLeft: ConditionCode { .g }
  public mutating func testMayRun() -> ConditionCode {
    assembler.alu(.cmp, .dword, ABI.state(ABI.mayRun), 0)
    return .ne
  }
  public mutating func readPollPage() {
    let place = cacheBase + UInt64(pollPage)
    assembler.test(
      .dword, Memory(codeOffset: Int32(truncatingIfNeeded: Int64(bitPattern: place &- assembler.address))), .rax)
  }
  public mutating func leaveIndirectly(unless condition: ConditionCode) {
    assembler.jcc(condition.inverted, toAddress: cacheBase + UInt64(trampolines.leaveBudgetIndirect))
  }
  /// The CPU takes subtraction and jump as one operation if nothing is between them.
  public mutating func alignExit(retired: UInt32) {
    let length = retired == 0 ? 3 : retired < 128 ? 4 : 7
    assembler.alignDisplacement(after: length + 2)
  }
  public mutating func chainableJump(_ condition: ConditionCode?, _ label: Label, else due: Label?) -> Int {
    if let condition {
      assembler.alignDisplacement(after: 2)
      assembler.jcc(condition, label)
    } else {
      assembler.alignDisplacement(after: 1)
      assembler.jmp(label)
    }
    let place = assembler.count - 4
    if let due { assembler.jmp(due) }
    return place
  }
  /// The displacement counts from its end.
  @inline(__always)
  public static func chainedWord(at place: UInt32, to target: UInt32) -> Int32 {
    Int32(truncatingIfNeeded: Int(target) - Int(place) - 4)
  }
  public mutating func jumpThroughCache() {
    assembler.jumpThroughCache(missing: cacheBase + UInt64(trampolines.leaveMiss))
  }
  public static func emitSlowAccess(_ site: UInt32, _ lowering: inout Lowering<X86_64>) {
    lowering.target.sites[Int(site)].stub = lowering.codeOffset
    lowering.assembler.push(Int32(bitPattern: site))
    lowering.assembler.jmp(toAddress: lowering.trampoline(lowering.target.trampolines.slow))
  }
  public static func emitTrap(_ site: UInt32, _ lowering: inout Lowering<X86_64>) {
    lowering.target.sites[Int(site)].trap = lowering.codeOffset
    lowering.assembler.plain(.hlt)
  }
}

extension Lowering<X86_64> {
  var assembler: Assembler {
    @inline(__always)
    _read { yield target.assembler }
    @inline(__always)
    _modify { yield &target.assembler }
  }

  @inline(__always)
  func trampoline(_ offset: Int) -> UInt64 { target.cacheBase + UInt64(offset) }
}
