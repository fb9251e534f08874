// Lowering of vector operations to SSE up to SSE4.2, which every CPU with BMI2 has, in its AVX form where there is AVX. What
// takes more than a few instructions is left to the reference (`VectorSite`).

import HostKit
import IR

extension Lowering<X86_64> {
  mutating func lowerVector(_ op: Op) {
    usesFloat = true
    guard target.hasVectors else { return unsupported("vectors for a guest without registers of 128 bits") }
    let operation = op.vectorOperation
    switch operation.kind {
    case .zero:
      let result = vectorDestination(op.result)
      assembler.vector(.pxor, result, result)
      noteWritten(result)
    case .choose: lowerFloatSelect(op)
    case .select: lowerBitSelect(op)
    case .splat: lowerSplat(op)
    case .low: lowerLow(op)
    case .insert: lowerInsert(op)
    case .extract: lowerExtract(op)
    case .mask: lowerMask(op)
    case .andNot: lowerPair(op, .pandn, op.b, op.a)
    case .compareGreaterUnsigned where operation.lane != .i64: lowerGreaterUnsigned(op)
    case .table: lowerTable(op)
    case .window: lowerWindow(op)
    case .narrow: lowerNarrow(op)
    case .absolute where operation.lane != .i64: lowerSingle(op, VectorOp.absolute(operation.lane))
    case .widenLowSigned, .widenLowUnsigned, .widenHighSigned, .widenHighUnsigned: lowerWiden(op)
    case .shiftLeft, .shiftRight, .shiftRightArithmetic: lowerVectorShift(op)
    default:
      guard let instruction = VectorOp.instruction(operation) else { return lowerSlowVector(op) }
      lowerPair(op, instruction, op.a, op.b)
    }
  }

  /// By the reference.
  private mutating func lowerSlowVector(_ op: Op) {
    var site = VectorSite(operation: op.vectorOperation, type: op.type)
    for value in [op.a, op.b, op.c] where !value.isNone { observe(value) }
    if !op.a.isNone { site.a = operand(op.a) }
    if !op.b.isNone { site.b = operand(op.b) }
    if !op.c.isNone { site.c = operand(op.c) }
    if op.type.usesVectorRegister {
      let result = vectorDestination(op.result)
      noteWritten(result)
      site.destination = 16 + result.rawValue
    } else {
      site.destination = destination(op.result).rawValue
    }
    emitSlow(~target.vectorSites.count)
    site.resume = UInt32(blockOffset + assembler.count)
    target.vectorSites.append(site)
  }

  // MARK: Vectors from vectors

  private mutating func lowerPair(_ op: Op, _ instruction: VectorOp, _ a: ValueID, _ b: ValueID) {
    let left = vector(a)
    let right = vectorSource(b)
    let result = vectorDestination(
      op.result, reusing: isDying(a) || !target.hasFMA ? a : b, avoiding: avoided(left, right))
    emit(instruction, result, left, right)
    noteWritten(result)
  }

  private mutating func lowerSingle(_ op: Op, _ instruction: VectorOp) {
    let operand = vector(op.a)
    let result = vectorDestination(op.result, reusing: op.a)
    assembler.vector(instruction, result, operand)
    noteWritten(result)
  }

  /// A register for the result that holds `value`, to be changed.
  private mutating func copy(_ value: ValueID, for op: Op, avoiding: VectorSet = VectorSet()) -> VectorRegister {
    let operand = vector(value)
    let result = vectorDestination(op.result, reusing: value, avoiding: avoiding)
    if result != operand { assembler.vector(.movaps, result, operand) }
    noteWritten(result)
    return result
  }

  /// `((b ^ c) & a) ^ c`
  private mutating func lowerBitSelect(_ op: Op) {
    let (mask, other) = (vector(op.a), vector(op.c))
    let result = copy(op.b, for: op, avoiding: VectorSet(mask) | other)
    assembler.vector(.pxor, result, other)
    assembler.vector(.pand, result, mask)
    assembler.vector(.pxor, result, other)
  }

  /// Greater is what the greater of both is not equal to the other.
  private mutating func lowerGreaterUnsigned(_ op: Op) {
    let (maximum, equal): (VectorOp, VectorOp) =
      switch op.vectorOperation.lane {
      case .i8: (.pmaxub, .pcmpeqb)
      case .i16: (.pmaxuw, .pcmpeqw)
      case .i32, .i64: (.pmaxud, .pcmpeqd)
      }
    let other = vector(op.b)
    let result = copy(op.a, for: op, avoiding: VectorSet(other))
    let ones = allocateVector()
    noteWritten(ones)
    assembler.vector(maximum, result, other)
    assembler.vector(equal, result, other)
    assembler.vector(.pcmpeqd, ones, ones)
    assembler.vector(.pxor, result, ones)
  }

  private mutating func lowerTable(_ op: Op) {
    let numbers = vector(op.b)
    let result = copy(op.a, for: op, avoiding: VectorSet(numbers))
    let biased = allocateVector()
    noteWritten(biased)
    assembler.vector(.movaps, biased, numbers)
    assembler.vector(.paddusb, biased, target.constantOperand(.tableBias))
    assembler.vector(.pshufb, result, biased)
  }

  private mutating func lowerWindow(_ op: Op) {
    let low = vector(op.a)
    let result = copy(op.b, for: op, avoiding: VectorSet(low))
    assembler.vector(.palignr, result, low, UInt8(op.vectorOperation.number))
  }

  private mutating func lowerNarrow(_ op: Op) {
    let lane = op.vectorOperation.lane
    let upper = vector(op.b)
    let result = copy(op.a, for: op, avoiding: VectorSet(upper))
    if lane == .i64 { return assembler.vector(.shufps, result, upper, 0x88) }
    let other = allocateVector()
    noteWritten(other)
    assembler.vector(.movaps, other, upper)
    for register in [result, other] {
      assembler.vector(lane == .i16 ? .psllw : .pslld, register, by: UInt8(lane.bits / 2))
      assembler.vector(lane == .i16 ? .psrlw : .psrad, register, by: UInt8(lane.bits / 2))
    }
    assembler.vector(lane == .i16 ? .packuswb : .packssdw, result, other)
  }

  private mutating func lowerWiden(_ op: Op) {
    let operation = op.vectorOperation
    let isSigned = operation.kind == .widenLowSigned || operation.kind == .widenHighSigned
    let instruction: VectorOp =
      switch operation.lane {
      case .i8: isSigned ? .pmovsxbw : .pmovzxbw
      case .i16: isSigned ? .pmovsxwd : .pmovzxwd
      case .i32, .i64: isSigned ? .pmovsxdq : .pmovzxdq
      }
    guard operation.kind == .widenHighSigned || operation.kind == .widenHighUnsigned else {
      return lowerSingle(op, instruction)
    }
    let operand = vector(op.a)
    let result = vectorDestination(op.result, reusing: op.a)
    assembler.vector(.pshufd, result, operand, 0xEE)
    assembler.vector(instruction, result, result)
    noteWritten(result)
  }

  private mutating func lowerVectorShift(_ op: Op) {
    let operation = op.vectorOperation
    guard let shift = VectorShift.instruction(operation) else { return lowerSlowVector(op) }
    assembler.vector(shift, copy(op.a, for: op), by: UInt8(operation.number))
  }

  // MARK: Scalars and vectors

  private mutating func lowerSplat(_ op: Op) {
    let lane = op.vectorOperation.lane
    let source = scalar(op.a, for: op)
    switch lane {
    case .i8:
      let zero = allocateVector()
      noteWritten(zero)
      assembler.vector(.pxor, zero, zero)
      assembler.vector(.pshufb, source.result, zero)
    case .i16:
      assembler.vector(.pshuflw, source.result, source.operand, 0)
      assembler.vector(.pshufd, source.result, source.result, 0)
    case .i32: assembler.vector(.pshufd, source.result, source.operand, 0)
    case .i64: assembler.vector(.pshufd, source.result, source.operand, 0x44)
    }
  }

  /// The result's register, and the one in whose lowest lane the scalar is: the same for an integer.
  private mutating func scalar(_ value: ValueID, for op: Op) -> (result: VectorRegister, operand: VectorRegister) {
    let type = values[Int(value.index)].type
    if type.isFloat {
      observe(value)
      let operand = vector(value)
      let result = vectorDestination(op.result)
      noteWritten(result)
      return (result, operand)
    }
    let operand = register(value)
    let result = vectorDestination(op.result)
    noteWritten(result)
    assembler.mov(type.width, result, operand)
    return (result, result)
  }

  private mutating func lowerLow(_ op: Op) {
    let type = values[Int(op.a.index)].type
    if type == .f32 {
      observe(op.a)
      let operand = vector(op.a)
      let result = vectorDestination(op.result, avoiding: VectorSet(operand))
      noteWritten(result)
      assembler.vector(.xorps, result, result)
      return assembler.vector(.movss, result, operand)
    }
    if type == .i8 || type == .i16 {
      let wide = allocate()
      loadExtended(wide, op.a)
      let result = vectorDestination(op.result)
      noteWritten(result)
      return assembler.mov(.dword, result, wide)
    }
    let (result, operand) = scalar(op.a, for: op)
    if type == .f64 { assembler.vector(.movq, result, operand) }
  }

  private mutating func lowerInsert(_ op: Op) {
    let (lane, number) = (op.vectorOperation.lane, UInt8(op.vectorOperation.number))
    if values[Int(op.b.index)].type.isFloat {
      observe(op.b)
      let operand = vector(op.b)
      let result = copy(op.a, for: op, avoiding: VectorSet(operand))
      if lane == .i32 { return assembler.vector(.insertps, result, operand, number << 4) }
      return assembler.vector(number == 0 ? .movsd : .punpcklqdq, result, operand)
    }
    let operand = register(op.b)
    let result = copy(op.a, for: op)
    switch lane {
    case .i8: assembler.insert(.pinsrb, result, operand, lane: number)
    case .i16: assembler.insert(.pinsrw, result, operand, lane: number)
    case .i32: assembler.insert(.pinsrd, result, operand, lane: number)
    case .i64: assembler.insert(.pinsrd, result, operand, lane: number, width: .qword)
    }
  }

  private mutating func lowerExtract(_ op: Op) {
    let (lane, number) = (op.vectorOperation.lane, UInt8(op.vectorOperation.number))
    let operand = vector(op.a)
    if op.type.isFloat {
      let result = vectorDestination(op.result)
      let order = lane == .i32 ? number : number == 0 ? 0x44 : 0xEE
      assembler.vector(.pshufd, result, operand, order)
      if op.type == .f32, target.boxesSingles { assembler.vector(.orps, result, target.constantOperand(.box)) }
      return noteWritten(result)
    }
    let result = destination(op.result)
    switch lane {
    case .i8: assembler.extract(.pextrb, result, operand, lane: number)
    case .i16: assembler.extract(.pextrw, result, operand, lane: number)
    case .i32: assembler.extract(.pextrd, result, operand, lane: number)
    case .i64: assembler.extract(.pextrd, result, operand, lane: number, width: .qword)
    }
  }

  private mutating func lowerMask(_ op: Op) {
    let operand = vector(op.a)
    let result = destination(op.result)
    switch op.vectorOperation.lane {
    case .i8: assembler.mask(.pmovmskb, result, operand)
    case .i16:
      let bytes = allocateVector()
      noteWritten(bytes)
      assembler.vector(.movaps, bytes, operand)
      assembler.vector(.packsswb, bytes, bytes)
      assembler.mask(.pmovmskb, result, bytes)
      assembler.movzx(from: .byte, result, result)
    case .i32: assembler.mask(.movmskps, result, operand)
    case .i64: assembler.mask(.movmskpd, result, operand)
    }
  }
}

extension VectorOp {
  fileprivate static func absolute(_ lane: Lane) -> VectorOp {
    lane == .i8 ? .pabsb : lane == .i16 ? .pabsw : .pabsd
  }

  /// The one instruction for an operation on two vectors, if there is one.
  fileprivate static func instruction(_ operation: VectorOperation) -> VectorOp? {
    let byLane: [VectorOp?] =
      switch operation.kind {
      case .and: [nil, nil, nil, .pand]
      case .or: [nil, nil, nil, .por]
      case .xor: [nil, nil, nil, .pxor]
      case .add: [.paddb, .paddw, .paddd, .paddq]
      case .sub: [.psubb, .psubw, .psubd, .psubq]
      case .mul: [nil, .pmullw, .pmulld, nil]
      case .minSigned: [.pminsb, .pminsw, .pminsd, nil]
      case .maxSigned: [.pmaxsb, .pmaxsw, .pmaxsd, nil]
      case .minUnsigned: [.pminub, .pminuw, .pminud, nil]
      case .maxUnsigned: [.pmaxub, .pmaxuw, .pmaxud, nil]
      case .addSaturatingSigned: [.paddsb, .paddsw, nil, nil]
      case .addSaturatingUnsigned: [.paddusb, .paddusw, nil, nil]
      case .subSaturatingSigned: [.psubsb, .psubsw, nil, nil]
      case .subSaturatingUnsigned: [.psubusb, .psubusw, nil, nil]
      case .average: [.pavgb, .pavgw, nil, nil]
      case .compareEqual: [.pcmpeqb, .pcmpeqw, .pcmpeqd, .pcmpeqq]
      case .compareGreaterSigned: [.pcmpgtb, .pcmpgtw, .pcmpgtd, .pcmpgtq]
      case .interleaveLow: [.punpcklbw, .punpcklwd, .punpckldq, .punpcklqdq]
      case .interleaveHigh: [.punpckhbw, .punpckhwd, .punpckhdq, .punpckhqdq]
      case .narrowSaturatingSigned: [nil, .packsswb, .packssdw, nil]
      case .narrowSaturatingUnsigned: [nil, .packuswb, .packusdw, nil]
      default: [nil, nil, nil, nil]
      }
    return byLane[Int(operation.lane.rawValue)]
  }
}

extension VectorShift {
  fileprivate static func instruction(_ operation: VectorOperation) -> VectorShift? {
    let byLane: [VectorShift?] =
      switch operation.kind {
      case .shiftLeft: [nil, .psllw, .pslld, .psllq]
      case .shiftRight: [nil, .psrlw, .psrld, .psrlq]
      default: [nil, .psraw, .psrad, nil]
      }
    return byLane[Int(operation.lane.rawValue)]
  }
}
