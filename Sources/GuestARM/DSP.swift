// Owns the DSP extension of ARMv7E-M (ARMv7-M manual, A5.3.12, A5.3.14 and A5.3.15 as far as they are of the extension).

import GuestKit
import IR

enum DSP {
  static let group = InstructionGroup<Translator>(
    "DSP", extending + saturating + packing + multiplying + parallel)

  private static let extending: [InstructionRow<Translator>] = [
    .init("sxtah", "111110100000 nnnn 1111 dddd 10 ii mmmm; i=4:3 n!=15", "d, n, mR", sxtah),
    .init("uxtah", "111110100001 nnnn 1111 dddd 10 ii mmmm; i=4:3 n!=15", "d, n, mR", uxtah),
    .init("sxtb16", "111110100010 1111 1111 dddd 10 ii mmmm; i=4:3", "d, mR", sxtb16),
    .init("sxtab16", "111110100010 nnnn 1111 dddd 10 ii mmmm; i=4:3 n!=15", "d, n, mR", sxtab16),
    .init("uxtb16", "111110100011 1111 1111 dddd 10 ii mmmm; i=4:3", "d, mR", uxtb16),
    .init("uxtab16", "111110100011 nnnn 1111 dddd 10 ii mmmm; i=4:3 n!=15", "d, n, mR", uxtab16),
    .init("sxtab", "111110100100 nnnn 1111 dddd 10 ii mmmm; i=4:3 n!=15", "d, n, mR", sxtab),
    .init("uxtab", "111110100101 nnnn 1111 dddd 10 ii mmmm; i=4:3 n!=15", "d, n, mR", uxtab),
  ]

  private static let saturating: [InstructionRow<Translator>] = [
    .init("qadd", "111110101000 nnnn 1111 dddd 1000 mmmm", "d, m, n", qadd),
    .init("qdadd", "111110101000 nnnn 1111 dddd 1001 mmmm", "d, m, n", qdadd),
    .init("qsub", "111110101000 nnnn 1111 dddd 1010 mmmm", "d, m, n", qsub),
    .init("qdsub", "111110101000 nnnn 1111 dddd 1011 mmmm", "d, m, n", qdsub),
    .init("ssat16", "111100110010 nnnn 0000 dddd 0000 eeee", "d, #E, n", ssat16),
    .init("usat16", "111100111010 nnnn 0000 dddd 0000 eeee", "d, #e, n", usat16),
  ]

  private static let packing: [InstructionRow<Translator>] = [
    .init("pkhbt", "111010101100 nnnn 0 iii dddd ii 00 mmmm; i=4:2|1:0 k=0", "d, n, mH", pkhbt),
    .init("pkhtb", "111010101100 nnnn 0 iii dddd ii 10 mmmm; i=4:2|1:0 k=2", "d, n, mH", pkhtb),
    .init("sel", "111110101010 nnnn 1111 dddd 1000 mmmm", "d, n, m", sel),
  ]

  private static let multiplying: [InstructionRow<Translator>] = [
    .init("smul<p>", "111110110001 nnnn 1111 dddd 00 x y mmmm", "d, n, m", smulHalves),
    .init("smla<p>", "111110110001 nnnn aaaa dddd 00 x y mmmm; a!=15", "d, n, m, a", smlaHalves),
    .init("smuad<q>", "111110110010 nnnn 1111 dddd 000 y mmmm", "d, n, m", smuad),
    .init("smlad<q>", "111110110010 nnnn aaaa dddd 000 y mmmm; a!=15", "d, n, m, a", smlad),
    .init("smulw<w>", "111110110011 nnnn 1111 dddd 000 y mmmm", "d, n, m", smulw),
    .init("smlaw<w>", "111110110011 nnnn aaaa dddd 000 y mmmm; a!=15", "d, n, m, a", smlaw),
    .init("smusd<q>", "111110110100 nnnn 1111 dddd 000 y mmmm", "d, n, m", smusd),
    .init("smlsd<q>", "111110110100 nnnn aaaa dddd 000 y mmmm; a!=15", "d, n, m, a", smlsd),
    .init("smmul<r>", "111110110101 nnnn 1111 dddd 000 y mmmm", "d, n, m", smmul),
    .init("smmla<r>", "111110110101 nnnn aaaa dddd 000 y mmmm; a!=15", "d, n, m, a", smmla),
    .init("smmls<r>", "111110110110 nnnn aaaa dddd 000 y mmmm", "d, n, m, a", smmls),
    .init("usad8", "111110110111 nnnn 1111 dddd 0000 mmmm", "d, n, m", usad8),
    .init("usada8", "111110110111 nnnn aaaa dddd 0000 mmmm; a!=15", "d, n, m, a", usada8),
    .init("smlal<p>", "111110111100 nnnn dddd hhhh 10 x y mmmm", "d, h, n, m", smlalHalves),
    .init("smlald<q>", "111110111100 nnnn dddd hhhh 110 y mmmm", "d, h, n, m", smlald),
    .init("smlsld<q>", "111110111101 nnnn dddd hhhh 110 y mmmm", "d, h, n, m", smlsld),
    .init("umaal", "111110111110 nnnn dddd hhhh 0110 mmmm", "d, h, n, m", umaal),
  ]

  /// Rows by prefix and operation; the immediate of the helper is the same pair of numbers.
  private static let parallel: [InstructionRow<Translator>] = ParallelKind.allCases.flatMap { kind in
    ParallelOperation.allCases.map { operation in
      let bits = "1111101 01 \(operation.bits) nnnn 1111 dddd \(kind.bits) mmmm"
      return .init("\(kind)\(operation)", bits, "d, n, m") { t, i in parallel(&t, i, kind, operation) }
    }
  }

  // MARK: Extending

  private static func half(_ t: inout Translator, _ value: ValueID, top: Bool, signed: Bool = true) -> ValueID {
    if signed, top { return t.binary(.shiftRightArithmetic, value, 16) }
    if top { return t.binary(.shiftRight, value, 16) }
    return t.builder.unary(signed ? .signExtend : .zeroExtend, t.builder.unary(.truncate, value, to: .i16), to: .i32)
  }

  private static func join(_ t: inout Translator, low: ValueID, high: ValueID) -> ValueID {
    t.builder.binary(.or, t.binary(.and, low, 0xFFFF), t.binary(.shiftLeft, high, 16))
  }

  private static func rotated(_ t: inout Translator, _ i: Instruction) -> ValueID {
    i.i == 0 ? t.r(i.m) : t.binary(.rotateRight, t.r(i.m), i.i)
  }

  private static func extendAdd(_ t: inout Translator, _ i: Instruction, _ type: Type, _ opcode: Opcode) {
    let part = t.builder.unary(opcode, t.builder.unary(.truncate, rotated(&t, i), to: type), to: .i32)
    t.setR(i.d, t.builder.binary(.add, t.r(i.n), part))
  }
  static func sxtah(_ t: inout Translator, _ i: Instruction) { extendAdd(&t, i, .i16, .signExtend) }
  static func uxtah(_ t: inout Translator, _ i: Instruction) { extendAdd(&t, i, .i16, .zeroExtend) }
  static func sxtab(_ t: inout Translator, _ i: Instruction) { extendAdd(&t, i, .i8, .signExtend) }
  static func uxtab(_ t: inout Translator, _ i: Instruction) { extendAdd(&t, i, .i8, .zeroExtend) }

  /// Bytes 0 and 2 of the operand, extended and added to the halves of `n`, if that is given.
  private static func extendBytes(_ t: inout Translator, _ i: Instruction, _ opcode: Opcode, adds: Bool) {
    let value = rotated(&t, i)
    var halves = [value, t.binary(.shiftRight, value, 16)].map {
      t.builder.unary(opcode, t.builder.unary(.truncate, $0, to: .i8), to: .i32)
    }
    if adds {
      let n = t.r(i.n)
      halves[0] = t.builder.binary(.add, halves[0], n)
      halves[1] = t.builder.binary(.add, halves[1], t.binary(.shiftRight, n, 16))
    }
    t.setR(i.d, join(&t, low: halves[0], high: halves[1]))
  }
  static func sxtb16(_ t: inout Translator, _ i: Instruction) { extendBytes(&t, i, .signExtend, adds: false) }
  static func sxtab16(_ t: inout Translator, _ i: Instruction) { extendBytes(&t, i, .signExtend, adds: true) }
  static func uxtb16(_ t: inout Translator, _ i: Instruction) { extendBytes(&t, i, .zeroExtend, adds: false) }
  static func uxtab16(_ t: inout Translator, _ i: Instruction) { extendBytes(&t, i, .zeroExtend, adds: true) }

  // MARK: Saturating

  private static func wide(_ t: inout Translator, _ value: ValueID) -> ValueID {
    t.builder.unary(.signExtend, value, to: .i64)
  }

  /// A 64-bit value limited to 32 bits; sets Q if it does not fit.
  private static func limit(_ t: inout Translator, _ value: ValueID) -> ValueID {
    let bottom = t.builder.const(.i64, Int64(Int32.min))
    let top = t.builder.const(.i64, Int64(Int32.max))
    let raised = t.builder.select(t.builder.compare(.lessSigned, value, bottom), bottom, value)
    let result = t.builder.select(t.builder.compare(.greaterSigned, raised, top), top, raised)
    t.setQ(t.builder.compare(.notEqual, result, value))
    return t.builder.unary(.truncate, result, to: .i32)
  }

  private static func saturate(_ t: inout Translator, _ i: Instruction, _ opcode: Opcode, doubles: Bool) {
    let (m, n) = (wide(&t, t.r(i.m)), wide(&t, t.r(i.n)))
    let other = doubles ? wide(&t, limit(&t, t.builder.binary(.add, n, n))) : n
    t.setR(i.d, limit(&t, t.builder.binary(opcode, m, other)))
  }
  static func qadd(_ t: inout Translator, _ i: Instruction) { saturate(&t, i, .add, doubles: false) }
  static func qdadd(_ t: inout Translator, _ i: Instruction) { saturate(&t, i, .add, doubles: true) }
  static func qsub(_ t: inout Translator, _ i: Instruction) { saturate(&t, i, .sub, doubles: false) }
  static func qdsub(_ t: inout Translator, _ i: Instruction) { saturate(&t, i, .sub, doubles: true) }

  private static func saturateHalves(_ t: inout Translator, _ i: Instruction, _ low: Int, _ high: Int) {
    let n = t.r(i.n)
    let halves = [false, true].map { top in
      let value = half(&t, n, top: top)
      let result = t.clamp(value, low, high)
      return (result, t.builder.compare(.notEqual, result, value))
    }
    t.setQ(t.builder.binary(.or, halves[0].1, halves[1].1))
    t.setR(i.d, join(&t, low: halves[0].0, high: halves[1].0))
  }
  static func ssat16(_ t: inout Translator, _ i: Instruction) {
    saturateHalves(&t, i, -(1 << i["e"]), 1 << i["e"] - 1)
  }
  static func usat16(_ t: inout Translator, _ i: Instruction) { saturateHalves(&t, i, 0, 1 << i["e"] - 1) }

  // MARK: Packing

  static func pkhbt(_ t: inout Translator, _ i: Instruction) {
    let high = t.builder.binary(.and, t.shift(t.r(i.m), .left, i.i).0, t.const(0xFFFF_0000 as UInt32))
    t.setR(i.d, t.builder.binary(.or, t.binary(.and, t.r(i.n), 0xFFFF), high))
  }
  static func pkhtb(_ t: inout Translator, _ i: Instruction) {
    let low = t.binary(.and, t.shift(t.r(i.m), .rightArithmetic, i.i).0, 0xFFFF)
    t.setR(i.d, t.builder.binary(.or, t.builder.binary(.and, t.r(i.n), t.const(0xFFFF_0000 as UInt32)), low))
  }

  /// Each byte from `n` or `m` as GE says: the four bits are spread to bytes by a multiplication.
  static func sel(_ t: inout Translator, _ i: Instruction) {
    let spread = t.binary(.and, t.binary(.mul, t.slot(.greaterEqual), 0x0020_4081), 0x0101_0101)
    let mask = t.binary(.mul, spread, 0xFF)
    let chosen = t.builder.binary(.and, t.r(i.n), mask)
    t.setR(i.d, t.builder.binary(.or, chosen, t.builder.binary(.andNot, t.r(i.m), mask)))
  }

  // MARK: Multiplying

  private static func product(_ t: inout Translator, _ i: Instruction) -> ValueID {
    let (n, m) = (t.r(i.n), t.r(i.m))
    return t.builder.binary(.mul, half(&t, n, top: i["x"] != 0), half(&t, m, top: i["y"] != 0))
  }

  /// A sum of 64 bits to a register: the low half, Q set if it does not fit.
  private static func setSum(_ t: inout Translator, _ i: Instruction, _ sum: ValueID) {
    let result = t.builder.unary(.truncate, sum, to: .i32)
    t.setQ(t.builder.compare(.notEqual, wide(&t, result), sum))
    t.setR(i.d, result)
  }

  static func smulHalves(_ t: inout Translator, _ i: Instruction) { t.setR(i.d, product(&t, i)) }
  static func smlaHalves(_ t: inout Translator, _ i: Instruction) {
    let product = wide(&t, product(&t, i))
    setSum(&t, i, t.builder.binary(.add, product, wide(&t, t.r(i.a))))
  }

  /// The sum or difference of the products of halves, in 64 bits; `y` exchanges the halves of `m`.
  private static func dual(_ t: inout Translator, _ i: Instruction, _ opcode: Opcode) -> ValueID {
    let (n, m) = (t.r(i.n), i["y"] != 0 ? t.binary(.rotateRight, t.r(i.m), 16) : t.r(i.m))
    let low = t.builder.binary(.mul, half(&t, n, top: false), half(&t, m, top: false))
    let high = t.builder.binary(.mul, half(&t, n, top: true), half(&t, m, top: true))
    return t.builder.binary(opcode, wide(&t, low), wide(&t, high))
  }
  static func smuad(_ t: inout Translator, _ i: Instruction) { setSum(&t, i, dual(&t, i, .add)) }
  static func smlad(_ t: inout Translator, _ i: Instruction) {
    let products = dual(&t, i, .add)
    setSum(&t, i, t.builder.binary(.add, products, wide(&t, t.r(i.a))))
  }
  /// A difference of products always fits.
  static func smusd(_ t: inout Translator, _ i: Instruction) {
    t.setR(i.d, t.builder.unary(.truncate, dual(&t, i, .sub), to: .i32))
  }
  static func smlsd(_ t: inout Translator, _ i: Instruction) {
    let products = dual(&t, i, .sub)
    setSum(&t, i, t.builder.binary(.add, products, wide(&t, t.r(i.a))))
  }

  /// The top 32 of the 48 bits of a product with a half.
  private static func wordByHalf(_ t: inout Translator, _ i: Instruction) -> ValueID {
    let part = half(&t, t.r(i.m), top: i["y"] != 0)
    let product = t.builder.binary(.mul, wide(&t, t.r(i.n)), wide(&t, part))
    return t.builder.binary(.shiftRightArithmetic, product, t.builder.const(.i64, 16))
  }
  static func smulw(_ t: inout Translator, _ i: Instruction) {
    t.setR(i.d, t.builder.unary(.truncate, wordByHalf(&t, i), to: .i32))
  }
  static func smlaw(_ t: inout Translator, _ i: Instruction) {
    let product = wordByHalf(&t, i)
    setSum(&t, i, t.builder.binary(.add, product, wide(&t, t.r(i.a))))
  }

  /// The high word of `a:0` plus or minus the product, rounded if `y` says so.
  private static func highWord(_ t: inout Translator, _ i: Instruction, _ opcode: Opcode, accumulates: Bool) {
    var result = t.builder.binary(.mul, wide(&t, t.r(i.n)), wide(&t, t.r(i.m)))
    if accumulates {
      let base = t.builder.binary(.shiftLeft, wide(&t, t.r(i.a)), t.builder.const(.i64, 32))
      result = t.builder.binary(opcode, base, result)
    }
    if i["y"] != 0 { result = t.builder.binary(.add, result, t.builder.const(.i64, 0x8000_0000)) }
    let high = t.builder.binary(.shiftRight, result, t.builder.const(.i64, 32))
    t.setR(i.d, t.builder.unary(.truncate, high, to: .i32))
  }
  static func smmul(_ t: inout Translator, _ i: Instruction) { highWord(&t, i, .add, accumulates: false) }
  static func smmla(_ t: inout Translator, _ i: Instruction) { highWord(&t, i, .add, accumulates: true) }
  static func smmls(_ t: inout Translator, _ i: Instruction) { highWord(&t, i, .sub, accumulates: true) }

  private static func byteDifferences(_ t: inout Translator, _ i: Instruction) -> ValueID {
    t.builder.call(HelperNumber.sumDifferences.rawValue, .i32, t.r(i.n), t.r(i.m))
  }
  static func usad8(_ t: inout Translator, _ i: Instruction) { t.setR(i.d, byteDifferences(&t, i)) }
  static func usada8(_ t: inout Translator, _ i: Instruction) {
    t.setR(i.d, t.builder.binary(.add, byteDifferences(&t, i), t.r(i.a)))
  }

  /// The register pair `h:d`.
  private static func pair(_ t: inout Translator, _ i: Instruction) -> ValueID {
    let high = t.builder.binary(.shiftLeft, t.widen(t.r(i["h"])), t.builder.const(.i64, 32))
    return t.builder.binary(.or, high, t.widen(t.r(i.d)))
  }
  private static func setPair(_ t: inout Translator, _ i: Instruction, _ value: ValueID) {
    let high = t.builder.binary(.shiftRight, value, t.builder.const(.i64, 32))
    t.setR(i.d, t.builder.unary(.truncate, value, to: .i32))
    t.setR(i["h"], t.builder.unary(.truncate, high, to: .i32))
  }
  static func smlalHalves(_ t: inout Translator, _ i: Instruction) {
    let product = wide(&t, product(&t, i))
    setPair(&t, i, t.builder.binary(.add, pair(&t, i), product))
  }
  static func smlald(_ t: inout Translator, _ i: Instruction) {
    let products = dual(&t, i, .add)
    setPair(&t, i, t.builder.binary(.add, pair(&t, i), products))
  }
  static func smlsld(_ t: inout Translator, _ i: Instruction) {
    let products = dual(&t, i, .sub)
    setPair(&t, i, t.builder.binary(.add, pair(&t, i), products))
  }
  static func umaal(_ t: inout Translator, _ i: Instruction) {
    let product = t.builder.binary(.mul, t.widen(t.r(i.n)), t.widen(t.r(i.m)))
    let sum = t.builder.binary(.add, product, t.widen(t.r(i.d)))
    setPair(&t, i, t.builder.binary(.add, sum, t.widen(t.r(i["h"]))))
  }

  // MARK: Parallel

  private static func parallel(
    _ t: inout Translator, _ i: Instruction, _ kind: ParallelKind, _ operation: ParallelOperation
  ) {
    let both = t.builder.call(
      HelperNumber.parallel.rawValue, .i64, t.r(i.n), t.r(i.m),
      imm: Int64(kind.rawValue << 8 | operation.rawValue))
    if kind.setsGE {
      let bits = t.builder.binary(.shiftRight, both, t.builder.const(.i64, 32))
      t.set(Slot.greaterEqual.register, t.builder.unary(.truncate, bits, to: .i32))
    }
    t.setR(i.d, t.builder.unary(.truncate, both, to: .i32))
  }
}

/// What a parallel addition or subtraction does with results that do not fit: the first letters of its name.
enum ParallelKind: Int, CaseIterable {
  case s, q, sh, u, uq, uh

  /// Bits 7 to 4 of the encoding's second half.
  var bits: String {
    switch self {
    case .s: "0000"
    case .q: "0001"
    case .sh: "0010"
    case .u: "0100"
    case .uq: "0101"
    case .uh: "0110"
    }
  }
  var isSigned: Bool { self == .s || self == .q || self == .sh }
  var setsGE: Bool { self == .s || self == .u }
  var saturates: Bool { self == .q || self == .uq }
  var halves: Bool { self == .sh || self == .uh }
}

enum ParallelOperation: Int, CaseIterable {
  case add8, add16, asx, sub8, sub16, sax

  var bits: String {
    switch self {
    case .add8: "000"
    case .add16: "001"
    case .asx: "010"
    case .sub8: "100"
    case .sub16: "101"
    case .sax: "110"
    }
  }
  var lanes: Int { self == .add8 || self == .sub8 ? 4 : 2 }
  /// Whether a lane subtracts.
  func subtracts(_ lane: Int) -> Bool {
    switch self {
    case .add8, .add16: false
    case .sub8, .sub16: true
    case .asx: lane == 0
    case .sax: lane == 1
    }
  }
  var exchanges: Bool { self == .asx || self == .sax }

  /// The result in the low half, GE in the high half (ARMv7-M manual, SADD16 and its like).
  func apply(_ kind: ParallelKind, _ n: UInt32, _ m: UInt32) -> UInt64 {
    let bits = UInt32(32 / lanes)
    let mask = UInt32.max >> (32 - bits)
    func lane(_ value: UInt32, _ number: Int) -> Int {
      let raw = value >> (UInt32(number) * bits) & mask
      return kind.isSigned ? Int(Int32(bitPattern: raw << (32 - bits)) >> Int32(32 - bits)) : Int(raw)
    }
    var result: UInt32 = 0
    var greaterEqual: UInt64 = 0
    let range = kind.isSigned ? -(1 << Int(bits - 1))...(1 << Int(bits - 1)) - 1 : 0...(1 << Int(bits)) - 1
    for number in 0..<lanes {
      let other = lane(m, exchanges ? 1 - number : number)
      let isDifference = subtracts(number)
      var value = isDifference ? lane(n, number) - other : lane(n, number) + other
      let holds = kind.isSigned || isDifference ? value >= 0 : value > range.upperBound
      if holds { greaterEqual |= (lanes == 4 ? 1 : 3) << UInt64(number * 4 / lanes) }
      if kind.saturates { value = min(max(value, range.lowerBound), range.upperBound) }
      if kind.halves { value >>= 1 }
      result |= (UInt32(truncatingIfNeeded: value) & mask) << (UInt32(number) * bits)
    }
    return UInt64(result) | greaterEqual << 32
  }
}
