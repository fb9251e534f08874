// Lowering of conversions, and of what moves floating-point values: guest registers, bit casts, NaN boxes, selects.

import HostKit
import IR

extension Lowering<X86_64> {
  // MARK: Integers

  mutating func lowerToInteger(_ op: Op) {
    let source = values[Int(op.a.index)].type
    let isDouble = source == .f64
    let operand = vector(op.a)
    var site = FloatSite(
      operation: FloatOperation(op, source: source), a: SiteOperand(.vector(operand), source))
    let truncates = op.floatControl.rounding == .towardZero
    let conversion: ConvertToInteger =
      truncates ? (isDouble ? .cvttsd2si : .cvttss2si) : (isDouble ? .cvtsd2si : .cvtss2si)
    let label = assembler.makeLabel()
    let result = destination(op.result)
    site.destination = result.rawValue
    if op.floatControl.isUnsigned {
      // Out of range, the 64-bit conversion might succeed, inexactly: such operands must not come to it.
      let bits = allocate()
      if isDouble {
        assembler.mov(.qword, bits, operand)
        assembler.alu(.cmp, .qword, bits, target.constantOperand(op.type == .i32 ? .limit32 : .limit64))
      } else {
        assembler.mov(.dword, bits, operand)
        assembler.alu(.cmp, .dword, bits, op.type == .i32 ? 0x4F7F_FFFF : 0x5EFF_FFFF)
      }
      assembler.jcc(.a, label)
      assembler.convert(conversion, .qword, result, operand)
    } else {
      assembler.convert(conversion, op.type.width, result, operand)
      // What does not fit gives the least integer, the only one from which 1 cannot be taken.
      assembler.alu(.cmp, op.type.width, result, 1)
      assembler.jcc(.o, label)
    }
    addSlow(label, site)
  }

  mutating func lowerFromInteger(_ op: Op) {
    let source = values[Int(op.a.index)].type
    let isUnsigned = op.floatControl.isUnsigned
    let conversion: ConvertFromInteger = op.type == .f64 ? .cvtsi2sd : .cvtsi2ss
    var operand = register(op.a)
    let result = vectorDestination(op.result)
    var slow: Label?
    if isUnsigned && source == .i32 {
      let wide = allocate()
      assembler.movzx(from: .dword, wide, operand)
      operand = wide
    } else if isUnsigned {
      let label = assembler.makeLabel()
      assembler.test(.qword, operand, operand)
      assembler.jcc(.s, label)
      slow = label
    }
    clear(result, op.type)
    noteWritten(result)
    assembler.convert(conversion, isUnsigned ? .qword : source.width, result, operand)
    if let slow {
      addSlow(
        slow,
        FloatSite(
          operation: FloatOperation(op, source: source), a: SiteOperand(.register(operand), source),
          destination: 16 + result.rawValue))
    }
  }

  /// Ends what `register` depends on before a part of it is written; that of an f32 becomes a box.
  private mutating func clear(_ register: VectorRegister, _ type: Type) {
    assembler.vector(type == .f64 ? .xorps : .pcmpeqd, register, register)
  }

  // MARK: The other format

  mutating func lowerConvert(_ op: Op) {
    let operand = vector(op.a)
    if op.floatControl.needsExactOperands {
      let result = vectorDestination(op.result, avoiding: VectorSet(operand))
      clear(result, op.type)
      noteWritten(result)
      let isWidening = op.type == .f64
      assembler.vector(isWidening ? .cvtss2sd : .cvtsd2ss, result, operand)
      let source: Type = isWidening ? .f32 : .f64
      var site = FloatSite(operation: FloatOperation(op, source: source), a: SiteOperand(.vector(operand), source))
      return checkResult(result, op, &site, mayUnderflow: !isWidening)
    }
    let source = self.result(op.a)
    let result = vectorDestination(op.result, avoiding: VectorSet(operand))
    clear(result, op.type)
    assembler.vector(op.type == .f64 ? .cvtss2sd : .cvtsd2ss, result, operand)
    addResult(result, op.type, from: source)
  }

  /// In a register, an f32 is boxed already.
  mutating func lowerBox(_ op: Op) {
    guard values[Int(op.a.index)].place == .constant else { return aliasVector(op.result, op.a) }
    loadInto(vectorDestination(op.result), op.a.index)
  }

  mutating func lowerUnbox(_ op: Op) {
    observe(op.a)
    let state = values[Int(op.a.index)]
    let label = assembler.makeLabel()
    let result: VectorRegister
    switch state.place {
    case .state, .spill:
      let upper =
        state.place == .state
        ? ABI.state(registers[Int(state.slot)].offset + 4) : Memory(.rsp, Int32(state.slot) * 8 + 4)
      result = vectorDestination(op.result)
      loadInto(result, op.a.index)
      assembler.alu(.cmp, .dword, upper, -1)
    default:
      let operand = vector(op.a)
      let upper = allocate()
      // In a register of its own, since the guest register keeps what is no box.
      result = vectorDestination(op.result, avoiding: VectorSet(operand))
      assembler.vector(.movaps, result, operand)
      assembler.extract(.pextrd, upper, operand, lane: 1)
      assembler.alu(.cmp, .dword, upper, -1)
    }
    noteWritten(result)
    assembler.jcc(.ne, label)
    target.floatCold.append(FloatColdPart(kind: .unboxed, label: label, resume: assembler.count, register: result))
  }

  // MARK: Moves

  mutating func lowerBitcast(_ op: Op) {
    let source = values[Int(op.a.index)].type
    guard source.isFloat != op.type.isFloat else {
      return source.isFloat ? aliasVector(op.result, op.a) : alias(op.result, op.a)
    }
    let state = values[Int(op.a.index)]
    if state.place == .constant || state.place == .state && op.type != .f32 { return alias(op.result, op.a) }
    if op.type.isFloat {
      let operand = register(op.a)
      let result = vectorDestination(op.result)
      noteWritten(result)
      target.move(op.type, result, operand)
    } else {
      observe(op.a)
      let operand = vector(op.a)
      assembler.mov(op.type.width, destination(op.result), operand)
    }
  }

  mutating func lowerFloatSelect(_ op: Op) {
    if let known = constant(op.a) { return aliasVector(op.result, known != 0 ? op.b : op.c) }
    observe(op.b)
    observe(op.c)
    let chosen = vector(op.b)
    let other = vector(op.c)
    let result = vectorDestination(op.result, reusing: op.c, avoiding: VectorSet(chosen))
    if result != other { assembler.vector(.movaps, result, other) }
    noteWritten(result)
    let over = assembler.shortJcc(emitCondition(op.a).inverted)
    assembler.vector(.movaps, result, chosen)
    assembler.land(over)
  }
}
