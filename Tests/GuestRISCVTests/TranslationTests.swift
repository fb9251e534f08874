// Tests where blocks end and how, and that whatever bytes are translated the block is sound.

import GuestKit
import GuestRISCV
import IR
import TestSupport
import Testing

@Suite struct TranslationTests {
  let rv64: RISCVGuest
  let rv32: RISCVGuest

  init() throws {
    rv64 = try RISCVGuest(model: "rv64")
    rv32 = try RISCVGuest(model: "rv32")
  }

  private func verify(_ block: Block, _ guest: RISCVGuest) throws {
    try Verifier(registers: guest.registerFile.registers.map(\.type), helpers: guest.helpers.map(\.effects))
      .verify(block)
  }

  @Test(arguments: ["rv32", "rv64", "rv32i", "rv64imac"])
  func randomBytesGiveSoundBlocks(_ model: String) throws {
    let guest = try RISCVGuest(model: model)
    var random = SplitMix(seed: 7)
    for _ in 0..<3000 {
      let bytes = (0..<64).map { _ in UInt8.random(in: 0...255, using: &random) }
      let block = translate(
        guest, bytes: bytes, pc: 0x8000_0FC0, flags: TranslationFlags.random(in: 0...63, using: &random))
      try verify(block, guest)
      #expect(block.instructionCount >= 1)
    }
  }

  /// Every row alone, with random fields, in every state of the flags' low bits.
  @Test(arguments: ["rv32", "rv64", "rv64i", "rv32i"])
  func everyRowGivesASoundBlock(_ model: String) throws {
    let guest = try RISCVGuest(model: model)
    var random = SplitMix(seed: 3)
    for pattern in guest.decoder.patterns {
      for _ in 0..<40 {
        let bits = pattern.randomEncoding(using: &random)
        let block = translate(
          guest, [(bits, pattern.length)], flags: TranslationFlags.random(in: 0...0xFFF, using: &random), limit: 1)
        try verify(block, guest)
        #expect(block.instructionCount == 1)
      }
    }
  }

  @Test func blocksGoOnPastBranches() throws {
    // addi a0, a0, -1; bnez a0, .-4; addi a1, a1, 1; ret
    let block = translate(rv64, [(0xFFF5_0513, 4), (0xFE05_1EE3, 4), (0x0015_8593, 4), (0x8082, 2)])
    try verify(block, rv64)
    #expect(block.instructionCount == 4)
    let side = try #require(block.ops.first { $0.opcode == .exitIf })
    #expect(side.imm == 0x8000_0000 && side.extra == 2 && side.exitFlags == [.checksBudget])
    let end = try #require(block.ops.last)
    #expect(end.opcode == .exitIndirect && end.extra == 4 && end.exitFlags == [.checksBudget, .isReturn])
  }

  @Test func jumpsSayWhatTheyAre() throws {
    // jal ra, .+2048
    var end = try #require(translate(rv64, [(0x0010_00EF, 4)]).ops.last)
    #expect(end.opcode == .exit && end.imm == 0x8000_0800 && end.exitFlags == [.isCall])
    // j .
    end = try #require(translate(rv64, [(0xA001, 2)]).ops.last)
    #expect(end.imm == 0x8000_0000 && end.exitFlags == [.checksBudget])
    // jalr t0, 0(ra): return and call
    end = try #require(translate(rv64, [(0x0000_82E7, 4)]).ops.last)
    #expect(end.exitFlags == [.checksBudget, .isCall, .isReturn])
    // jalr ra, 0(ra): call only
    end = try #require(translate(rv64, [(0x0000_80E7, 4)]).ops.last)
    #expect(end.exitFlags == [.checksBudget, .isCall])
  }

  @Test func rv32AddressesWrap() throws {
    // j .-4 at 0
    let end = try #require(translate(rv32, [(0xFFDF_F06F, 4)], pc: 0).ops.last)
    #expect(end.imm == 0xFFFF_FFFC && end.exitFlags == [])
  }

  @Test func blocksStopWhereAsked() throws {
    let nops = Array(repeating: (bits: UInt32(0x13), length: 4), count: 100)
    #expect(translate(rv64, nops).instructionCount == 64)
    #expect(translate(rv64, nops, limit: 3).ops.last?.imm == 0x8000_000C)
    let stopped = translate(rv64, nops, stopBefore: [0x7000_0000, 0x8000_0000, 0x8000_0008])
    #expect(stopped.instructionCount == 2 && stopped.ops.last?.imm == 0x8000_0008)
  }

  @Test func instructionsMayCrossPages() throws {
    // c.nop, then the first half of addi a0, a0, 1 at the end of the page.
    let before = translate(rv64, bytes: [0x01, 0x00, 0x13, 0x05], pc: 0xFFC)
    #expect(before.instructionCount == 1 && before.ops.last?.imm == 0xFFE)
    let crossing = translate(
      rv64, bytes: [0x13, 0x05], pc: 0xFFE, next: { .success([0x15, 0, 0x34, 0x12].dropLast(4 - $0)) })
    #expect(crossing.instructionCount == 1 && crossing.ops.last?.imm == 0x1002)
    #expect(crossing.ops.contains { $0.opcode == .const && $0.imm == 1 })
    let faulting = translate(rv64, bytes: [0x13, 0x05], pc: 0xFFE)
    let raise = try #require(faulting.ops.last)
    #expect(raise.opcode == .raise && raise.imm == 12 && raise.extra == 0)
  }

  @Test func illegalEncodingsRaise() throws {
    for (bits, length) in [(UInt32(0), 2), (0xFFFF_FFFF, 4)] {
      let block = translate(rv64, [(0x13, 4), (bits, length)])
      let raise = try #require(block.ops.last)
      #expect(raise.opcode == .raise && raise.imm == 2 && raise.extra == 1)
      #expect(block.ops.contains { $0.opcode == .const && $0.imm == Int64(bits) })
    }
  }

  @Test func jumpTargetsMustBeAlignedWithoutC() throws {
    let guest = try RISCVGuest(model: "rv32i")
    // j .+2
    let jump = try #require(translate(guest, [(0x0020_006F, 4)]).ops.last)
    #expect(jump.opcode == .raise && jump.imm == 0)
    // beq a0, a1, .+6
    let branch = translate(guest, [(0x00B5_0363, 4)])
    #expect(branch.ops.last?.opcode == .raise)
    #expect(branch.ops.contains { $0.opcode == .exitIf && $0.imm == 0x8000_0004 })
    // jr 2(a0)
    #expect(translate(guest, [(0x0025_0067, 4)]).ops.contains { $0.opcode == .call })
  }
}
