// Owns the loads and stores of floating-point registers and their transfers to and from core registers (ARMv7-M manual,
// A6.5 to A6.7). What moves a d register moves its halves, so FPv4-SP has all of them.

import GuestKit
import IR

enum FloatMemory {
  typealias Row = InstructionRow<Translator>

  static let group = InstructionGroup<Translator>(
    "Floating-point loads, stores and transfers", access(.single) + access(.double) + transfers)

  private static func access(_ f: FloatFormatKind) -> [Row] {
    let s = f == .single
    let list = s ? "j" : "k"
    let d = s ? "v" : "0"
    let dddd = s ? "vvvv 1010" : "gggg 1011"
    let size = s ? ".32" : ".64"
    let end = s ? " v=0|4:1" : ""
    return [
      Row("vstr", "11101101 u \(d) 00 nnnn \(dddd) iiiiiiii; i=9:2 p=1\(end)", s ? "v, Q" : "g, Q", store(f)),
      Row("vldr", "11101101 u \(d) 01 nnnn \(dddd) iiiiiiii; i=9:2 p=1\(end)", s ? "v, Q" : "g, Q", load(f)),
      Row(
        "vstmia\(size)", "11101100 1 \(d) w 0 nnnn \(dddd) iiiiiiii;\(end)", "nw, {\(list)}", storeMultiple(f),
        shows: "vstmia"),
      Row(
        "vldmia\(size)", "11101100 1 \(d) w 1 nnnn \(dddd) iiiiiiii;\(end)", "nw, {\(list)}", loadMultiple(f),
        shows: "vldmia"),
      Row(
        "vstmdb\(size)", "11101101 0 \(d) 10 nnnn \(dddd) iiiiiiii; w=1\(end)", "nw, {\(list)}",
        storeMultiple(f, descends: true), shows: "vstmdb"),
      Row(
        "vldmdb\(size)", "11101101 0 \(d) 11 nnnn \(dddd) iiiiiiii; w=1\(end)", "nw, {\(list)}",
        loadMultiple(f, descends: true), shows: "vldmdb"),
    ]
  }

  private static let transfers: [Row] = [
    .init("vmov", "11101110 0000 bbbb tttt 1010 b 00 1 ....; b=4:1|0", "b, t", fromCore),
    .init("vmov", "11101110 0001 bbbb tttt 1010 b 00 1 ....; b=4:1|0", "t, b", toCore),
    .init("vmov.32", "11101110 00 x 0 qqqq tttt 1011 0 00 1 ....", "q[x], t", fromCoreHalf),
    .init("vmov.32", "11101110 00 x 1 qqqq tttt 1011 0 00 1 ....", "t, q[x]", toCoreHalf),
    .init("vmov", "11101100 0100 uuuu tttt 1010 00 z 1 zzzz; z=0|4:1", "z, s, t, u", fromCorePair),
    .init("vmov", "11101100 0101 uuuu tttt 1010 00 z 1 zzzz; z=0|4:1", "t, u, z, s", toCorePair),
    .init("vmov", "11101100 0100 uuuu tttt 1011 00 0 1 rrrr", "r, t, u", fromCoreDouble),
    .init("vmov", "11101100 0101 uuuu tttt 1011 00 0 1 rrrr", "t, u, r", toCoreDouble),
    .init("vmsr", "11101110 1110 0001 tttt 1010 . .. 1 ....", "f, t", writeStatus),
    .init("vmrs", "11101110 1111 0001 tttt 1010 . .. 1 ....", "t, f", readStatus),
  ]

  // MARK: Memory

  private static func base(_ t: inout Translator, _ i: Instruction) -> ValueID {
    i.n == ARMRegisters.pc ? t.const(t.alignedPC) : t.r(i.n)
  }

  /// The first single-precision register and how many there are.
  private static func registers(_ i: Instruction, _ f: FloatFormatKind) -> (first: Int, count: Int) {
    f == .single ? (i["v"], i.i) : (2 * i["g"], i.i & ~1)
  }

  private static func store(_ f: FloatFormatKind) -> Row.Translate {
    { t, i in
      t.beginFloat()
      let base = base(&t, i)
      let offset = i["u"] != 0 ? i.i : -i.i
      let first = f == .single ? i["v"] : 2 * i["g"]
      t.storeSingles(first, f == .single ? 1 : 2, at: base, i.n, offset: offset)
    }
  }

  private static func load(_ f: FloatFormatKind) -> Row.Translate {
    { t, i in
      t.beginFloat()
      let base = base(&t, i)
      let offset = i["u"] != 0 ? i.i : -i.i
      let first = f == .single ? i["v"] : 2 * i["g"]
      let values = t.loadSingles(f == .single ? 1 : 2, at: base, i.n, offset: offset)
      for (index, value) in values.enumerated() { t.setS(first + index, value) }
    }
  }

  /// Lists that are empty or reach past the last register are UNPREDICTABLE, here UNDEFINED.
  private static func isFair(_ i: Instruction, _ f: FloatFormatKind) -> Bool {
    let (first, count) = registers(i, f)
    return count > 0 && first + count <= 32 && i.n != ARMRegisters.pc
  }

  private static func storeMultiple(_ f: FloatFormatKind, descends: Bool = false) -> Row.Translate {
    { t, i in
      guard isFair(i, f) else { return t.undefined() }
      t.beginFloat()
      let base = t.r(i.n)
      let (first, count) = registers(i, f)
      let start = descends ? -4 * i.i : 0
      t.storeSingles(first, count, at: base, i.n, offset: start)
      if i["w"] != 0 { t.setBase(i.n, t.binary(.add, base, descends ? -4 * i.i : 4 * i.i)) }
    }
  }

  private static func loadMultiple(_ f: FloatFormatKind, descends: Bool = false) -> Row.Translate {
    { t, i in
      guard isFair(i, f) else { return t.undefined() }
      t.beginFloat()
      let base = t.r(i.n)
      let (first, count) = registers(i, f)
      let start = descends ? -4 * i.i : 0
      let values = t.loadSingles(count, at: base, i.n, offset: start)
      for (index, value) in values.enumerated() { t.setS(first + index, value) }
      if i["w"] != 0 { t.setBase(i.n, t.binary(.add, base, descends ? -4 * i.i : 4 * i.i)) }
    }
  }

  // MARK: Core registers

  static func fromCore(_ t: inout Translator, _ i: Instruction) {
    t.beginFloatMove()
    t.setSBits(i["b"], t.r(i.t))
  }

  static func toCore(_ t: inout Translator, _ i: Instruction) {
    t.beginFloatMove()
    t.setR(i.t, t.sBits(i["b"]))
  }

  static func fromCoreHalf(_ t: inout Translator, _ i: Instruction) {
    t.beginFloatMove()
    t.setSBits(2 * i["q"] + i["x"], t.r(i.t))
  }

  static func toCoreHalf(_ t: inout Translator, _ i: Instruction) {
    t.beginFloatMove()
    t.setR(i.t, t.sBits(2 * i["q"] + i["x"]))
  }

  private static func toPair(_ t: inout Translator, _ first: Int, _ i: Instruction) {
    guard first < 31 else { return t.undefined() }
    t.beginFloatMove()
    t.setSBits(first, t.r(i.t))
    t.setSBits(first + 1, t.r(i["u"]))
  }

  private static func fromPair(_ t: inout Translator, _ first: Int, _ i: Instruction) {
    guard first < 31 else { return t.undefined() }
    t.beginFloatMove()
    t.setR(i.t, t.sBits(first))
    t.setR(i["u"], t.sBits(first + 1))
  }

  static func fromCorePair(_ t: inout Translator, _ i: Instruction) { toPair(&t, i["z"], i) }
  static func toCorePair(_ t: inout Translator, _ i: Instruction) { fromPair(&t, i["z"], i) }
  static func fromCoreDouble(_ t: inout Translator, _ i: Instruction) { toPair(&t, 2 * i["r"], i) }
  static func toCoreDouble(_ t: inout Translator, _ i: Instruction) { fromPair(&t, 2 * i["r"], i) }

  // MARK: FPSCR

  /// The modes that code is translated for may be others then.
  static func writeStatus(_ t: inout Translator, _ i: Instruction) {
    t.beginFloat()
    _ = t.builder.call(FloatHelper.writeStatus.number, .i64, t.r(i.t))
    t.floatOrder = nil
    t.leaveITBlockAfterCurrent()
    t.builder.exit(with: .stateChanged, pc: t.nextPC)
  }

  /// To APSR if the register is the PC's number.
  static func readStatus(_ t: inout Translator, _ i: Instruction) {
    t.beginFloat()
    guard i.t == ARMRegisters.pc else {
      return t.setR(i.t, t.builder.call(FloatHelper.readStatus.number, .i32))
    }
    if let order = t.floatOrder { return t.setFlags(order: order) }
    _ = t.builder.call(FloatHelper.copyConditions.number, .i64)
    t.forgetFlags()
  }
}

extension Translator {
  fileprivate mutating func storeSingles(
    _ first: Int, _ count: Int, at base: ValueID, _ number: Int, offset: Int
  ) {
    for index in 0..<count {
      let place = offset + 4 * index
      let access = alignedWord(at: base, number, offset: place)
      builder.store(s(first + index), access, at: base, offset: Int64(place), following: count - index - 1)
    }
  }

  fileprivate mutating func loadSingles(_ count: Int, at base: ValueID, _ number: Int, offset: Int) -> [ValueID] {
    var values: [ValueID] = []
    for index in 0..<count {
      let place = offset + 4 * index
      let access = alignedWord(at: base, number, offset: place)
      values.append(builder.load(.f32, access, at: base, offset: Int64(place), following: count - index - 1))
    }
    return values
  }
}
