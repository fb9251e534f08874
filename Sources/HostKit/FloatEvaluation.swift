// Owns the meaning of floating-point ops: what the interpreter does for each, and other hosts where their own
// instructions differ.

import IR
import SoftFloat

/// A floating-point op without its operands, in 64 bits: bits 0–15 ``FloatControl``, 16–23 the ``Opcode``, 24–31 its
/// type, 32–39 the type of its first operand.
public struct FloatOperation: RawRepresentable, Sendable, BitwiseCopyable {
  public var rawValue: UInt64
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  @inlinable public init(_ op: Op, source: Type) {
    rawValue =
      UInt64(op.aux) | UInt64(op.opcode.rawValue) << 16 | UInt64(op.type.rawValue) << 24
      | UInt64(source.rawValue) << 32
  }
  @inlinable public var control: FloatControl { FloatControl(rawValue: UInt16(truncatingIfNeeded: rawValue)) }
  @inlinable public var opcode: Opcode { Opcode(rawValue: UInt8(truncatingIfNeeded: rawValue >> 16)) ?? .nop }
  @inlinable public var type: Type { Type(rawValue: UInt8(truncatingIfNeeded: rawValue >> 24)) ?? .none }
  @inlinable public var source: Type { Type(rawValue: UInt8(truncatingIfNeeded: rawValue >> 32)) ?? .none }

  /// The type of the result.
  @inlinable public var result: Type { opcode == .floatCompare ? .i1 : type }

  /// Carries the operation out in the environment that `state` holds, and adds to its flags. The host's own rounding
  /// mode must be to nearest even.
  ///
  /// - Returns: the bits of the result, zero-extended.
  public func evaluate(
    _ a: UInt64, _ b: UInt64, _ c: UInt64, _ state: VCPUState, _ environment: FloatEnvironment
  ) -> UInt64 {
    let mode =
      control.rounding == .dynamic
      ? state.load(environment.rounding, as: UInt8.self) : UInt8(truncatingIfNeeded: control.rounding.rawValue)
    var status = FloatStatus(
      rounding: RoundingMode(rawValue: mode) ?? .nearestEven,
      flags: ExceptionFlags(rawValue: state.load(environment.flags, as: UInt8.self)))
    // Ops that use these bits of `control` for something else have no use for NaN policy, tininess and subnormals.
    status.nanPolicy = control.propagatesNaN ? .signalingFirst : .canonical
    status.tininess = control.isTinyBeforeRounding ? .beforeRounding : .afterRounding
    status.flushesSubnormals = control.flushesSubnormals
    let result = evaluate(a, b, c, &status)
    state.store(status.flags.rawValue, at: environment.flags)
    return result
  }

  func evaluate(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ status: inout FloatStatus) -> UInt64 {
    switch opcode {
    case .floatConvert:
      if type == .f64 {
        let a = UInt32(truncatingIfNeeded: a)
        return Float64Bits.fromFloat32(control.flushesSubnormals ? Float32Bits.flushed(a, &status) : a, &status)
      }
      return UInt64(Float32Bits.fromFloat64(control.flushesSubnormals ? Float64Bits.flushed(a, &status) : a, &status))
    case .floatOrder:
      return source == .f64 ? order(Float64Bits.self, a, b, &status) : order(Float32Bits.self, a, b, &status)
    case .floatBox: return Float32Bits.box(UInt32(truncatingIfNeeded: a))
    case .floatUnbox: return UInt64(Float32Bits.unbox(a))
    case .floatToInteger:
      return source == .f64 ? toInteger(Float64Bits.self, a, &status) : toInteger(Float32Bits.self, a, &status)
    case .floatFromInteger:
      return type == .f64 ? fromInteger(Float64Bits.self, a, &status) : fromInteger(Float32Bits.self, a, &status)
    default:
      return type == .f64
        ? evaluate(in: Float64Bits.self, a, b, c, &status) : evaluate(in: Float32Bits.self, a, b, c, &status)
    }
  }

  private func evaluate<Format: HostFloatFormat>(
    in format: Format.Type, _ first: UInt64, _ second: UInt64, _ third: UInt64, _ status: inout FloatStatus
  ) -> UInt64 {
    var a = Format.Raw(truncatingIfNeeded: first)
    var b = Format.Raw(truncatingIfNeeded: second)
    var c = Format.Raw(truncatingIfNeeded: third)
    if control.flushesSubnormals {
      a = Format.flushed(a, &status)
      b = Format.flushed(b, &status)
      c = Format.flushed(c, &status)
    }
    let sign = Format.signBit
    let result: Format.Raw
    switch opcode {
    case .floatAdd: result = Format.fastAdd(a, b, &status)
    case .floatSub: result = Format.fastSubtract(a, b, &status)
    case .floatMul: result = Format.fastMultiply(a, b, &status)
    case .floatDiv: result = Format.fastDivide(a, b, &status)
    case .floatSqrt: result = Format.fastSquareRoot(a, &status)
    case .floatFused:
      result = Format.fastFusedMultiplyAdd(
        control.negatesProduct ? a ^ sign : a, b, control.negatesAddend ? c ^ sign : c, &status)
    case .floatMinimum where control.signalingWins, .floatMaximum where control.signalingWins:
      result = Format.extremum2008(a, b, isMinimum: opcode == .floatMinimum, &status)
    case .floatMinimum: result = Format.minimum(a, b, &status)
    case .floatMaximum: result = Format.maximum(a, b, &status)
    case .floatSign:
      switch control.sign {
      case .copy: result = a & ~sign | b & sign
      case .copyNegated: result = a & ~sign | ~b & sign
      case .exclusiveOr: result = a ^ b & sign
      }
    case .floatCompare:
      let holds =
        switch control.relation {
        case .equal: Format.equal(a, b, &status)
        case .less: Format.less(a, b, &status)
        case .lessEqual: Format.lessOrEqual(a, b, &status)
        }
      return holds ? 1 : 0
    default: preconditionFailure("\(opcode) is no floating-point op of this form")
    }
    return UInt64(truncatingIfNeeded: result)
  }

  private func order<Format: FloatFormat>(
    _ format: Format.Type, _ first: UInt64, _ second: UInt64, _ status: inout FloatStatus
  ) -> UInt64 {
    var a = Format.Raw(truncatingIfNeeded: first)
    var b = Format.Raw(truncatingIfNeeded: second)
    if control.flushesSubnormals {
      a = Format.flushed(a, &status)
      b = Format.flushed(b, &status)
    }
    if Format.isNaN(a) || Format.isNaN(b) {
      if control.signalsQuietNaN || Format.isSignalingNaN(a) || Format.isSignalingNaN(b) { status.raise(.invalid) }
      return 2
    }
    if Format.less(a, b, &status) { return 0xFFFF_FFFF }
    return Format.equal(a, b, &status) ? 0 : 1
  }

  private func toInteger<Format: FloatFormat>(
    _ format: Format.Type, _ bits: UInt64, _ status: inout FloatStatus
  ) -> UInt64 {
    var a = Format.Raw(truncatingIfNeeded: bits)
    if control.flushesSubnormals { a = Format.flushed(a, &status) }
    if control.zeroesNaN, Format.isNaN(a) {
      status.raise(.invalid)
      return 0
    }
    return switch (type, control.isUnsigned) {
    case (.i64, false): UInt64(bitPattern: Format.toInt64(a, &status))
    case (.i64, true): Format.toUInt64(a, &status)
    case (_, false): UInt64(UInt32(bitPattern: Format.toInt32(a, &status)))
    case (_, true): UInt64(Format.toUInt32(a, &status))
    }
  }

  private func fromInteger<Format: FloatFormat>(
    _ format: Format.Type, _ value: UInt64, _ status: inout FloatStatus
  ) -> UInt64 {
    let result =
      switch (source, control.isUnsigned) {
      case (.i64, false): Format.from(Int64(bitPattern: value), &status)
      case (.i64, true): Format.from(value, &status)
      case (_, false): Format.from(Int32(truncatingIfNeeded: value), &status)
      case (_, true): Format.from(UInt32(truncatingIfNeeded: value), &status)
      }
    return UInt64(truncatingIfNeeded: result)
  }
}
