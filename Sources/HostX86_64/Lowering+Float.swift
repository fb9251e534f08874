// Lowering of floating-point arithmetic to scalar SSE instructions, or AVX and FMA where the CPU has them.
//
// x86 rounds, and detects tininess after rounding, as IEEE 754 guests expect; it differs in the NaN it delivers, and in
// details named where they are dealt with. What differs is found out in line and put right in the cold parts.

import HostKit
import IR

/// A part of a block, behind its end, that puts a floating-point result right.
struct FloatColdPart {
  enum Kind {
    /// A result is a NaN: make those in the registers of `mask` canonical.
    case nan
    /// Carry out operation number `site` by other means.
    case slow
    /// The operands of an order are unordered: 2 goes to `integer`.
    case unordered
    /// The operands of a minimum or maximum are equal or unordered; the latter go to operation number `site`.
    case minimum, maximum
    /// What should be a NaN-boxed f32 is not.
    case unboxed
  }
  var kind: Kind
  var label: Label
  /// Where to go on: an offset in the block.
  var resume: Int
  var register = VectorRegister.xmm0
  var integer = Register.rax
  var mask = NaNMask()
  var site = 0
  /// The operands of a minimum or maximum.
  var operands = (VectorRegister.xmm0, VectorRegister.xmm0)
}

extension Lowering<X86_64> {
  mutating func lowerFloat(_ op: Op) {
    usesFloat = true
    guard target.floatEnvironment != nil else { return unsupported("floating point for this guest") }
    let control = op.floatControl
    let isHostMode = control.rounding == .dynamic
    if control.flushesSubnormals { return lowerSlowFloat(op) }
    switch op.opcode {
    case .floatAdd where isHostMode: lowerArithmetic(op, .addsd, .addss, commutes: true)
    case .floatSub where isHostMode: lowerArithmetic(op, .subsd, .subss)
    case .floatMul where isHostMode: lowerArithmetic(op, .mulsd, .mulss, commutes: true)
    case .floatDiv where isHostMode: lowerArithmetic(op, .divsd, .divss)
    case .floatSqrt where isHostMode: lowerSquareRoot(op)
    case .floatFused where isHostMode && target.hasFMA: lowerFused(op)
    case .floatMinimum: lowerMinimum(op, .minimum, op.type == .f64 ? .minsd : .minss)
    case .floatMaximum: lowerMinimum(op, .maximum, op.type == .f64 ? .maxsd : .maxss)
    case .floatCompare: lowerFloatCompare(op)
    case .floatOrder: lowerOrder(op)
    case .floatToInteger where isHostMode || control.rounding == .towardZero: lowerToInteger(op)
    case .floatFromInteger where isHostMode || isExact(op): lowerFromInteger(op)
    case .floatConvert where isHostMode || op.type == .f64: lowerConvert(op)
    case .floatSign: lowerSign(op)
    case .floatBox: lowerBox(op)
    case .floatUnbox: lowerUnbox(op)
    default: lowerSlowFloat(op)
    }
  }

  /// Whether every integer of the operand's type is a number of the result's.
  @inline(__always)
  private func isExact(_ op: Op) -> Bool { op.type == .f64 && values[Int(op.a.index)].type == .i32 }

  // MARK: Emitting

  /// `destination = left op right`. Without AVX, `right` must not be in `destination` unless `left` is too.
  mutating func emit(
    _ operation: VectorOp, _ destination: VectorRegister, _ left: VectorRegister, _ right: VectorSource
  ) {
    if target.hasFMA {
      switch right {
      case .register(let right): assembler.vector3(operation, destination, left, right)
      case .memory(let memory): assembler.vector3(operation, destination, left, memory)
      }
      return
    }
    if destination != left { assembler.vector(.movaps, destination, left) }
    switch right {
    case .register(let right): assembler.vector(operation, destination, right)
    case .memory(let memory): assembler.vector(operation, destination, memory)
    }
  }

  /// What the destination must not be for `emit` to be right.
  @inline(__always)
  func avoided(_ left: VectorRegister, _ right: VectorSource) -> VectorSet {
    guard !target.hasFMA, case .register(let right) = right, right != left else { return VectorSet() }
    return VectorSet(right)
  }

  @inline(__always)
  func isDying(_ value: ValueID) -> Bool { values[Int(value.index)].lastUse == position }

  // MARK: Arithmetic

  private mutating func lowerArithmetic(_ op: Op, _ double: VectorOp, _ single: VectorOp, commutes: Bool = false) {
    if op.floatControl.needsExactOperands { return lowerPropagating(op, double, single) }
    var (a, b) = (op.a, op.b)
    if commutes, values[Int(a.index)].place != .vector, values[Int(b.index)].place == .vector { (a, b) = (b, a) }
    let left = vector(a)
    let right = vectorSource(b)
    let (first, second) = (self.result(a), self.result(b))
    let result = vectorDestination(
      op.result, reusing: isDying(a) || !target.hasFMA ? a : b, avoiding: avoided(left, right))
    emit(op.type == .f64 ? double : single, result, left, right)
    addResult(result, op.type, from: first, second)
  }

  /// With operands kept, so that the operation can be carried out again where x86 does it otherwise.
  private mutating func lowerPropagating(_ op: Op, _ double: VectorOp, _ single: VectorOp) {
    let left = vector(op.a)
    let right = vector(op.b)
    var operands = VectorSet(left)
    operands.insert(right)
    let result = vectorDestination(op.result, avoiding: operands)
    emit(op.type == .f64 ? double : single, result, left, .register(right))
    noteWritten(result)
    var site = FloatSite(operation: FloatOperation(op, source: op.type))
    site.a = SiteOperand(.vector(left), op.type)
    site.b = SiteOperand(.vector(right), op.type)
    checkResult(result, op, &site, mayUnderflow: op.opcode == .floatMul || op.opcode == .floatDiv)
  }

  /// Has a NaN, and what may have been tiny before it was rounded, computed again by other means. A sum that is tiny is
  /// exact, and a root is never tiny.
  mutating func checkResult(
    _ result: VectorRegister, _ op: Op, _ site: inout FloatSite, mayUnderflow: Bool
  ) {
    let isDouble = op.type == .f64
    let label = assembler.makeLabel()
    site.destination = 16 + result.rawValue
    let control = op.floatControl
    let compare: VectorOp = isDouble ? .ucomisd : .ucomiss
    if !mayUnderflow || !control.isTinyBeforeRounding {
      assembler.vector(compare, result, result)
      assembler.jcc(.p, label)
    } else {
      // The least normal number is what a tiny one can be rounded to; unordered operands compare equal, too.
      let least = target.constantOperand(isDouble ? .leastDouble : .leastSingle)
      if freeVectors.isEmpty {
        assembler.vector(compare, result, least)
        assembler.jcc(.e, label)
        assembler.vector(
          compare, result, target.constantOperand(isDouble ? .negativeLeastDouble : .negativeLeastSingle))
      } else {
        let magnitude = allocateVector()
        noteWritten(magnitude)
        emit(.andps, magnitude, result, .memory(target.constantOperand(isDouble ? .magnitudeDouble : .magnitudeSingle)))
        assembler.vector(compare, magnitude, least)
      }
      assembler.jcc(.e, label)
    }
    addSlow(label, site)
  }

  private mutating func lowerSquareRoot(_ op: Op) {
    if op.floatControl.needsExactOperands {
      let operand = vector(op.a)
      let result = vectorDestination(op.result, avoiding: VectorSet(operand))
      emit(op.type == .f64 ? .sqrtsd : .sqrtss, result, operand, .register(operand))
      noteWritten(result)
      var site = FloatSite(operation: FloatOperation(op, source: op.type), a: SiteOperand(.vector(operand), op.type))
      return checkResult(result, op, &site, mayUnderflow: false)
    }
    let operand = vector(op.a)
    let source = self.result(op.a)
    let result = vectorDestination(op.result, reusing: op.a)
    let operation: VectorOp = op.type == .f64 ? .sqrtsd : .sqrtss
    if target.hasFMA {
      assembler.vector3(operation, result, operand, operand)
    } else {
      // The upper part of the operand goes along: it may be a box.
      if result != operand { assembler.vector(.movaps, result, operand) }
      assembler.vector(operation, result, result)
    }
    addResult(result, op.type, from: source)
  }

  /// A quiet NaN added to infinity times zero is no invalid operation for x86, but is for IEEE 754's recommendation that
  /// guests follow: whenever the result is a NaN, the factors are looked at again.
  private mutating func lowerFused(_ op: Op) {
    let control = op.floatControl
    let first = vector(op.a)
    let second = vector(op.b)
    var factors = VectorSet(first)
    factors.insert(second)
    var site = FloatSite(
      operation: FloatOperation(op, source: op.type), a: SiteOperand(.vector(first), op.type),
      b: SiteOperand(.vector(second), op.type))
    let keepsAddend = control.needsExactOperands
    let addend = keepsAddend ? .register(vector(op.c)) : vectorSource(op.c)
    if case .register(let register) = addend, keepsAddend {
      factors.insert(register)
      site.c = SiteOperand(.vector(register), op.type)
    }
    let result = vectorDestination(op.result, reusing: op.c, avoiding: factors)
    switch addend {
    case .register(let register): if register != result { assembler.vector(.movaps, result, register) }
    case .memory: loadInto(result, op.c.index)
    }
    noteWritten(result)
    let operation: FusedOp =
      switch (control.negatesProduct, control.negatesAddend) {
      case (false, false): .vfmadd231
      case (false, true): .vfmsub231
      case (true, false): .vfnmadd231
      case (true, true): .vfnmsub231
      }
    assembler.fused(operation, isDouble: op.type == .f64, result, first, second)
    if keepsAddend { return checkResult(result, op, &site, mayUnderflow: true) }
    assembler.vector(op.type == .f64 ? .ucomisd : .ucomiss, result, result)
    let label = assembler.makeLabel()
    assembler.jcc(.p, label)
    // The NaN delivered stands for the addend: a signalling one has been noticed.
    site.c = SiteOperand(.vector(result), op.type)
    site.destination = 16 + result.rawValue
    addSlow(label, site)
  }

  /// `minsd` and its kin take the second operand when both are zero or one is a NaN.
  private mutating func lowerMinimum(_ op: Op, _ kind: FloatColdPart.Kind, _ operation: VectorOp) {
    let first = vector(op.a)
    let second = vector(op.b)
    var operands = VectorSet(first)
    operands.insert(second)
    let result = vectorDestination(op.result, avoiding: operands)
    let label = assembler.makeLabel()
    assembler.vector(op.type == .f64 ? .ucomisd : .ucomiss, first, second)
    assembler.jcc(.e, label)
    emit(operation, result, first, .register(second))
    noteWritten(result)
    target.floatSites.append(
      FloatSite(
        operation: FloatOperation(op, source: op.type), a: SiteOperand(.vector(first), op.type),
        b: SiteOperand(.vector(second), op.type), destination: 16 + result.rawValue,
        resume: UInt32(blockOffset + assembler.count)))
    var part = FloatColdPart(kind: kind, label: label, resume: assembler.count, register: result)
    part.site = target.floatSites.count - 1
    part.operands = (first, second)
    target.floatCold.append(part)
  }

  private mutating func lowerFloatCompare(_ op: Op) {
    let isDouble = op.type == .f64
    let first = vector(op.a)
    guard op.floatControl.relation != .equal else {
      let right = vectorSource(op.b)
      let mask = allocateVector()
      noteWritten(mask)
      assembler.vector(.movaps, mask, first)
      // Predicate 0: equal, ordered, quiet.
      switch right {
      case .register(let right): assembler.vector(isDouble ? .cmpsd : .cmpss, mask, right, 0)
      case .memory(let memory): assembler.vector(isDouble ? .cmpsd : .cmpss, mask, memory, 0)
      }
      let result = destination(op.result)
      assembler.mov(.dword, result, mask)
      assembler.alu(.and, .dword, result, 1)
      return
    }
    // Compared the other way round, unordered operands make neither condition hold.
    let second = vector(op.b)
    let result = destination(op.result)
    assembler.zero(result)
    assembler.vector(isDouble ? .comisd : .comiss, second, first)
    assembler.setcc(op.floatControl.relation == .less ? .a : .ae, result)
  }

  private mutating func lowerOrder(_ op: Op) {
    let isDouble = values[Int(op.a.index)].type == .f64
    let first = vector(op.a)
    let second = vectorSource(op.b)
    let result = destination(op.result)
    assembler.zero(result)
    let operation: VectorOp =
      op.floatControl.signalsQuietNaN ? (isDouble ? .comisd : .comiss) : (isDouble ? .ucomisd : .ucomiss)
    switch second {
    case .register(let second): assembler.vector(operation, first, second)
    case .memory(let second): assembler.vector(operation, first, second)
    }
    let label = assembler.makeLabel()
    assembler.jcc(.p, label)
    // Less is the carry alone, greater neither carry nor zero.
    assembler.setcc(.a, result)
    assembler.alu(.sbb, .dword, result, 0)
    var part = FloatColdPart(kind: .unordered, label: label, resume: assembler.count)
    part.integer = result
    target.floatCold.append(part)
  }

  private mutating func lowerSign(_ op: Op) {
    let isDouble = op.type == .f64
    let sign = target.constantOperand(isDouble ? .signDouble : .signSingle)
    let magnitude = target.constantOperand(isDouble ? .magnitudeDouble : .magnitudeSingle)
    let kind = op.floatControl.sign
    if op.a == op.b && kind == .copy { return aliasVector(op.result, op.a) }
    observe(op.a)
    let first = vector(op.a)
    if op.a == op.b {
      let result = vectorDestination(op.result, reusing: op.a)
      emit(
        kind == .copyNegated ? .xorps : .andps, result, first, .memory(kind == .copyNegated ? sign : magnitude))
      return noteWritten(result)
    }
    observe(op.b)
    let second = vector(op.b)
    let bit = allocateVector()
    noteWritten(bit)
    emit(kind == .copyNegated ? .andnps : .andps, bit, second, .memory(sign))
    let result = vectorDestination(op.result, reusing: op.a, avoiding: VectorSet(bit))
    if kind == .exclusiveOr {
      emit(.xorps, result, first, .register(bit))
    } else {
      emit(.andps, result, first, .memory(magnitude))
      assembler.vector(.orps, result, bit)
    }
    noteWritten(result)
  }

  // MARK: The slow way

  /// Any operation, by the SoftFloat module.
  private mutating func lowerSlowFloat(_ op: Op) {
    var site = FloatSite(operation: FloatOperation(op, source: values[Int(op.a.index)].type))
    site.a = operand(op.a)
    if !op.b.isNone { site.b = operand(op.b) }
    if !op.c.isNone { site.c = operand(op.c) }
    let isFloat = op.type.isFloat && op.opcode != .floatCompare
    if isFloat {
      let result = vectorDestination(op.result)
      noteWritten(result)
      site.destination = 16 + result.rawValue
    } else {
      site.destination = destination(op.result).rawValue
    }
    emitSlow(target.floatSites.count)
    site.resume = UInt32(blockOffset + assembler.count)
    target.floatSites.append(site)
  }

  mutating func operand(_ value: ValueID) -> SiteOperand {
    SiteOperand(home(of: value), values[Int(value.index)].type)
  }

  mutating func emitSlow(_ site: Int) {
    assembler.push(Int32(truncatingIfNeeded: site))
    assembler.jmp(toAddress: trampoline(target.trampolines.slowFloat))
  }

  /// Adds a cold part, at `label`, that carries out `site` and goes on here.
  mutating func addSlow(_ label: Label, _ described: FloatSite) {
    var site = described
    site.resume = UInt32(blockOffset + assembler.count)
    var part = FloatColdPart(kind: .slow, label: label, resume: assembler.count)
    part.site = target.floatSites.count
    target.floatCold.append(part)
    target.floatSites.append(site)
  }

  // MARK: Cold parts

  mutating func emitFloatColdParts() {
    for index in 0..<target.floatCold.count {
      let part = target.floatCold[index]
      assembler.bind(part.label)
      switch part.kind {
      case .nan:
        emitCanonicalization(part)
        continue
      case .unboxed:
        assembler.vector(.movsd, part.register, target.constantOperand(.nanSingle))
      case .slow:
        emitSlow(part.site)
        continue
      case .unordered: assembler.mov(part.integer, 2)
      case .minimum, .maximum:
        // Equal operands differ in the sign of zero alone.
        let ordered = assembler.shortJcc(.np)
        emitSlow(part.site)
        assembler.land(ordered)
        emit(part.kind == .minimum ? .orps : .andps, part.register, part.operands.0, .register(part.operands.1))
      }
      assembler.jmp(toAddress: assembler.address + UInt64(part.resume))
    }
  }
}
