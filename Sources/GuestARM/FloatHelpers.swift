// Owns the functions that translated code calls for floating point: what no IR op does.

import GuestKit
import IR
import SoftFloat

/// Numbered after ``HelperNumber``.
enum FloatHelper: Int, CaseIterable {
  /// To be called first by an instruction that finds the unit not ready; raises the faults that follow from it.
  case prepare
  /// VMRS and VMSR of FPSCR, and its conditions to APSR.
  case readStatus, writeStatus, copyConditions
  /// Conversions of the lower half of `a`, a binary16, to the format of `imm` (32 or 64), and back.
  case fromHalf, toHalf
  /// `a` to a fixed-point number or back, or to an integral number; `imm` is a ``FloatConversion``.
  case toFixed, fromFixed, roundToIntegral

  var number: Int { HelperNumber.allCases.count + rawValue }

  var helper: Helper {
    switch self {
    case .prepare:
      unsafe Helper("prepare_float", [.readsRegisters, .writesRegisters, .mayRaise, .readsClock], prepareHelper)
    case .readStatus: unsafe Helper("vmrs", [.readsRegisters], readStatusHelper)
    case .writeStatus: unsafe Helper("vmsr", [.readsRegisters, .writesRegisters], writeStatusHelper)
    case .copyConditions: unsafe Helper("vmrs_apsr", [.readsRegisters, .writesRegisters], copyConditionsHelper)
    // These set sticky flags, which nothing else says.
    case .fromHalf: unsafe Helper("from_half", [.keep], fromHalfHelper)
    case .toHalf: unsafe Helper("to_half", [.keep], toHalfHelper)
    case .toFixed: unsafe Helper("to_fixed", [.keep], toFixedHelper)
    case .fromFixed: unsafe Helper("from_fixed", [.keep], fromFixedHelper)
    case .roundToIntegral: unsafe Helper("round_integral", [.keep], roundHelper)
    }
  }
}

/// A conversion that a helper does.
struct FloatConversion: RawRepresentable {
  var rawValue: Int64
  init(rawValue: Int64) { self.rawValue = rawValue }

  /// - Parameters:
  ///   - rounding: nil for the mode of FPSCR.
  ///   - fractionBits, width, isSigned: of a fixed-point number.
  ///   - isExact: whether rounding to an integral number is inexact if it changes the number.
  init(
    _ format: FloatFormatKind, rounding: FloatRounding?, fractionBits: Int = 0, width: Int = 32, isSigned: Bool = false,
    isExact: Bool = false
  ) {
    let mode = Int64(rounding?.rawValue ?? FloatRounding.dynamic.rawValue)
    rawValue =
      Int64(fractionBits) | Int64(width) << 8 | (isSigned ? 1 << 16 : 0) | (format == .double ? 1 << 17 : 0)
      | (isExact ? 1 << 18 : 0) | mode << 20
  }

  var fractionBits: Int { Int(rawValue & 0xFF) }
  var width: Int { Int(rawValue >> 8 & 0xFF) }
  var isSigned: Bool { rawValue >> 16 & 1 != 0 }
  var isDouble: Bool { rawValue >> 17 & 1 != 0 }
  var isExact: Bool { rawValue >> 18 & 1 != 0 }
  var rounding: FloatRounding { FloatRounding(rawValue: UInt16(rawValue >> 20 & 7)) ?? .dynamic }
}

extension Core {
  /// Runs `body` in the environment that FPSCR describes, and keeps the flags it raises.
  fileprivate func withFloat(
    rounding: FloatRounding = .dynamic, _ body: (inout FloatStatus) -> UInt64
  ) -> UInt64 {
    let modes = floatModes
    let mode = rounding == .dynamic ? modes.rounding : rounding
    var status = FloatStatus(
      rounding: RoundingMode(rawValue: UInt8(mode.rawValue)) ?? .nearestEven,
      flags: ExceptionFlags(rawValue: UInt8(truncatingIfNeeded: self[.floatFlags])), tininess: .beforeRounding,
      nanPolicy: modes.deliversDefaultNaN ? .canonical : .signalingFirst, flushesSubnormals: modes.flushesSubnormals)
    let result = body(&status)
    self[.floatFlags] = UInt32(status.flags.rawValue)
    return result
  }
}

extension FloatFormat {
  /// The bits of an operand, taken for zero if it is subnormal and those are flushed.
  fileprivate static func operand(_ bits: UInt64, _ status: inout FloatStatus) -> Raw {
    let raw = Raw(truncatingIfNeeded: bits)
    return status.flushesSubnormals ? flushed(raw, &status) : raw
  }

  fileprivate static func toFixed(_ bits: UInt64, _ conversion: FloatConversion, _ status: inout FloatStatus) -> UInt64
  {
    UInt64(
      toFixed(
        operand(bits, &status), fractionBits: conversion.fractionBits, width: conversion.width,
        isSigned: conversion.isSigned, &status))
  }

  fileprivate static func fromFixed(
    _ bits: UInt64, _ conversion: FloatConversion, _ status: inout FloatStatus
  ) -> UInt64 {
    let shift = UInt64(64 - conversion.width)
    let value = conversion.isSigned ? Int64(bitPattern: bits << shift) >> Int64(shift) : Int64((bits << shift) >> shift)
    return UInt64(truncatingIfNeeded: fromFixed(value, fractionBits: conversion.fractionBits, &status))
  }

  fileprivate static func round(_ bits: UInt64, _ conversion: FloatConversion, _ status: inout FloatStatus) -> UInt64 {
    UInt64(truncatingIfNeeded: roundToIntegral(operand(bits, &status), exact: conversion.isExact, &status))
  }
}

private let prepareHelper: HelperFunction = { state, _, _, _, _ in
  let core = unsafe Core(VCPUState(state))
  if let fault = core.prepareFloat() {
    core.cpu.raise(GuestException(cause: fault.cause.rawValue, value: UInt64(fault.address)))
  }
  return 0
}

private let readStatusHelper: HelperFunction = { state, _, _, _, _ in
  UInt64(unsafe Core(VCPUState(state)).fpscr)
}

private let writeStatusHelper: HelperFunction = { state, value, _, _, _ in
  unsafe Core(VCPUState(state)).fpscr = UInt32(truncatingIfNeeded: value)
  return 0
}

private let copyConditionsHelper: HelperFunction = { state, _, _, _, _ in
  unsafe Core(VCPUState(state)).copyFloatConditions()
  return 0
}

private let fromHalfHelper: HelperFunction = { state, bits, _, _, width in
  let core = unsafe Core(VCPUState(state))
  let half = UInt16(truncatingIfNeeded: bits)
  let isAlternative = core.floatModes.isAlternativeHalf
  return core.withFloat { status in
    width == 64
      ? Float16Bits.widened(half, to: Float64Bits.self, isAlternative: isAlternative, &status)
      : UInt64(Float16Bits.widened(half, to: Float32Bits.self, isAlternative: isAlternative, &status))
  }
}

private let toHalfHelper: HelperFunction = { state, bits, _, _, width in
  let core = unsafe Core(VCPUState(state))
  let isAlternative = core.floatModes.isAlternativeHalf
  return core.withFloat { status in
    width == 64
      ? UInt64(
        Float16Bits.narrowed(
          Float64Bits.operand(bits, &status), from: Float64Bits.self, isAlternative: isAlternative, &status))
      : UInt64(
        Float16Bits.narrowed(
          Float32Bits.operand(bits, &status), from: Float32Bits.self, isAlternative: isAlternative, &status))
  }
}

private let toFixedHelper: HelperFunction = { state, bits, _, _, selection in
  let conversion = FloatConversion(rawValue: Int64(bitPattern: selection))
  return unsafe Core(VCPUState(state)).withFloat(rounding: conversion.rounding) { status in
    conversion.isDouble
      ? Float64Bits.toFixed(bits, conversion, &status) : Float32Bits.toFixed(bits, conversion, &status)
  }
}

private let fromFixedHelper: HelperFunction = { state, bits, _, _, selection in
  let conversion = FloatConversion(rawValue: Int64(bitPattern: selection))
  return unsafe Core(VCPUState(state)).withFloat(rounding: conversion.rounding) { status in
    conversion.isDouble
      ? Float64Bits.fromFixed(bits, conversion, &status) : Float32Bits.fromFixed(bits, conversion, &status)
  }
}

private let roundHelper: HelperFunction = { state, bits, _, _, selection in
  let conversion = FloatConversion(rawValue: Int64(bitPattern: selection))
  return unsafe Core(VCPUState(state)).withFloat(rounding: conversion.rounding) { status in
    conversion.isDouble ? Float64Bits.round(bits, conversion, &status) : Float32Bits.round(bits, conversion, &status)
  }
}
