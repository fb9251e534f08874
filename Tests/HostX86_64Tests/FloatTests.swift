// Every floating-point op as translated code carries it out, against the SoftFloat module, over hard and random operands,
// in every rounding mode, with the flags that were set before.

import Foundation
import HostKit
import HostX86_64
import IR
import Testing

/// One op to test: everything but where its operands are.
struct FloatCase: CustomTestStringConvertible, Sendable {
  var opcode: Opcode
  var type: Type
  var source: Type
  var control: FloatControl

  var testDescription: String { "\(opcode.info.name).\(type.name) of \(source.name), control \(control.rawValue)" }
  var operands: Int { opcode.info.operands }

  static let all: [FloatCase] = {
    var list: [FloatCase] = []
    let floats: [Type] = [.f32, .f64]
    for type in floats {
      for rounding in FloatRounding.allCases {
        let control = FloatControl(rounding)
        for opcode in [Opcode.floatAdd, .floatSub, .floatMul, .floatDiv, .floatSqrt] {
          list.append(FloatCase(opcode: opcode, type: type, source: type, control: control))
        }
        for signs in 0..<4 {
          var control = control
          control.negatesProduct = signs & 1 != 0
          control.negatesAddend = signs & 2 != 0
          list.append(FloatCase(opcode: .floatFused, type: type, source: type, control: control))
        }
        for integer in [Type.i32, .i64] {
          for isUnsigned in [false, true] {
            var control = control
            control.isUnsigned = isUnsigned
            list.append(FloatCase(opcode: .floatToInteger, type: integer, source: type, control: control))
            list.append(FloatCase(opcode: .floatFromInteger, type: type, source: integer, control: control))
          }
        }
        list.append(
          FloatCase(opcode: .floatConvert, type: type, source: type == .f32 ? .f64 : .f32, control: control))
      }
      for opcode in [Opcode.floatMinimum, .floatMaximum] {
        list.append(FloatCase(opcode: opcode, type: type, source: type, control: FloatControl()))
      }
      for relation in FloatRelation.allCases {
        list.append(FloatCase(opcode: .floatCompare, type: type, source: type, control: FloatControl(relation)))
      }
      for sign in FloatSign.allCases {
        list.append(FloatCase(opcode: .floatSign, type: type, source: type, control: FloatControl(sign)))
      }
    }
    list.append(FloatCase(opcode: .floatBox, type: .f64, source: .f32, control: FloatControl()))
    list.append(FloatCase(opcode: .floatUnbox, type: .f32, source: .f64, control: FloatControl()))
    return list
  }()
}

/// Where operands and result are: register numbers, or the same one more than once.
struct FloatPlacement: Sendable {
  var operands: [Int]
  var result: Int

  static let all = [
    FloatPlacement(operands: [0, 1, 2], result: 3), FloatPlacement(operands: [0, 1, 2], result: 0),
    FloatPlacement(operands: [0, 1, 2], result: 1), FloatPlacement(operands: [0, 1, 2], result: 2),
    FloatPlacement(operands: [12, 13, 14], result: 15), FloatPlacement(operands: [12, 13, 14], result: 12),
    FloatPlacement(operands: [12, 5, 14], result: 5), FloatPlacement(operands: [4, 13, 6], result: 13),
    FloatPlacement(operands: [7, 7, 7], result: 7), FloatPlacement(operands: [13, 13, 13], result: 8),
    FloatPlacement(operands: [9, 10, 9], result: 10),
  ]
}

@Suite(.serialized) struct FloatTests {
  private static let count = Int(ProcessInfo.processInfo.environment["MARTLET_FLOATS"] ?? "") ?? 400
  private let boxed: UInt64 = 0xFFFF_FFFF_0000_0000

  /// The op between registers: f32 are boxed there, integers live in 16–19.
  private func emit(_ test: FloatCase, _ placement: FloatPlacement, _ builder: inout Builder) {
    var values: [ValueID] = []
    for index in 0..<test.operands {
      if test.source.isInteger {
        let value = builder.getRegister(16 + placement.operands[index] % 4, .i64)
        values.append(test.source == .i32 ? builder.unary(.truncate, value, to: .i32) : value)
      } else {
        let value = builder.getRegister(placement.operands[index], .f64)
        let isWhole = test.source == .f64
        values.append(isWhole ? value : builder.unary(.floatUnbox, value, to: .f32))
      }
    }
    values += Array(repeating: .none, count: 3 - values.count)
    let type = test.type
    if test.opcode == .floatCompare {
      let truth = builder.floatCompare(test.control.relation, values[0], values[1])
      builder.setRegister(16 + placement.result % 4, builder.unary(.zeroExtend, truth, to: .i64))
      return
    }
    var result = builder.float(test.opcode, test.control, to: type, values[0], values[1], values[2])
    if type == .i32 { result = builder.unary(.zeroExtend, result, to: .i64) }
    if type == .f32 { result = builder.unary(.floatBox, result, to: .f64) }
    builder.setRegister(type.isFloat ? placement.result : 16 + placement.result % 4, result)
  }

  /// Runs the op on `operands` and checks result, flags and all other registers.
  private func check(
    _ rig: FloatRig, _ test: FloatCase, _ placement: FloatPlacement, _ entry: CodeAddress, _ operands: [UInt64],
    mode: UInt8, flags: UInt8
  ) -> String? {
    var registers = (0..<20).map { UInt64($0) &* 0x0101_0101_0101_0101 }
    for index in (0..<test.operands).reversed() {
      if test.source.isInteger {
        registers[16 + placement.operands[index] % 4] = operands[index]
      } else {
        registers[placement.operands[index]] = operands[index] | (test.source == .f32 ? boxed : 0)
      }
    }
    let used = (0..<3).map { index -> UInt64 in
      guard index < test.operands else { return 0 }
      let register = test.source.isInteger ? 16 + placement.operands[index] % 4 : placement.operands[index]
      return registers[register] & test.source.mask
    }
    for (index, value) in registers.enumerated() { rig[index] = value }
    rig.flags = flags
    rig.rounding = mode
    rig.run(entry)
    rig.expected.store(flags, at: FloatRig.environment.flags)
    rig.expected.store(mode, at: FloatRig.environment.rounding)
    let operation = FloatOperation(
      Op(test.opcode, test.type, aux: test.control.rawValue), source: test.source)
    let result = operation.evaluate(used[0], used[1], used[2], rig.expected, FloatRig.environment)
    let target = operation.result.isFloat ? placement.result : 16 + placement.result % 4
    registers[target] = operation.result == .f32 ? result | boxed : result
    let expectedFlags: UInt8 = rig.expected.load(FloatRig.environment.flags)
    for index in 0..<20 where rig[index] != registers[index] {
      return
        "register \(index) is \(hex(rig[index])), not \(hex(registers[index])), for \(used.map(hex)) in mode \(mode)"
    }
    guard rig.flags == expectedFlags else {
      return "flags \(rig.flags), not \(expectedFlags), after \(flags), for \(used.map(hex)) in mode \(mode)"
    }
    return nil
  }

  private func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

  private func hardValues(_ type: Type) -> [UInt64] {
    switch type {
    case .f32: FloatOperands.singles.map(UInt64.init)
    case .f64: FloatOperands.doubles
    default: FloatOperands.integers
    }
  }

  @Test(arguments: FloatCase.all, [true, false]) func hardOperands(_ test: FloatCase, hasFMA: Bool) throws {
    let rig = try FloatRig(hasFMA: hasFMA)
    let values = hardValues(test.source)
    let modes: [UInt8] = test.control.rounding == .dynamic ? [0, 1, 2, 3] : [0, 3]
    for (number, placement) in FloatPlacement.all.enumerated() {
      let entry = try rig.compile { emit(test, placement, &$0) }
      for mode in modes {
        for (index, a) in values.enumerated() {
          let others = test.operands == 1 ? [0] : values
          for (second, b) in others.enumerated() {
            // A third operand of each pair, all in the course of the placements.
            let c = values[(index &* 7 &+ second &* 3 &+ number &* 5) % values.count]
            if let failure = check(rig, test, placement, entry, [a, b, c], mode: mode, flags: UInt8(second & 1)) {
              Issue.record("\(placement): \(failure)")
              return
            }
          }
        }
      }
    }
  }

  @Test(arguments: FloatCase.all) func randomOperands(_ test: FloatCase) throws {
    let rig = try FloatRig()
    var generator = SystemRandomNumberGenerator()
    for placement in FloatPlacement.all {
      let entry = try rig.compile { emit(test, placement, &$0) }
      for _ in 0..<Self.count {
        let operands = (0..<3).map { _ in
          test.source.isFloat
            ? FloatOperands.random(test.source == .f64, using: &generator)
            : UInt64.random(in: 0...UInt64.max, using: &generator)
              >> UInt64.random(in: 0..<64, using: &generator)
        }
        let mode = UInt8.random(in: 0..<4, using: &generator)
        let flags = UInt8.random(in: 0..<32, using: &generator)
        if let failure = check(rig, test, placement, entry, operands, mode: mode, flags: flags) {
          Issue.record("\(placement): \(failure)")
          return
        }
      }
    }
  }

  // MARK: Call-outs

  private let one: UInt64 = 0x3FF0_0000_0000_0000
  private let three: UInt64 = 0x4008_0000_0000_0000

  @Test func helpersSeeTheFlagsAndTheHostsOwnEnvironment() throws {
    let rig = try FloatRig()
    let entry = try rig.compile { builder in
      let quotient = builder.float(
        .floatDiv, FloatControl(.dynamic), builder.getRegister(0, .f64), builder.getRegister(12, .f64))
      builder.setRegister(1, quotient)
      let third = builder.call(0, .i64, builder.const(.i64, Int64(bitPattern: three)))
      builder.setRegister(16, third)
      let before = builder.call(2, .i64)
      builder.setRegister(17, before)
      // Exact, in what the rounding mode was all along.
      let sum = builder.float(
        .floatAdd, FloatControl(.dynamic), builder.getRegister(0, .f64), builder.getRegister(0, .f64))
      builder.setRegister(13, sum)
      builder.setRegister(2, builder.float(.floatSub, FloatControl(.dynamic), quotient, quotient))
    }
    for mode in UInt8(0)..<4 {
      rig.rounding = mode
      rig.flags = 4
      rig[0] = one
      rig[12] = three
      rig.run(entry)
      #expect(rig[1] == (mode == 3 ? 0x3FD5_5555_5555_5556 : 0x3FD5_5555_5555_5555))
      // In the helper: rounded to nearest, with the flags of the division and those before.
      #expect(rig[16] == 0x3FD5_5555_5555_5555 + 5)
      #expect(rig[17] == 5)
      #expect(rig[13] == 0x4000_0000_0000_0000)
      #expect(rig[2] == (mode == 2 ? 1 << 63 : 0))
      // The helper's own inexact division left no trace.
      #expect(rig.flags == 0)
    }
    #expect((1 / Double(bitPattern: rig[12])).bitPattern == 0x3FD5_5555_5555_5555)
  }

  @Test func valuesSurviveCallsAndRegistersChangedByThem() throws {
    let rig = try FloatRig()
    let entry = try rig.compile { builder in
      let olds = (0..<16).map { builder.getRegister($0, .f64) }
      let sums = (0..<8).map { builder.float(.floatAdd, FloatControl(.dynamic), olds[$0], olds[15 - $0]) }
      for register in [3, 14] {
        _ = builder.call(
          1, .i64, builder.const(.i64, Int64(register)), builder.unary(.bitcast, sums[register & 7], to: .i64))
      }
      builder.setRegister(0, builder.float(.floatMul, FloatControl(.dynamic), sums[1], sums[2]))
      builder.setRegister(13, builder.float(.floatSub, FloatControl(.dynamic), olds[3], olds[14]))
      for index in 4..<8 { builder.setRegister(index, sums[index]) }
    }
    for index in 0..<16 { rig[index] = Double(index * index + 1).bitPattern }
    let values = (0..<16).map { Double($0 * $0 + 1) }
    let sums = (0..<8).map { values[$0] + values[15 - $0] }
    rig.run(entry)
    #expect(Double(bitPattern: rig[0]) == sums[1] * sums[2])
    #expect(Double(bitPattern: rig[3]) == sums[3])
    #expect(Double(bitPattern: rig[14]) == sums[6])
    #expect(Double(bitPattern: rig[13]) == values[3] - values[14])
    for index in 4..<8 { #expect(Double(bitPattern: rig[index]) == sums[index]) }
    for index in [1, 2, 8, 9, 10, 11, 12, 15] { #expect(Double(bitPattern: rig[index]) == values[index]) }
  }

  @Test func slowAccessesKeepRegistersFlagsAndMode() throws {
    let rig = try FloatRig()
    let entry = try rig.compile { builder in
      let a = builder.getRegister(0, .f64)
      let quotient = builder.float(.floatDiv, FloatControl(.dynamic), a, builder.getRegister(12, .f64))
      let base = builder.const(.i64, 64)
      let double = builder.load(.f64, MemoryAccess(size: 8), at: base)
      let single = builder.load(.f32, MemoryAccess(size: 4), at: base)
      builder.store(quotient, MemoryAccess(size: 8), at: base)
      builder.store(double, MemoryAccess(size: 4), at: base)
      builder.setRegister(1, quotient)
      builder.setRegister(2, double)
      builder.setRegister(14, builder.unary(.floatBox, single, to: .f64))
      builder.setRegister(3, builder.float(.floatDiv, FloatControl(.dynamic), a, builder.getRegister(12, .f64)))
    }
    for mode in UInt8(0)..<4 {
      rig.rounding = mode
      rig.flags = 0
      rig[0] = one
      rig[12] = three
      rig.run(entry)
      #expect(rig[1] == (mode == 3 ? 0x3FD5_5555_5555_5556 : 0x3FD5_5555_5555_5555))
      #expect(rig[3] == rig[1])
      #expect(rig[2] == 0x3FD5_5555_5555_5555)
      #expect(rig[14] == 0xFFFF_FFFF_5555_5555)
      #expect(rig.flags == 1)
    }
  }

  /// NaNs that are not canonical yet when an access faults, or at a side exit, are so where the guest can see them.
  @Test(arguments: [true, false]) func nansAreCanonicalWhereverTheBlockIsLeft(byFault: Bool) throws {
    let rig = try FloatRig()
    let entry = try rig.compile { builder in
      let a = builder.getRegister(0, .f64)
      let sum = builder.float(.floatAdd, FloatControl(.dynamic), a, builder.getRegister(5, .f64))
      builder.setRegister(1, sum)
      let product = builder.float(.floatMul, FloatControl(.dynamic), sum, a)
      builder.setRegister(12, product)
      builder.setRegister(2, builder.float(.floatDiv, FloatControl(.dynamic), a, a))
      let single = builder.unary(.floatUnbox, builder.getRegister(6, .f64), to: .f32)
      let root = builder.float(.floatSqrt, FloatControl(.dynamic), single)
      builder.setRegister(3, builder.unary(.floatBox, root, to: .f64))
      builder.instruction(pc: 0x1004, length: 4)
      if byFault {
        let address = builder.const(.i64, Int64(FloatRig.faultingAddress))
        builder.setRegister(7, builder.load(.f64, MemoryAccess(size: 8), at: address))
      } else {
        builder.exitIf(builder.unary(.truncate, builder.getRegister(16, .i64), to: .i1), to: 0x2000)
      }
      builder.setRegister(1, a)
    }
    let payload: UInt64 = 0xFFF8_0000_0000_1234
    for (index, value) in [payload, 0, 0, 0, 0, one, 0xFFFF_FFFF_BF80_0000, 77].enumerated() {
      rig[index] = value
    }
    rig[16] = 1
    rig.flags = 0
    rig.run(entry)
    let canonical: UInt64 = 0x7FF8_0000_0000_0000
    #expect(rig.cpu.exitReason == (byFault ? .exception : .unchained))
    #expect(rig[0] == payload && rig[1] == canonical && rig[12] == canonical && rig[2] == canonical)
    #expect(rig[3] == 0xFFFF_FFFF_7FC0_0000 && rig[7] == 77)
    #expect(rig.flags == 16)
  }

  /// Bit casts, selects, constants, spills: as long chains of random ops, against their meaning.
  @Test(arguments: [true, false]) func randomChainsOfOps(hasFMA: Bool) throws {
    let rig = try FloatRig(hasFMA: hasFMA)
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<Self.count * 5 {
      let chain = FloatChain(length: Int.random(in: 1...24, using: &generator), using: &generator)
      let entry = try rig.compile { chain.emit(&$0) }
      let mode = UInt8.random(in: 0..<4, using: &generator)
      var registers = (0..<20).map { index -> UInt64 in
        let isDouble = Bool.random(using: &generator)
        return FloatOperands.random(isDouble, using: &generator) | (isDouble || index > 15 ? 0 : boxed)
      }
      for (index, value) in registers.enumerated() { rig[index] = value }
      rig.flags = 0
      rig.rounding = mode
      rig.run(entry)
      rig.expected.store(UInt8(0), at: FloatRig.environment.flags)
      rig.expected.store(mode, at: FloatRig.environment.rounding)
      chain.run(&registers, rig.expected)
      let flags: UInt8 = rig.expected.load(FloatRig.environment.flags)
      let found = (0..<20).map { rig[$0] }
      if found != registers || rig.flags != flags {
        let wrong = (0..<20).filter { found[$0] != registers[$0] }
        Issue.record(
          "registers \(wrong), flags \(rig.flags) for \(flags), mode \(mode) in\n\(chain.description)")
        return
      }
    }
  }
}
