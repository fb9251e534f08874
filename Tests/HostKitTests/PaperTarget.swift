// Owns a host that assembles nothing, with few registers of each kind, to look at the shared parts alone.

import HostKit
import IR

struct PaperRegister: HostRegister, CustomStringConvertible {
  let number: UInt8
  init(number: UInt8) { self.number = number }
  var description: String { "r\(number)" }
}

struct PaperVector: HostRegister, CustomStringConvertible {
  let number: UInt8
  init(number: UInt8) { self.number = number }
  var description: String { "v\(number)" }
}

/// r0 to r2 and v0, v1 are temporaries; r8, r9 and v8 hold guest registers.
enum PaperRoles: RegisterRoles {
  static var temporaries: RegisterSet<PaperRegister> { RegisterSet(numbers: 0..<3) }
  static var firstChoice: PaperRegister { PaperRegister(number: 2) }
  static var pinnedCount: Int { 2 }
  static func pinned(_ index: Int) -> PaperRegister { PaperRegister(number: UInt8(8 + index)) }
  static var vectorTemporaries: RegisterSet<PaperVector> { RegisterSet(numbers: 0..<2) }
  static var vectorPinnedCount: Int { 1 }
  static func pinnedVector(_ index: Int) -> PaperVector { PaperVector(number: UInt8(8 + index)) }
  static var jumpTarget: PaperRegister { PaperRegister(number: 0) }
  static var leaving: PaperRegister { PaperRegister(number: 1) }
  static var spillSlots: Int { 8 }
}

/// Writes lines of text for instructions, each of four bytes. An op `count` asks for a fault in the allocation of registers.
struct PaperTarget: Target {
  typealias ABI = PaperRoles

  var lines: [String] = []
  /// What an op `count` does, by its number.
  var fault: ((inout Lowering<PaperTarget>) -> Void)?
  private var labels: UInt32 = 0

  init() {}

  mutating func begin(_ memory: UnsafeMutableRawBufferPointer, runningAt address: UInt64) {
    lines = []
    labels = 0
  }
  mutating func forgetBlock() {}
  mutating func forgetBlocks() {}
  mutating func deallocate() {}
  var count: Int { lines.count * 4 }
  var failure: HostError? { nil }
  static func emitFirstColdParts(_ lowering: inout Lowering<PaperTarget>) {}
  static func emitLastColdParts(_ lowering: inout Lowering<PaperTarget>) {}

  /// Computes all ops with a result in one instruction that takes registers.
  static func lower(_ op: Op, _ lowering: inout Lowering<PaperTarget>) {
    switch op.opcode {
    case .count: lowering.target.fault?(&lowering)
    case .call: lowerCall(op, &lowering)
    default:
      let isFloat = op.type.isFloat
      let operands = [op.a, op.b].filter { !$0.isNone }.map {
        isFloat ? "\(lowering.vector($0))" : "\(lowering.register($0))"
      }
      let result =
        isFloat
        ? "\(lowering.vectorDestination(op.result, reusing: op.a))"
        : "\(lowering.destination(op.result, reusing: op.a))"
      lowering.target.lines.append(([op.opcode.info.name.description, result] + operands).joined(separator: " "))
    }
  }

  /// A function that keeps no temporary, and may change guest registers if the helper says so.
  private static func lowerCall(_ op: Op, _ lowering: inout Lowering<PaperTarget>) {
    let changes = lowering.helpers[Int(op.aux)].effects.contains(.writesRegisters)
    for number in UInt8(0)..<3 { lowering.evict(PaperRegister(number: number)) }
    lowering.evictVectors()
    if changes { lowering.spillMirrors(through: PaperRegister(number: 0)) }
    lowering.notePinsSaved(from: 0)
    lowering.target.lines.append("call")
    lowering.noteCall(losing: PaperRoles.temporaries, changes: changes, pinsFrom: 0)
    if changes { lowering.forgetContents() }
    guard !op.result.isNone, lowering.values[Int(op.result.index)].uses > 0 else { return }
    lowering.free.remove(PaperRegister(number: 0))
    lowering.settle(op.result, in: PaperRegister(number: 0))
  }

  mutating func move(_ type: Type, _ register: PaperRegister, _ source: PaperRegister) {
    lines.append("move \(register) \(source)")
  }
  mutating func move(_ type: Type, _ register: PaperRegister, _ source: PaperVector) {
    lines.append("move \(register) \(source)")
  }
  mutating func move(_ register: PaperRegister, constant: Int64) { lines.append("move \(register) #\(constant)") }
  mutating func clear(_ register: PaperRegister) { lines.append("clear \(register)") }
  mutating func extend(_ type: Type, _ register: PaperRegister, _ source: PaperRegister) {
    lines.append("extend \(register) \(source)")
  }
  mutating func spill(_ register: PaperRegister, to slot: Int) { lines.append("spill \(register) \(slot)") }
  mutating func reload(_ type: Type, _ register: PaperRegister, from slot: Int) {
    lines.append("reload \(register) \(slot)")
  }
  mutating func reloadExtended(_ type: Type, _ register: PaperRegister, from slot: Int) {
    lines.append("reload \(register) \(slot)")
  }
  mutating func load(_ type: Type, _ register: PaperRegister, state offset: Int) {
    lines.append("load \(register) \(offset)")
  }
  mutating func store(_ type: Type, _ register: PaperRegister, state offset: Int) {
    lines.append("store \(register) \(offset)")
  }
  mutating func store(_ type: Type, constant: Int64, state offset: Int) -> Bool { false }
  mutating func storeLeaving(_ type: Type, constant: Int64, state offset: Int) {
    lines.append("store #\(constant) \(offset)")
  }
  mutating func move(_ register: PaperVector, _ source: PaperVector) { lines.append("move \(register) \(source)") }
  mutating func move(_ type: Type, _ register: PaperVector, _ source: PaperRegister) {
    lines.append("move \(register) \(source)")
  }
  mutating func clear(_ register: PaperVector) { lines.append("clear \(register)") }
  mutating func spill(_ type: Type, _ register: PaperVector, to slot: Int) { lines.append("spill \(register) \(slot)") }
  mutating func reload(_ type: Type, _ register: PaperVector, from slot: Int) {
    lines.append("reload \(register) \(slot)")
  }
  mutating func load(_ type: Type, _ register: PaperVector, state offset: Int) {
    lines.append("load \(register) \(offset)")
  }
  mutating func store(_ type: Type, _ register: PaperVector, state offset: Int) {
    lines.append("store \(register) \(offset)")
  }
  static func pattern(of bits: Int64, _ type: Type) -> Int64 { bits }
  mutating func noteWritten(_ register: PaperVector, copyOf source: PaperVector?) {}
  mutating func beginLabel() {}
  static func observe(_ register: PaperVector, _ lowering: inout Lowering<PaperTarget>) {}

  mutating func makeLabel() -> Label {
    labels += 1
    return Label(index: labels)
  }
  mutating func bind(_ label: Label) {}
  mutating func alignLoopHead(_ offset: Int) {}
  mutating func jump(_ label: Label) { lines.append("jump") }
  mutating func jump(toCode offset: Int) { lines.append("jump") }
  mutating func call(toCode offset: Int) { lines.append("call") }
  func offset(of code: SharedCode) -> Int { 0 }
  mutating func branch(_ condition: Bool, _ label: Label) { lines.append("branch") }
  mutating func skip(unless condition: Bool) -> Label {
    lines.append("skip")
    return makeLabel()
  }
  mutating func land(_ skip: Label) {}
  static func test(_ value: ValueID, _ lowering: inout Lowering<PaperTarget>) -> Bool {
    let state = lowering.values[Int(value.index)]
    if state.place == .compare {
      let op = lowering.ops[Int(state.immediate)]
      lowering.target.lines.append("compare \(lowering.register(op.a)) \(lowering.register(op.b))")
    } else {
      lowering.target.lines.append("test \(lowering.register(value))")
    }
    return true
  }
  static func materializeCompare(_ index: Int, into register: PaperRegister, _ lowering: inout Lowering<PaperTarget>) {
    let op = lowering.ops[index]
    lowering.target.lines.append("compare \(register) \(lowering.register(op.a)) \(lowering.register(op.b))")
  }

  struct NoWork: BitwiseCopyable {}
  static func exitWork(_ lowering: inout Lowering<PaperTarget>) -> NoWork { NoWork() }
  static func emit(_ work: NoWork, _ lowering: inout Lowering<PaperTarget>) {}
  mutating func retire(_ count: UInt32, setsFlags: Bool) {}
  static var budgetIsLeft: Bool { true }
  mutating func testMayRun() -> Bool { true }
  mutating func readPollPage() {}
  mutating func leaveIndirectly(unless condition: Bool) {}
  mutating func alignExit(retired: UInt32) {}
  mutating func chainableJump(_ condition: Bool?, _ label: Label, else due: Label?) -> Int {
    lines.append("exit")
    return count - 4
  }
  static func chainedWord(at place: UInt32, to target: UInt32) -> Int32 { 0 }
  mutating func jumpThroughCache() { lines.append("look up") }
  static func emitSlowAccess(_ site: UInt32, _ lowering: inout Lowering<PaperTarget>) {}
  static func emitTrap(_ site: UInt32, _ lowering: inout Lowering<PaperTarget>) {}
}
