// IR as its op table describes it, executed one op after the other on plain values.

import HostKit
import IR

/// What a block did: where it left and the guest state after it.
struct Outcome: Equatable {
  var reason: ExitReason
  var pc: UInt64
  var cause: UInt64 = 0
  var value: UInt64 = 0
  var budget: Int64
  var registers: [UInt64]
  var device: UInt64
  var reservation: Reservation
}

/// Executes `block` once on `registers` and `ram`.
func reference(
  _ block: Block, registers: [UInt64], budget: Int64, ram: UnsafeMutableRawPointer, device: UInt64,
  reservation: Reservation, type registerType: Type, path: DataPath
) -> Outcome {
  var outcome = Outcome(
    reason: .unchained, pc: 0, budget: budget, registers: registers, device: device, reservation: reservation)
  var values = [UInt64](repeating: 0, count: block.valueTypes.count)
  var pc = block.pc
  var begun: UInt64 = 0

  func raise(_ cause: UInt64, _ value: UInt64) -> Outcome {
    outcome.reason = .exception
    outcome.pc = pc
    outcome.cause = cause
    outcome.value = value
    outcome.budget -= Int64(begun - 1)
    return outcome
  }

  for op in block.ops {
    let a = op.a.isNone ? 0 : values[Int(op.a.index)]
    let b = op.b.isNone ? 0 : values[Int(op.b.index)]
    let c = op.c.isNone ? 0 : values[Int(op.c.index)]
    var result: UInt64 = 0
    switch op.opcode {
    case .nop, .fence, .count: break
    case .instruction:
      pc = UInt64(bitPattern: op.imm)
      begun += 1
    case .retire:
      outcome.budget -= Int64(op.extra)
      begun -= UInt64(op.extra)
    case .const: result = UInt64(bitPattern: op.imm)
    case .getRegister: result = outcome.registers[Int(op.imm)]
    case .setRegister: outcome.registers[Int(op.imm)] = a & registerType.mask
    case .compare: result = op.condition.holds(a, b, bits: op.type.bits) ? 1 : 0
    case .select: result = a != 0 ? b : c
    case .signExtend: result = UInt64(bitPattern: signed(a, block.type(of: op.a).bits))
    case .load, .store, .atomic, .compareExchange:
      let addressType = block.type(of: op.a)
      let offset = op.opcode == .load || op.opcode == .store ? UInt64(bitPattern: op.imm) : 0
      let address = (a &+ offset) & addressType.mask
      let access = unsafe access(
        SlowAccess(op), address, b, c, ram, &outcome.device, &outcome.reservation)
      guard let loaded = access else {
        return raise(GuestMap.faultCause, address)
      }
      result = loaded
    case .call:
      switch op.aux {
      case 0: result = (a &* 3) ^ (b &+ c) ^ UInt64(bitPattern: op.imm)
      case 1:
        let register = Int(op.imm & 7)
        result = outcome.registers[register] &+ outcome.registers[register + 8]
        outcome.registers[register] = (outcome.registers[register] ^ a) & registerType.mask
      case 2:
        if a & 3 == 0 { return raise(7, a) }
        result = a &+ UInt64(bitPattern: op.imm)
      default: result = begun - 1 &- UInt64(bitPattern: outcome.budget)
      }
    case .exitIf, .exit, .exitIndirect:
      guard op.opcode != .exitIf || a != 0 else { continue }
      outcome.budget -= Int64(op.extra)
      // All exits lead out of the page.
      let isIndirect = op.opcode == .exitIndirect || op.exitFlags.contains(.unchainable) || path == .tlb
      outcome.pc = op.opcode == .exitIndirect ? a : UInt64(bitPattern: op.imm)
      outcome.reason =
        op.exitFlags.contains(.checksBudget) && outcome.budget <= 0
        ? .budget : isIndirect ? .indirectMiss : .unchained
      return outcome
    case .exitWith:
      outcome.budget -= Int64(op.extra)
      outcome.pc = UInt64(bitPattern: op.imm)
      outcome.reason = ExitReason(rawValue: UInt32(op.aux))!
      return outcome
    case .raise:
      let value = raise(UInt64(bitPattern: op.imm), a)
      return value
    default:
      result = arithmetic(op.opcode, a, b, op.type.bits)
    }
    if !op.result.isNone { values[Int(op.result.index)] = result & block.type(of: op.result).mask }
  }
  return outcome
}

func signed(_ value: UInt64, _ bits: Int) -> Int64 {
  Int64(bitPattern: value << UInt64(64 - bits)) >> Int64(64 - bits)
}

/// Ops on one type; operands are zero-extended, the result's bits above the type are of no interest.
private func arithmetic(_ opcode: Opcode, _ a: UInt64, _ b: UInt64, _ bits: Int) -> UInt64 {
  let (sa, sb) = (signed(a, bits), signed(b, bits))
  let shift = b % UInt64(bits)
  func high(_ x: Int128, _ y: Int128) -> UInt64 { UInt64(truncatingIfNeeded: (x * y) >> Int128(bits)) }
  func bitPattern(_ value: Int64) -> UInt64 { UInt64(bitPattern: value) }
  switch opcode {
  case .copy, .zeroExtend, .truncate, .bitcast: return a
  case .add: return a &+ b
  case .sub: return a &- b
  case .mul: return a &* b
  case .mulHighSigned: return high(Int128(sa), Int128(sb))
  case .mulHighUnsigned: return UInt64(truncatingIfNeeded: (UInt128(a) * UInt128(b)) >> UInt128(bits))
  case .mulHighSignedUnsigned: return high(Int128(sa), Int128(b))
  case .divSigned: return sb == 0 ? 0 : sb == -1 ? bitPattern(0 &- sa) : bitPattern(sa / sb)
  case .divUnsigned: return b == 0 ? 0 : a / b
  case .remSigned: return sb == 0 ? a : sb == -1 ? 0 : bitPattern(sa % sb)
  case .remUnsigned: return b == 0 ? a : a % b
  case .and: return a & b
  case .or: return a | b
  case .xor: return a ^ b
  case .andNot: return a & ~b
  case .shiftLeft: return a << shift
  case .shiftRight: return a >> shift
  case .shiftRightArithmetic: return bitPattern(sa >> Int64(shift))
  case .rotateLeft: return shift == 0 ? a : a << shift | a >> (UInt64(bits) - shift)
  case .rotateRight: return shift == 0 ? a : a >> shift | a << (UInt64(bits) - shift)
  case .countLeadingZeros: return UInt64(a.leadingZeroBitCount - (64 - bits))
  case .countTrailingZeros: return UInt64(min(a.trailingZeroBitCount, bits))
  case .populationCount: return UInt64(a.nonzeroBitCount)
  case .byteSwap: return a.byteSwapped >> UInt64(64 - bits)
  default: fatalError("no arithmetic: \(opcode)")
  }
}
