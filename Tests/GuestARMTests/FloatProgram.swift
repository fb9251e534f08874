// Owns random floating-point programs: cases of a few instructions each between a load of FPSCR, s0–s31 and r0–r7 and a
// store of the same.

import GuestARM
import GuestKit

struct FloatProgram: DifferentialProgram {
  /// Words of a case: FPSCR, s0–s31, r0–r7 in either table.
  static let record: UInt32 = 176
  private(set) var code: [UInt8] = []
  private(set) var inputs: [UInt8] = []
  private(set) var listings: [[String]] = []
  private(set) var end = 0
  let caseCount: Int
  private let guest: ARMGuest
  private var random: SplitMix
  private let rows: [Int]

  /// Instructions that programs use in ways of their own.
  private static let excluded: Set<String> = ["vmsr", "vmrs"]

  init(_ guest: ARMGuest, cases: Int, seed: UInt64) {
    self.guest = guest
    caseCount = cases
    random = SplitMix(seed)
    rows = guest.decoder.rows.indices.filter {
      guest.decoder.groups[$0].lowercased().contains("precision")
        && !Self.excluded.contains(guest.decoder.rows[$0].name)
        || guest.decoder.groups[$0].hasPrefix("Floating-point")
          && !Self.excluded.contains(guest.decoder.rows[$0].name)
    }
    for number in 0..<cases { addCase(number) }
    end = code.count
    addEnd()
  }

  var names: [String] { ["fpscr"] + (0..<32).map { "s\($0)" } + (0..<8).map { "r\($0)" } }
  func observable(_ written: [UInt8]) -> [UInt8] { written }

  // MARK: Encoding

  private mutating func emit16(_ bits: UInt32) { code += memory(bits, 2) }
  private mutating func emit32(_ bits: UInt32) { code += memory(bits, 4) }

  private mutating func constant(_ register: UInt32, _ value: UInt32) {
    emit16(0x2000 | register << 8 | value >> 24)
    for shift in [16, 8, 0] as [UInt32] {
      emit16(0x0200 | register << 3 | register)
      emit16(0x3000 | register << 8 | value >> shift & 0xFF)
    }
  }

  /// write(1, outputs, all of it up to the end of the scratch memory), exit(0)
  private mutating func addEnd() {
    constant(0, 1)
    constant(1, Place.outputs)
    constant(2, Place.scratch + UInt32(Place.scratchSize) - Place.outputs)
    constant(7, 4)
    emit16(0xDF00)
    constant(0, 0)
    constant(7, 1)
    emit16(0xDF00)
  }

  private mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }

  // MARK: Values

  private static let hard: [UInt32] = [
    0, 1, 0x007F_FFFF, 0x0080_0000, 0x0080_0001, 0x7F7F_FFFF, 0x7F80_0000, 0x7F80_0001, 0x7FC0_0000, 0x7FC0_1234,
    0x7FBF_FFFF, 0x3F80_0000, 0x3F80_0001, 0x3F7F_FFFF, 0x3F00_0000, 0x4B00_0001, 0x4EFF_FFFF, 0x4F00_0000,
    0x4F7F_FFFF, 0x4F80_0000, 0x477F_E000, 0x477F_F000, 0x3300_0000, 0x3380_0000, 0x3880_0000, 0x1F80_0000,
    0x2000_0000, 0x0040_0000, 0x4020_0000, 0x4060_0000, 0x7C00_7C00, 0x7E01_7D01, 0x03FF_0001, 0x7FF0_0000,
    0x7FF8_0000, 0x7FF7_FFFF, 0x000F_FFFF, 0x0010_0000, 0x7FEF_FFFF, 0x3FF0_0000, 0x41DF_FFFF, 0x3810_0000,
    0x380F_FFFF, 0x4330_0000,
  ]

  private mutating func value() -> UInt32 {
    switch below(5) {
    case 0: UInt32.random(in: 0...UInt32.max, using: &random)
    // Near one another, so that sums cancel and quotients are near 1.
    case 1: 0x3F00_0000 &+ UInt32.random(in: 0...0x0200_0000, using: &random)
    case 2: UInt32.random(in: 0...UInt32.max, using: &random) & 0x9FFF_F000 | 0x2000_0000
    default: Self.hard[below(Self.hard.count)] ^ (below(2) == 0 ? 0x8000_0000 : 0)
    }
  }

  /// NZCV, AHP, DN, FZ and RMode, mostly as programs have them, and the sticky flags.
  private mutating func status() -> UInt32 {
    let modes: UInt32 = [0, 0, 0, 0x00C0_0000, 0x07C0_0000, 0x0200_0000, 0x0100_0000][below(7)]
    return UInt32.random(in: 0...UInt32.max, using: &random) & (0xF000_0000 | modes | (below(2) == 0 ? 0x9F : 0))
  }

  // MARK: Cases

  private mutating func addCase(_ number: Int) {
    for word in [status()] + (0..<43).map({ _ in value() }) {
      inputs += memory(word & 0xFFFF, 2) + memory(word >> 16, 2)
    }
    constant(0, Place.outputs + UInt32(number + 1) * Self.record)
    emit16(0x4685)  // mov sp, r0
    constant(0, Place.inputs + UInt32(number) * Self.record)
    emit16(0xC802)  // ldm r0!, {r1}
    emit32(0xEEE1_1A10)  // vmsr fpscr, r1
    emit32(0xECB0_0B20)  // vldmia r0!, {d0-d15}
    emit16(0xC8FE)  // ldm r0!, {r1-r7}
    emit16(0x6800)  // ldr r0, [r0]
    listings.append([])
    let start = code.count
    for _ in 0..<(3 + below(6)) { addStep() }
    var offset = start
    while offset < code.count {
      let (text, length) = guest.disassemble(Array(code[offset..<min(offset + 4, code.count)]), pc: UInt64(offset))
      listings[number].append(text)
      offset += length
    }
    emit16(0xB4FF)  // push {r0-r7}
    emit32(0xED2D_0B20)  // vpush {d0-d15}
    emit32(0xEEF1_0A10)  // vmrs r0, fpscr
    emit16(0xB401)  // push {r0}
  }

  private mutating func addStep() {
    let conditions = UInt32(below(14)) << 4
    switch below(12) {
    case 0:
      emit32(0xEEF1_FA10)  // vmrs APSR_nzcv, fpscr
      emit16(0xBF08 | conditions)
      emit16(0x4600 | UInt32(below(64)))  // mov low, low
    case 1:
      emit32(0xEEF1_0A10 | UInt32(below(8)) << 12)
    case 2:
      let register = UInt32(below(8))
      constant(register, status())
      emit32(0xEEE1_0A10 | register << 12)
    case 3:
      emit32(0xEEF1_FA10)
      emit16(0xBF08 | conditions)
      code += instruction(inITBlock: true)
    case 4:
      // A comparison, and what follows from it.
      emit32(0xEEB4_0A40 | UInt32(below(16)) << 12 | UInt32(below(16)) | UInt32(below(2)) << 7)
      emit32(0xEEF1_FA10)
      emit16(0xBF04 | conditions)
      code += instruction(inITBlock: true)
      emit16(0x4600 | UInt32(below(64)))
    default: code += instruction(inITBlock: false)
    }
  }

  private mutating func instruction(inITBlock: Bool) -> [UInt8] {
    while true {
      let row = rows[below(rows.count)]
      let name = guest.decoder.rows[row].name
      let bits = guest.decoder.patterns[row].randomEncoding(using: &random)
      guard let instruction = guest.decoder.decode(bits, length: 4), instruction.row == row,
        isFair(instruction, name), !inITBlock || bits >> 28 != 15
      else { continue }
      let accesses = name.hasPrefix("vld") || name.hasPrefix("vst")
      guard accesses else { return memory(bits, 4) }
      guard !inITBlock, instruction["n"] < 8 else { continue }
      let saved = code
      code = []
      let reach = UInt32(instruction["i"])
      let start = Place.scratch + 0x800 + UInt32(below(0x40)) * 4
      constant(UInt32(instruction["n"]), reach > 0x200 ? start & ~0x3FF : start)
      let setUp = code
      code = saved
      return setUp + memory(bits, 4)
    }
  }

  /// Whether the architecture says what the instruction does, and it keeps to the registers of the case.
  private func isFair(_ i: Instruction, _ name: String) -> Bool {
    if name.hasPrefix("vldm") || name.hasPrefix("vstm") {
      let isSingle = name.hasSuffix(".32")
      let (first, count) = isSingle ? (i["v"], i["i"]) : (2 * i["g"], i["i"])
      return count > 0 && (isSingle || count & 1 == 0) && first + count <= 32
    }
    if name == "vldr" || name == "vstr" { return true }
    if name.hasPrefix("vmov") {
      let (t, u) = (i["t"], i["u"])
      if i.bits >> 24 == 0xEC { return t < 8 && u < 8 && t != u && (i.bits >> 8 & 1 != 0 || i["z"] < 31) }
      return t < 8
    }
    return !name.hasPrefix("vcvt") || i["y"] == 0 || i["c"] <= i["y"]
  }
}
