// Lowering of the ops that shared parts leave to the host: integer arithmetic, comparisons, extensions, accesses to the window.

import HostKit
import IR

extension AArch64 {
  public static func lower(_ op: Op, _ lowering: inout Lowering<AArch64>) { lowering.lower(op) }
}

extension Lowering<AArch64> {
  fileprivate mutating func lower(_ op: Op) {
    switch op.opcode {
    case .add: lowerSum(op)
    case .sub: lowerSum(op)
    case .and: lowerLogic(op, .and)
    case .or: lowerLogic(op, .orr)
    case .xor: lowerLogic(op, .eor)
    case .shiftLeft, .shiftRight, .shiftRightArithmetic: lowerShift(op)
    case .compare:
      if values[Int(op.result.index)].place != .compare {
        let condition = emitCompare(Int(position))
        target.assembler.cset(destination(op.result), condition)
      }
    case .signExtend, .zeroExtend, .truncate: lowerExtension(op)
    case .load, .store: lowerAccess(op)
    // Nobody looks at memory while translated code runs but that code.
    case .fence: break
    default: unsupported("\(op.opcode) on the AArch64 host, which is a skeleton")
    }
  }

  // MARK: Arithmetic

  private mutating func lowerSum(_ op: Op) {
    let isSum = op.opcode == .add
    let (a, b) = isSum && constant(op.a) != nil ? (op.b, op.a) : (op.a, op.b)
    let left = register(a)
    if let amount = constant(b), Assembler.isShort(amount) {
      target.assembler.add(
        destination(op.result, reusing: a), left, Int(isSum ? amount : -amount), wide: op.type.isWide)
      return
    }
    let right = register(b)
    let result = destination(op.result, reusing: a)
    if isSum {
      target.assembler.add(result, left, right, wide: op.type.isWide)
    } else {
      target.assembler.sub(result, left, right, wide: op.type.isWide)
    }
  }

  private mutating func lowerLogic(_ op: Op, _ kind: Logic) {
    let (left, right) = (register(op.a), register(op.b))
    target.assembler.logic(kind, destination(op.result, reusing: op.a), left, right, wide: op.type.isWide)
  }

  private mutating func lowerShift(_ op: Op) {
    var (left, amount) = (register(op.a), register(op.b))
    let bits = op.type.bits
    if bits < 32 {
      // The amount counts modulo the width, and what comes in from above must be the sign or zero.
      target.assembler.ubfx(ABI.otherScratch, amount, shift: 0, bits: bits.trailingZeroBitCount)
      amount = ABI.otherScratch
      if op.opcode != .shiftLeft {
        let signed = op.opcode == .shiftRightArithmetic
        target.assembler.extract(ABI.scratch, left, bits: bits, signed: signed, wide: false)
        left = ABI.scratch
      }
    }
    let kind: VariableShift = op.opcode == .shiftLeft ? .lslv : op.opcode == .shiftRight ? .lsrv : .asrv
    target.assembler.shift(kind, destination(op.result, reusing: op.a), left, by: amount, wide: op.type.isWide)
  }

  // MARK: Comparisons

  /// Sets the flags by comparison op number `index` and returns the condition under which it holds.
  mutating func emitCompare(_ index: Int) -> ConditionCode {
    let op = ops[index]
    var left = register(op.a)
    if op.type.bits >= 32, let amount = constant(op.b), Assembler.isShort(amount) {
      target.assembler.subs(.zero, left, Int(amount), wide: op.type.isWide)
      return op.condition.code
    }
    var right = register(op.b)
    if op.type.bits < 32 {
      let signed = op.condition.isSigned
      target.assembler.extract(ABI.scratch, left, bits: op.type.bits, signed: signed, wide: false)
      target.assembler.extract(ABI.otherScratch, right, bits: op.type.bits, signed: signed, wide: false)
      (left, right) = (ABI.scratch, ABI.otherScratch)
    }
    target.assembler.cmp(left, right, wide: op.type.isWide)
    return op.condition.code
  }

  /// Sets the flags by truth value `value` and returns the condition under which it is 1.
  mutating func emitCondition(_ value: ValueID) -> ConditionCode {
    let state = values[Int(value.index)]
    if state.place == .compare { return emitCompare(Int(state.immediate)) }
    target.assembler.testLowest(register(value))
    return .ne
  }

  // MARK: Extensions

  private mutating func lowerExtension(_ op: Op) {
    let from = values[Int(op.a.index)].type
    if let known = constant(op.a) {
      switch op.opcode {
      case .zeroExtend: return setConstant(op.result, Int64(bitPattern: UInt64(bitPattern: known) & from.mask))
      case .signExtend where from == .i1: return setConstant(op.result, -known)
      default: return setConstant(op.result, known)
      }
    }
    if op.opcode == .truncate && op.type != .i1 || from.bits >= op.type.bits && op.opcode != .truncate {
      return alias(op.result, op.a)
    }
    let operand = register(op.a)
    let result = destination(op.result, reusing: op.a)
    let bits = op.opcode == .truncate ? 1 : from.bits
    target.assembler.extract(
      result, operand, bits: bits, signed: op.opcode == .signExtend, wide: op.opcode == .signExtend && op.type.isWide)
  }

  // MARK: Memory

  /// An access to the window, after a comparison with its size if addresses may exceed it. What is outside ends in a trap.
  private mutating func lowerAccess(_ op: Op) {
    let access = op.access
    guard dataPath == .window, !access.bigEndian, access.space == .current, !access.aligned || access.size == 1,
      access.size <= 8, !op.type.isFloat, Assembler.isShort(op.imm)
    else { return unsupported("this memory access on the AArch64 host, which is a skeleton") }
    let base = register(op.a)
    let isWide = values[Int(op.a.index)].type == .i64
    let value = op.opcode == .store ? register(op.b) : destination(op.result)
    if isWide {
      let outside = target.assembler.makeLabel()
      target.assembler.transfer(.ldr, ABI.scratch, ABI.state, StateOffset.windowLimit)
      target.assembler.cmp(base, ABI.scratch, wide: true)
      target.assembler.b(.hs, outside)
      cold.append(ColdPart(.outside, outside, argument: 0))
    }
    var index = base
    if op.imm != 0 {
      target.assembler.add(ABI.scratch, base, Int(op.imm), wide: isWide)
      index = ABI.scratch
    }
    target.assembler.transfer(transfer(op), value, ABI.window, index: index, wide: isWide)
  }

  private func transfer(_ op: Op) -> Transfer {
    let (isLoad, signed) = (op.opcode == .load, op.access.signed)
    return switch op.access.size {
    case 1: isLoad ? (signed ? .ldrsb : .ldrb) : .strb
    case 2: isLoad ? (signed ? .ldrsh : .ldrh) : .strh
    case 4: isLoad ? (signed ? .ldrsw : .ldrw) : .strw
    default: isLoad ? .ldr : .str
    }
  }
}

extension Condition {
  fileprivate var isSigned: Bool {
    switch self {
    case .lessSigned, .greaterEqualSigned, .lessEqualSigned, .greaterSigned: true
    default: false
    }
  }

  fileprivate var code: ConditionCode {
    switch self {
    case .equal: .eq
    case .notEqual: .ne
    case .lessSigned: .lt
    case .greaterEqualSigned: .ge
    case .lessEqualSigned: .le
    case .greaterSigned: .gt
    case .lessUnsigned: .lo
    case .greaterEqualUnsigned: .hs
    case .lessEqualUnsigned: .ls
    case .greaterUnsigned: .hi
    }
  }
}
