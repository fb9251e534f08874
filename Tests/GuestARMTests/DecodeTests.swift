// Tests the decode table: no rows contradict each other, and nothing in the front end minds what the guest executes.

import GuestARM
import GuestKit
import IR
import Testing

/// A small fast generator, so that failures repeat.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

/// An encoding as it stands in memory: halfwords, the first one first.
func memory(_ bits: UInt32, _ length: Int) -> [UInt8] {
  let word = length == 4 ? bits << 16 | bits >> 16 : bits
  return (0..<length).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) }
}

func translate(_ guest: ARMGuest, bytes: [UInt8], pc: UInt64 = 0x8000, flags: TranslationFlags = 0x100) -> Block {
  var builder = Builder(pc: pc)
  unsafe bytes.withUnsafeBytes { raw in
    let code = unsafe CodeBytes(raw) { _ in .failure(GuestException(cause: 5, value: 0x1000)) }
    let request = TranslationRequest(pc: pc, flags: flags, code: code, maximumInstructions: 64, stopBefore: [])
    guest.translate(request, into: &builder)
  }
  return builder.block
}

@Suite struct DecodeTests {
  @Test(arguments: CPUModel.all.map(\.name))
  func noRowsContradictEachOther(model: String) throws {
    #expect(try ARMGuest(model: model).decoder.overlaps().map { "\($0.0) and \($0.1)" } == [])
  }

  @Test(arguments: CPUModel.all.map(\.name))
  func anyCodeTranslates(model: String) throws {
    let guest = try ARMGuest(model: model)
    var random = SplitMix(1)
    for _ in 0..<2000 {
      let bytes = (0..<64).map { _ in UInt8.random(in: 0...255, using: &random) }
      let block = translate(guest, bytes: bytes, flags: TranslationFlags.random(in: 0...0x7FF, using: &random))
      #expect(block.ops.last?.opcode.endsBlock == true)
    }
  }

  /// Every row alone, with random fields, is IR that the verifier accepts.
  @Test(arguments: CPUModel.all.map(\.name))
  func everyRowGivesASoundBlock(model: String) throws {
    let guest = try ARMGuest(model: model)
    let verifier = Verifier(
      registers: guest.registerFile.registers.map(\.type), helpers: guest.helpers.map(\.effects))
    var random = SplitMix(5)
    for (row, pattern) in guest.decoder.patterns.enumerated() {
      for _ in 0..<40 {
        let bytes = memory(pattern.randomEncoding(using: &random), pattern.length)
        // Privileged or not, with the traps of CCR and a stack limit in all combinations; outside of IT blocks.
        let flags = TranslationFlags.random(in: 0...31, using: &random) << 8
        let block = translate(guest, bytes: bytes, flags: flags)
        do throws(VerificationError) { try verifier.verify(block) } catch {
          Issue.record("\(guest.decoder.rows[row].name): \(error)")
        }
      }
    }
  }

  @Test func unknownModelsAreNamed() {
    #expect(throws: ARMModelError.unknownModel("cortex-m99")) { try ARMGuest(model: "cortex-m99") }
  }
}
