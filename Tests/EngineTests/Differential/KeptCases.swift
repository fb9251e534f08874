// Owns the cases that once showed a difference, with what the manual says they must leave.

import GuestKit
import GuestRISCV
import Testing

/// Instructions with the registers they start from, and a register's value after them.
struct KeptCase: Sendable, CustomTestStringConvertible {
  let name: String
  let xlen: Int
  let words: [UInt32]
  var x: [Int: UInt64] = [:]
  let register: Int
  let value: UInt64

  var testDescription: String { name }

  static let all = [
    // ctzw s9, a5: QEMU 7.2 goes on counting in the upper half.
    KeptCase(
      name: "ctzw of a word of zeros", xlen: 64, words: [0x6017_9C9B], x: [15: 1 << 37], register: 25, value: 32),
    // The value of slt was lost when divisions claimed its host register.
    KeptCase(
      name: "a truth value across divisions", xlen: 64,
      words: [0x02A9_41BB, 0x0053_5DBB, 0x01F9_AE33, 0x0009_5F93, 0x0361_D53B, 0x03B6_40BB, 0x03C3_DEB3],
      x: [
        5: 0xFFFF_FFFF_0000_0000, 6: 0xFF, 7: 2, 10: 0x12BD_6936, 12: 0x3816_5775, 18: 0x8000_0000_0000_0001,
        19: 0xFFFF_FFFF_FE31_E42D, 22: 0x7F, 31: 0x7AD0_2976_4DC0_AFBD,
      ], register: 29, value: 2),
  ]

  func randomCase(_ guest: RISCVGuest) throws -> RandomCase {
    let table = guest.decoder
    let instructions = try words.map { word in
      guard let found = table.decode(word, length: word & 3 == 3 ? 4 : 2) else {
        throw RunnerError("\(name): \(hex(word)) has no row")
      }
      return CaseInstruction(form: InstructionForm(table.rows[found.row], table.patterns[found.row]), bits: word)
    }
    var registers = [UInt64](repeating: 0, count: 32)
    for pointer in pointerRegisters { registers[pointer] = Place.pointer }
    for (register, value) in x { registers[register] = value }
    return RandomCase(
      instructions: instructions, x: registers, f: Array(repeating: 0, count: 32), fcsr: 0, floatState: 3, reserved: 31)
  }
}

@Suite struct KeptCaseTests {
  @Test(arguments: KeptCase.all) func staysRight(_ kept: KeptCase) throws {
    let guest = try RISCVGuest(model: "rv\(kept.xlen)")
    let batch = Batch([try kept.randomCase(guest)], seed: 0, xlen: kept.xlen)
    for setup in [.reference] + EngineSetup.others {
      let outcome = try EngineRunner(guest, setup).run(batch)[0]
      #expect(outcome.words[kept.register] == kept.value, "\(setup)")
    }
  }
}
