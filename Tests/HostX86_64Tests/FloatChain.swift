// Random blocks of floating-point ops, and what they do.

import HostKit
import IR

/// Steps between registers 0–15 (f64) and 16–19 (i64).
struct FloatChain: CustomStringConvertible {
  enum Step {
    /// `to = op(a, b, c)` on doubles, or on singles that are unboxed and boxed.
    case arithmetic(FloatCase, to: Int, a: Int, b: Int, c: Int)
    /// f64 register to f64 register.
    case move(to: Int, from: Int)
    case toBits(to: Int, from: Int)
    case fromBits(to: Int, from: Int)
    case constant(to: Int, UInt64)
    /// `to = lowest bit of integer ? a : b`
    case select(to: Int, integer: Int, a: Int, b: Int)
    /// A helper that changes nothing but takes all that calls take.
    case call
  }
  private(set) var steps: [Step] = []

  private static let cases = FloatCase.all.filter { $0.opcode != .floatBox && $0.opcode != .floatUnbox }

  init(length: Int, using generator: inout some RandomNumberGenerator) {
    func float() -> Int { Int(generator.next() % 16) }
    func integer() -> Int { 16 + Int(generator.next() % 4) }
    for _ in 0..<length {
      switch Int.random(in: 0..<20, using: &generator) {
      case 0: steps.append(.move(to: float(), from: float()))
      case 1: steps.append(.toBits(to: integer(), from: float()))
      case 2: steps.append(.fromBits(to: float(), from: integer()))
      case 3: steps.append(.constant(to: float(), Bool.random(using: &generator) ? 0 : 0x4045_0000_0000_0000))
      case 4: steps.append(.select(to: float(), integer: integer(), a: float(), b: float()))
      case 5: steps.append(.call)
      default:
        let test = Self.cases.randomElement(using: &generator)!
        let isFloat = FloatChain.operation(test).result.isFloat
        let operands = (0..<3).map { _ in test.source.isInteger ? integer() : float() }
        steps.append(
          .arithmetic(test, to: isFloat ? float() : integer(), a: operands[0], b: operands[1], c: operands[2]))
      }
    }
  }

  var description: String { steps.map { "\($0)" }.joined(separator: "\n") }

  private static func operation(_ test: FloatCase) -> FloatOperation {
    FloatOperation(Op(test.opcode, test.type, aux: test.control.rawValue), source: test.source)
  }

  /// The block, with each register read and written once where passes would have it so.
  func emit(_ builder: inout Builder) {
    var known: [ValueID] = Array(repeating: .none, count: 20)
    func get(_ register: Int, _ builder: inout Builder) -> ValueID {
      if known[register].isNone { known[register] = builder.getRegister(register, register < 16 ? .f64 : .i64) }
      return known[register]
    }
    func set(_ register: Int, _ value: ValueID, _ builder: inout Builder) {
      known[register] = value
      builder.setRegister(register, value)
    }
    for step in steps {
      switch step {
      case .arithmetic(let test, let to, let a, let b, let c):
        let operands = [a, b, c].prefix(test.operands).map { register -> ValueID in
          let value = get(register, &builder)
          switch test.source {
          case .f32: return builder.unary(.floatUnbox, value, to: .f32)
          case .i32: return builder.unary(.truncate, value, to: .i32)
          default: return value
          }
        }
        let (a, b, c) = (operands[0], operands.dropFirst().first ?? .none, operands.dropFirst(2).first ?? .none)
        let result =
          test.opcode == .floatCompare
          ? builder.floatCompare(test.control.relation, a, b)
          : builder.float(test.opcode, test.control, to: test.type, a, b, c)
        switch Self.operation(test).result {
        case .f32: set(to, builder.unary(.floatBox, result, to: .f64), &builder)
        case .f64, .i64: set(to, result, &builder)
        default: set(to, builder.unary(.zeroExtend, result, to: .i64), &builder)
        }
      case .move(let to, let from): set(to, get(from, &builder), &builder)
      case .toBits(let to, let from): set(to, builder.unary(.bitcast, get(from, &builder), to: .i64), &builder)
      case .fromBits(let to, let from): set(to, builder.unary(.bitcast, get(from, &builder), to: .f64), &builder)
      case .constant(let to, let bits): set(to, builder.const(.f64, Int64(bitPattern: bits)), &builder)
      case .select(let to, let integer, let a, let b):
        let truth = builder.unary(.truncate, get(integer, &builder), to: .i1)
        set(to, builder.select(truth, get(a, &builder), get(b, &builder)), &builder)
      case .call: _ = builder.call(0, .i64, builder.const(.i64, 0x4008_0000_0000_0000))
      }
    }
  }

  func run(_ registers: inout [UInt64], _ state: VCPUState) {
    for step in steps {
      switch step {
      case .arithmetic(let test, let to, let a, let b, let c):
        let operation = Self.operation(test)
        let operands = [a, b, c].map { register -> UInt64 in
          let value = registers[register]
          guard test.source == .f32 else { return value & test.source.mask }
          return value >> 32 == 0xFFFF_FFFF ? value & 0xFFFF_FFFF : 0x7FC0_0000
        }
        let result = operation.evaluate(operands[0], operands[1], operands[2], state, FloatRig.environment)
        registers[to] = operation.result == .f32 ? result | 0xFFFF_FFFF_0000_0000 : result
      case .move(let to, let from), .toBits(let to, let from), .fromBits(let to, let from):
        registers[to] = registers[from]
      case .constant(let to, let bits): registers[to] = bits
      case .select(let to, let integer, let a, let b):
        registers[to] = registers[integer] & 1 != 0 ? registers[a] : registers[b]
      case .call: break
      }
    }
  }
}
