// Owns the tests of packed code: what a builder writes straight away does what the same ops do when they are packed after.

import GuestKit
import HostInterpreter
import HostKit
import IR
import TestSupport
import Testing

@Suite struct PackedCodeTests {
  private static let places = TestGuest.file.registers.map { Place.register(at: $0.offset) }

  @Test func packedAtOnceEqualsPackedAfter() throws {
    let after = try InterpreterHost(TestGuest.configuration)
    let atOnce = try Interpreter(TestGuest.configuration, entries: .max)
    let (expected, result) = (TestCPU(), TestCPU())
    var builder = Builder(pc: 0, places: Self.places)
    var shorter = 0
    for seed in 0..<RandomBlockTests.count {
      let source = RandomBlock.make(seed: seed)
      builder.restart(pc: source.pc)
      Replay(seed: seed).run(source, &builder)
      let block = builder.block
      expected.randomise(seed)
      after.reset()
      after.run(try after.compileChained(block, dataPath: .slow).entry, expected.state)

      builder.restartPacked(pc: source.pc, isPaged: false)
      Replay(seed: seed).run(source, &builder)
      result.randomise(seed)
      atOnce.reset()
      let compiled = try atOnce.adopt(builder.code)
      atOnce.run(compiled.entry, result.state)
      shorter += builder.code.opCount < block.ops.count ? 1 : 0
      guard expected.outcome == result.outcome && expected.isEqual(to: result) else {
        let text = Printer(TestGuest.names).text(block)
        let code = atOnce.listing(compiled).map(\.text).joined(separator: "\n")
        Issue.record(
          """
          seed \(seed)
          \(text)as
          \(code)
          expected: \(expected.outcome)
          result: \(result.outcome)
          \(result.changes(since: expected))
          """)
        return
      }
    }
    #expect(shorter * 10 > RandomBlockTests.count * 9)
  }

  /// An instruction that uses a register's value after the register was written.
  @Test func valuesOutliveTheirRegisters() throws {
    let host = try Interpreter(TestGuest.configuration, entries: .max)
    let cpu = TestCPU()
    cpu.state.store(UInt64(5), at: TestGuest.x(1))
    cpu.state.store(UInt64(7), at: TestGuest.x(2))
    var builder = Builder(pc: 0, places: Self.places)
    builder.restartPacked(pc: 0, isPaged: false)
    builder.instruction(pc: 0, length: 4)
    let (first, second) = (builder.getRegister(1, .i64), builder.getRegister(2, .i64))
    let half = builder.unary(.truncate, second, to: .i32)
    let sum = builder.binary(.add, first, second)
    builder.setRegister(1, sum)
    builder.setRegister(2, first)
    builder.setRegister(1, second)
    builder.setRegister(3, sum)
    builder.setRegister(4, builder.unary(.zeroExtend, half, to: .i64))
    builder.exit(to: 4)
    host.run(try host.adopt(builder.code).entry, cpu.state)
    #expect((1...4).map { cpu.state.load(TestGuest.x($0), as: UInt64.self) } == [7, 5, 12, 7])
  }
}

/// Tells a builder to write a block's ops again, and some that only builders of packed code write otherwise.
private struct Replay {
  private var values: [ValueID: ValueID] = [:]
  private var random: SplitMix

  init(seed: UInt64) { random = SplitMix(seed: seed ^ 0x9ACCED) }

  private func value(_ id: ValueID) -> ValueID { id.isNone ? id : values[id] ?? .none }

  consuming func run(_ block: Block, _ builder: inout Builder) {
    for op in block.ops {
      let result = write(op, &builder)
      if !op.result.isNone { values[op.result] = result }
      if !op.opcode.endsBlock, random.below(4) == 0 { compute(&builder) }
    }
  }

  private mutating func compute(_ builder: inout Builder) {
    let d = 1 + random.below(6)
    let (s, t) = (operand(), operand())
    let opcode =
      [Opcode.add, .sub, .and, .or, .xor, .andNot, .shiftLeft, .shiftRight, .shiftRightArithmetic, .mul, .rotateLeft]
      .randomElement(using: &random) ?? .add
    let constant = Int64(bitPattern: random.next()) >> [20, 40, 60].randomElement(using: &random)!
    let access = MemoryAccess(size: 1 << random.below(4), signed: random.below(2) == 0)
    switch random.below(17) {
    case 0...2: builder.setRegister(d, opcode, s, t, .i64)
    case 3...5: builder.setRegister(d, opcode, s, constant: constant, .i64)
    case 6, 7: builder.setRegister(d, widened: opcode, s, t)
    case 8, 9: builder.setRegister(d, widened: opcode, s, constant: constant)
    case 10, 11: builder.setRegister(d, constant: constant, .i64)
    case 12: builder.load(d, .i64, access, at: s, offset: constant)
    case 13: builder.store(t, .i64, access, at: s, offset: constant)
    case 14:
      let condition = Condition.allCases.randomElement(using: &random) ?? .equal
      builder.exitIf(s, condition, t, .i64, to: 0x10_0000, random.below(2) == 0 ? [] : .checksBudget)
    default:
      let (a, b) = (builder.getRegister(d, .i64), builder.getRegister(1 + random.below(6), .i64))
      let words = (builder.unary(.truncate, a, to: .i32), builder.unary(.truncate, b, to: .i32))
      builder.setRegister(d, builder.unary(.signExtend, builder.binary(opcode, words.0, words.1), to: .i64))
    }
  }

  private mutating func operand() -> Int { random.below(5) == 0 ? Builder.zero : 1 + random.below(6) }

  private mutating func write(_ op: Op, _ builder: inout Builder) -> ValueID {
    let (a, b, c) = (value(op.a), value(op.b), value(op.c))
    let pc = UInt64(bitPattern: op.imm)
    switch op.opcode {
    case .nop, .count: break
    case .instruction: builder.instruction(pc: pc, length: Int(op.aux))
    case .label:
      builder.label(pc: pc)
      values = [:]
    case .retire: builder.retireBeforeCurrent()
    case .const: return builder.const(op.type, op.imm)
    case .getRegister: return builder.getRegister(Int(op.imm), op.type)
    case .setRegister: builder.setRegister(Int(op.imm), a)
    case .compare: return builder.compare(op.condition, a, b)
    case .select: return builder.select(a, b, c)
    case .load: return builder.load(op.type, op.access, at: a, offset: op.imm)
    case .store: builder.store(b, op.access, at: a, offset: op.imm)
    case .atomic: return builder.atomic(op.atomicKind, op.type, op.access, at: a, b)
    case .compareExchange: return builder.compareExchange(op.type, op.access, at: a, expected: b, new: c)
    case .fence: builder.fence(.sequential)
    case .vector: return builder.vector(op.vectorOperation, a, b, c, to: op.type)
    case .call: return builder.call(Int(op.aux), op.type, a, b, c, imm: op.imm)
    case .exitIf: builder.exitIf(a, to: pc, op.exitFlags)
    case .exit: builder.exit(to: pc, op.exitFlags)
    case .exitIndirect: builder.exitIndirect(a, op.exitFlags)
    case .exitWith: builder.exit(with: ExitReason(rawValue: UInt32(op.aux)) ?? .wait, pc: pc)
    case .raise: builder.raise(op.imm, value: a)
    default:
      if op.opcode.isFloat { return builder.float(op.opcode, FloatControl(rawValue: op.aux), to: op.type, a, b, c) }
      return op.opcode.info.operands == 1
        ? builder.unary(op.opcode, a, to: op.type) : builder.binary(op.opcode, a, b)
    }
    return .none
  }
}
