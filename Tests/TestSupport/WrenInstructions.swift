// Owns the Wren's instructions: a row for each, and what it translates to.

import GuestKit
import IR

struct WrenTranslator: BlockTranslator, ~Copyable {
  var builder: Builder
  var (pc, length): (UInt64, Int) = (0, 2)

  init(_ builder: consuming Builder) { self.builder = builder }
  consuming func takeBuilder() -> Builder { builder }

  static var instructions: InstructionGroup<WrenTranslator> {
    .init(
      "base",
      [
        .init("set", "0001 ddd iiiiiiiii", "d, i", set),
        .init("add", "0010 ddd sss ttt 000", "d, s, t", add),
        .init("sub", "0010 ddd sss ttt 001", "d, s, t", sub),
        .init("load", "0011 ddd sss iiiiii", "d, [s+i]", load),
        .init("store", "0100 ttt sss iiiiii", "t, [s+i]", store),
        .init("bnz", "0101 sss iiiiiiiii; i=9:1", "s, i", bnz),
        .init("jump", "0110 000000 sss 000", "s", jump),
        .init("wait", "0111 000000000000", "", wait),
        .init("trap", "0111 000000000001", "", trap),
        .init("ret", "0111 000000000010", "", ret),
      ])
  }

  // MARK: The instructions

  static func set(_ t: inout Self, _ i: Instruction) { t.builder.setRegister(i["d"], constant: Int64(i["i"]), .i32) }

  static func add(_ t: inout Self, _ i: Instruction) {
    t.builder.setRegister(i["d"], t.builder.binary(.add, t.r(i["s"]), t.r(i["t"])))
  }

  static func sub(_ t: inout Self, _ i: Instruction) {
    t.builder.setRegister(i["d"], t.builder.binary(.sub, t.r(i["s"]), t.r(i["t"])))
  }

  static func load(_ t: inout Self, _ i: Instruction) {
    let access = MemoryAccess(size: 4, aligned: true)
    t.builder.setRegister(i["d"], t.builder.load(.i32, access, at: t.r(i["s"]), offset: Int64(i["i"])))
  }

  static func store(_ t: inout Self, _ i: Instruction) {
    t.builder.store(t.r(i["t"]), MemoryAccess(size: 4, aligned: true), at: t.r(i["s"]), offset: Int64(i["i"]))
  }

  static func bnz(_ t: inout Self, _ i: Instruction) {
    let target = t.address(t.pc &+ UInt64(bitPattern: Int64(i["i"])))
    let isTaken = t.builder.compare(.notEqual, t.r(i["s"]), t.builder.const(.i32, 0))
    t.builder.exitIf(isTaken, to: target, target <= t.pc ? .checksBudget : [])
  }

  static func jump(_ t: inout Self, _ i: Instruction) {
    let target = t.builder.binary(.and, t.r(i["s"]), t.builder.const(.i32, ~1))
    t.builder.exitIndirect(target)
  }

  static func wait(_ t: inout Self, _ i: Instruction) { t.builder.exit(with: .wait, pc: t.nextPC) }

  static func trap(_ t: inout Self, _ i: Instruction) { t.builder.raise(Int64(Wren.Cause.trap.rawValue)) }

  static func ret(_ t: inout Self, _ i: Instruction) { t.builder.exitIndirect(t.builder.call(0, .i32)) }

  private mutating func r(_ number: Int) -> ValueID { builder.getRegister(number, .i32) }
  private var nextPC: UInt64 { address(pc &+ UInt64(length)) }

  // MARK: What the translation loop asks

  var hasEnded: Bool { builder.isTerminated }
  func leads(to pc: UInt64) -> Bool { builder.targets.contains(pc) }
  func address(_ value: UInt64) -> UInt64 { value & 0xFFFF_FFFF }
  mutating func label(pc: UInt64) { builder.label(pc: pc) }

  func decode(_ code: CodeBytes, _ offset: Int, for guest: Wren) -> Decoding<UInt32> {
    guard offset + 2 <= code.count else { return .incomplete(2) }
    return .instruction(UInt32(code.load(offset, as: UInt16.self)), length: 2)
  }

  mutating func begin(pc: UInt64, length: Int) {
    (self.pc, self.length) = (pc, length)
    builder.instruction(pc: pc, length: length)
  }

  mutating func translate(
    _ bits: UInt32, _ offset: Int, of request: borrowing TranslationRequest, for guest: Wren
  ) {
    if let instruction = guest.decoder.decode(bits, length: 2) {
      guest.decoder.translate(instruction, with: &self)
    } else {
      raise(GuestException(cause: Wren.Cause.illegal.rawValue, value: UInt64(bits)))
    }
  }

  mutating func raise(_ exception: GuestException) {
    builder.raise(
      Int64(bitPattern: exception.cause), value: builder.const(.i32, Int64(Int32(truncatingIfNeeded: exception.value))))
  }

  mutating func stop(before pc: UInt64) {
    if !hasEnded { builder.exit(to: pc, pc < self.pc ? .checksBudget : []) }
  }
}
