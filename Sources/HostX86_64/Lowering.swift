// Lowering of the ops that shared parts leave to the host, by opcode.

import HostKit
import IR

extension X86_64 {
  @inline(__always)
  public static func lower(_ op: Op, _ lowering: inout Lowering<X86_64>) { lowering.lower(op) }
}

extension Lowering<X86_64> {
  @inline(__always)
  fileprivate mutating func lower(_ op: Op) {
    switch op.opcode {
    case .count:
      let register = allocate()
      assembler.mov(register, op.imm)
      assembler.inc(.qword, Memory(register))
    case .bitcast: lowerBitcast(op)
    case .add: lowerAdd(op)
    case .sub: lowerSubtract(op)
    case .and: lowerCommuting(.and, op)
    case .or: lowerCommuting(.or, op)
    case .xor: lowerCommuting(.xor, op)
    case .andNot: lowerAndNot(op)
    case .mul: lowerMultiply(op)
    case .mulHighSigned, .mulHighUnsigned, .mulHighSignedUnsigned: lowerMultiplyHigh(op)
    case .divSigned, .divUnsigned, .remSigned, .remUnsigned: lowerDivide(op)
    case .shiftLeft, .shiftRight, .shiftRightArithmetic: lowerShift(op)
    case .rotateLeft, .rotateRight: lowerRotate(op)
    case .countLeadingZeros, .countTrailingZeros, .populationCount: lowerCount(op)
    case .byteSwap: lowerByteSwap(op)
    case .compare:
      if values[Int(op.result.index)].place != .compare {
        let register = destination(op.result, avoiding: registersOf(op))
        materializeCompare(Int(position), into: register)
      }
    case .select: op.type.isFloat ? lowerFloatSelect(op) : lowerSelect(op)
    case .signExtend: lowerSignExtend(op)
    case .zeroExtend: lowerZeroExtend(op)
    case .truncate: lowerTruncate(op)
    case .load, .store, .atomic, .compareExchange: lowerAccess(op)
    // Nobody looks at memory while translated code runs but that code.
    case .fence: break
    case .floatAdd, .floatSub, .floatMul, .floatDiv, .floatSqrt, .floatFused, .floatMinimum, .floatMaximum,
      .floatCompare, .floatOrder, .floatToInteger, .floatFromInteger, .floatConvert, .floatSign, .floatBox,
      .floatUnbox:
      lowerFloat(op)
    case .vector: lowerVector(op)
    case .call: lowerCall(op)
    case .nop, .instruction, .const, .retire, .label, .copy, .getRegister, .setRegister, .exitIf, .exit, .exitIndirect,
      .exitWith, .raise:
      preconditionFailure("\(op.opcode) is lowered by a shared part")
    }
  }
}
