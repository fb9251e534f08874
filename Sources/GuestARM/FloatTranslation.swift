// Owns what the translators of floating-point instructions share: registers, readiness, rounding, NaNs.

import GuestKit
import IR

/// The two formats of arithmetic.
enum FloatFormatKind {
  case single, double

  var type: Type { self == .single ? .f32 : .f64 }
  var suffix: String { self == .single ? ".f32" : ".f64" }
  var width: Int64 { self == .single ? 32 : 64 }
}

extension Translator {
  // MARK: Registers

  mutating func s(_ number: Int) -> ValueID { builder.getRegister(ARMRegisters.s(number), .f32) }

  /// Writes a single-precision register if the current condition holds.
  mutating func setS(_ number: Int, _ value: ValueID) {
    doubles[number >> 1] = .none
    let register = ARMRegisters.s(number)
    guard let predicate else { return builder.setRegister(register, value) }
    builder.setRegister(register, builder.select(predicate, value, builder.getRegister(register, .f32)))
  }

  /// s register `number` as an `i32`.
  mutating func sBits(_ number: Int) -> ValueID { builder.unary(.bitcast, s(number), to: .i32) }
  mutating func setSBits(_ number: Int, _ bits: ValueID) { setS(number, builder.unary(.bitcast, bits, to: .f32)) }

  /// d register `number`, put together from its halves.
  mutating func d(_ number: Int) -> ValueID {
    if doubles[number].isNone { doubles[number] = builder.unary(.bitcast, dBits(number), to: .f64) }
    return doubles[number]
  }

  mutating func dBits(_ number: Int) -> ValueID {
    let low = widen(sBits(2 * number))
    let high = builder.binary(.shiftLeft, widen(sBits(2 * number + 1)), builder.const(.i64, 32))
    return builder.binary(.or, high, low)
  }

  mutating func setD(_ number: Int, _ value: ValueID) {
    setDBits(number, builder.unary(.bitcast, value, to: .i64))
    if predicate == nil { doubles[number] = value }
  }

  mutating func setDBits(_ number: Int, _ bits: ValueID) {
    let high = builder.binary(.shiftRight, bits, builder.const(.i64, 32))
    setSBits(2 * number, builder.unary(.truncate, bits, to: .i32))
    setSBits(2 * number + 1, builder.unary(.truncate, high, to: .i32))
  }

  mutating func operand(_ number: Int, _ format: FloatFormatKind) -> ValueID {
    format == .single ? s(number) : d(number)
  }

  mutating func setOperand(_ number: Int, _ format: FloatFormatKind, _ value: ValueID) {
    if format == .single { setS(number, value) } else { setD(number, value) }
  }

  /// The bits of an operand, as an `i64`.
  mutating func wideBits(_ number: Int, _ format: FloatFormatKind) -> ValueID {
    format == .single ? widen(sBits(number)) : dBits(number)
  }

  mutating func setWideBits(_ number: Int, _ format: FloatFormatKind, _ bits: ValueID) {
    if format == .double { return setDBits(number, bits) }
    setSBits(number, builder.unary(.truncate, bits, to: .i32))
  }

  // MARK: Readiness

  /// Comes first in every floating-point instruction that cannot be undone. Where the unit is not ready, it is made so,
  /// or the instruction raises an exception; the block then ends with the instruction.
  mutating func beginFloat() {
    execute()
    makeFloatReady()
  }

  /// As ``beginFloat()``, of an instruction that only writes registers.
  mutating func beginFloatMove() {
    if !flags.isFloatReady { execute() }
    makeFloatReady()
  }

  private mutating func makeFloatReady() {
    guard !flags.isFloatReady, !preparesFloat else { return }
    _ = builder.call(FloatHelper.prepare.number, .i64)
    preparesFloat = true
  }

  // MARK: Controls

  /// What all arithmetic heeds.
  func control(_ rounding: FloatRounding? = nil) -> FloatControl {
    let modes = flags.floatModes
    var control = FloatControl(self.rounding(rounding), propagatesNaN: !modes.deliversDefaultNaN)
    control.isTinyBeforeRounding = true
    control.flushesSubnormals = modes.flushesSubnormals
    return control
  }

  /// How to round: in the host's current mode where that is known to be the one.
  func rounding(_ mode: FloatRounding?) -> FloatRounding {
    let current = flags.floatModes.rounding
    if !flags.isFloatReady { return mode ?? current }
    return mode == nil || mode == current ? .dynamic : mode!
  }

  mutating func negated(_ value: ValueID) -> ValueID {
    builder.float(.floatSign, FloatControl(.copyNegated), value, value)
  }
}

extension Instruction {
  /// Numbers of floating-point registers: destination, first and second operand.
  func floatD(_ format: FloatFormatKind) -> Int { format == .single ? self["v"] : self["g"] }
  func floatN(_ format: FloatFormatKind) -> Int { format == .single ? self["b"] : self["q"] }
  func floatM(_ format: FloatFormatKind) -> Int { format == .single ? self["z"] : self["r"] }
}

/// Writes the encodings of both formats as one.
///
/// In a template, the words `D`, `N` and `M` are the register numbers' single bits, `dddd`, `nnnn` and `mmmm` their
/// other ones, `101s` the coprocessor number with the bit for the format. In operands, `d`, `n` and `m` are the
/// registers.
enum FloatRow {
  typealias Row = InstructionRow<Translator>

  static func pattern(_ template: String, _ format: FloatFormatKind) -> String {
    let isSingle = format == .single
    let words: [String: String] = [
      "D": isSingle ? "v" : "0", "dddd": isSingle ? "vvvv" : "gggg", "N": isSingle ? "b" : "0",
      "nnnn": isSingle ? "bbbb" : "qqqq", "M": isSingle ? "z" : "0", "mmmm": isSingle ? "zzzz" : "rrrr",
      "101s": isSingle ? "1010" : "1011",
    ]
    let parts = template.split(separator: " ").map(String.init)
    var text = parts.map { words[$0] ?? $0 }.joined(separator: " ")
    guard isSingle else { return text }
    var layout: [String] = []
    if parts.contains("dddd") { layout.append("v=0|4:1") }
    if parts.contains("nnnn") { layout.append("b=4:1|0") }
    if parts.contains("mmmm") { layout.append("z=0|4:1") }
    if !layout.isEmpty { text += (text.contains(";") ? " " : "; ") + layout.joined(separator: " ") }
    return text
  }

  static func operands(_ template: String, _ format: FloatFormatKind) -> String {
    let letters: [Character: Character] =
      format == .single ? ["d": "v", "n": "b", "m": "z"] : ["d": "g", "n": "q", "m": "r"]
    return String(template.map { letters[$0] ?? $0 })
  }

  /// A row whose name ends in the format's.
  static func row(
    _ name: String, _ template: String, _ operands: String, _ format: FloatFormatKind,
    _ translate: @escaping Row.Translate
  ) -> Row {
    Row(name + format.suffix, pattern(template, format), self.operands(operands, format), translate)
  }
}
