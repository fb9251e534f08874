// Tests the decode table: patterns, overlaps, and that nothing in the front end minds what the guest executes.

import GuestKit
import GuestRISCV
import IR
import TestSupport
import Testing

/// Translates `encodings`, placed from `pc` on.
func translate(
  _ guest: RISCVGuest, _ encodings: [(bits: UInt32, length: Int)], pc: UInt64 = 0x8000_0000,
  flags: TranslationFlags = 0,
  limit: Int = 64, stopBefore: [UInt64] = []
) -> Block {
  var bytes: [UInt8] = []
  for (bits, length) in encodings {
    for byte in 0..<length { bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(8 * byte))) }
  }
  return translate(guest, bytes: bytes, pc: pc, flags: flags, limit: limit, stopBefore: stopBefore)
}

func translate(
  _ guest: RISCVGuest, bytes: [UInt8], pc: UInt64, flags: TranslationFlags = 0, limit: Int = 64,
  stopBefore: [UInt64] = [],
  next: @escaping (Int) -> Result<[UInt8], GuestException> = { _ in .failure(GuestException(cause: 12, value: 0x1000)) }
) -> Block {
  var builder = Builder(pc: pc)
  unsafe bytes.withUnsafeBytes { raw in
    let request = TranslationRequest(
      pc: pc, flags: flags, code: unsafe CodeBytes(raw, nextPage: next), maximumInstructions: limit,
      stopBefore: stopBefore)
    guest.translate(request, into: &builder)
  }
  return builder.block
}

@Suite struct DecodeTests {
  @Test func patternFieldsFollowTheirDescription() throws {
    let branch = try Pattern("iiiiiii ttttt sssss 000 iiiii 1100011; i=12|10:5|4:1|11")
    // beq a0, a1, -16
    #expect(branch.matches(0xFEB5_08E3) && !branch.matches(0xFEB5_18E3))
    #expect(branch.extract("i", from: 0xFEB5_08E3) == -16)
    #expect(branch.extract("s", from: 0xFEB5_08E3) == 10)
    #expect(branch.extract("t", from: 0xFEB5_08E3) == 11)
    let load = try Pattern("010 iii sss ii ddd 00; i=u5:3|2|6 s+8 d+8 i!=0")
    // c.lw a0, 64(a1)
    #expect(load.extract("i", from: 0x41A8) == 64)
    #expect(load.extract("s", from: 0x41A8) == 11)
    #expect(load.extract("d", from: 0x41A8) == 10)
    #expect(load.matches(0x41A8) && !load.matches(0x4188))
    let implied = try Pattern("1001 ddddd ttttt 10; s=d r=7")
    #expect(implied.extract("s", from: 0x952E) == 10)
    #expect(implied.extract("r", from: 0x952E) == 7)
  }

  @Test(arguments: ["0101", "0101 dddd dddd 00!0", "0000 iiii 0000 0000; i=9:7", "0000 0000 0000 0000; q"])
  func badPatternsAreRefused(_ text: String) {
    #expect(throws: PatternError.self) { try Pattern(text) }
  }

  @Test(arguments: ["rv32", "rv64", "rv32imac", "rv64i"])
  func rowsDoNotOverlap(_ model: String) throws {
    let guest = try RISCVGuest(model: model)
    #expect(guest.decoder.overlaps().map { "\($0.0) \($0.1)" } == [])
  }

  @Test func overlapsAreFound() throws {
    let row = { @Sendable (pattern: String) in
      InstructionRow<Int>("x", pattern, "", { _, _ in })
    }
    let table = try DecodeTable(
      [InstructionGroup("X", [row("0000 1111 dddd dddd"), row("0000 dddd 0000 dddd")])], width: 32, shortIndex: [0..<2],
      longIndex: [])
    #expect(table.overlaps().count == 1)
  }

  /// Each row's encodings decode to it, or to a special case of it.
  @Test(arguments: ["rv32", "rv64"])
  func encodingsDecodeToTheirRow(_ model: String) throws {
    let table = try RISCVGuest(model: model).decoder
    var random = SplitMix(seed: 1)
    for row in table.rows.indices {
      let pattern = table.patterns[row]
      for _ in 0..<50 {
        let bits = pattern.randomEncoding(using: &random)
        let found = try #require(table.decode(bits, length: pattern.length)).row
        let special = table.patterns[found].mask
        #expect(found == row || special & pattern.mask == pattern.mask, "\(table.rows[row].name) \(bits)")
      }
    }
  }

  @Test func modelsAreParsed() throws {
    #expect(try RISCVGuest(model: "rv64imac_zba").extensions.isa == "imac_zicsr_zicntr_zba")
    #expect(try RISCVGuest(model: "RV32GC").extensions.isa == "imafdc_zicsr_zifencei_zicntr")
    #expect(throws: RISCVModelError.unknownExtension("v")) { try RISCVGuest(model: "rv64imafdcv") }
    #expect(throws: RISCVModelError.unknownExtension("zvbb")) { try RISCVGuest(model: "rv64i_zvbb") }
    #expect(throws: RISCVModelError.unknownBase("arm")) { try RISCVGuest(model: "arm") }
  }

  @Test func customInstructionsTakePart() throws {
    let custom = InstructionGroup<Translator>(
      "Xdemo", [.init("demo", "0000000 ttttt sssss 000 ddddd 0001011", "d, s, t", { t, i in t.builder.exit(to: 0) })])
    let guest = try RISCVGuest(xlen: 64, .all, custom: [custom])
    #expect(guest.decoder.rows(of: "Xdemo").count == 1)
    #expect(guest.disassemble([0x0B, 0x05, 0xB5, 0x00], pc: 0).text == "demo    a0, a0, a1")
    #expect(translate(guest, [(0x00B5_050B, 4)]).ops.last?.opcode == .exit)
  }
}
