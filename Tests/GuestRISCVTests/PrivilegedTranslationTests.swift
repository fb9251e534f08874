// What CSR, privileged and floating-point instructions translate to, and floating-point helpers.

import GuestKit
import GuestRISCV
import IR
import Testing

@Suite struct PrivilegedTranslationTests {
  private func block(_ hart: TestHart, _ words: [UInt32], semihosting: Bool = false) throws -> Block {
    let guest =
      semihosting ? try RISCVGuest(model: "rv64", semihosting: true) : hart.guest
    let bytes = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * UInt32($0))) } }
    return unsafe bytes.withUnsafeBytes { buffer in
      var builder = Builder(pc: 0x8000_0000)
      let code = unsafe CodeBytes(buffer) { _ in .failure(GuestException(cause: 12)) }
      let request = TranslationRequest(
        pc: 0x8000_0000, flags: guest.translationFlags(hart.cpu), code: code, maximumInstructions: words.count,
        stopBefore: [])
      guest.translate(request, into: &builder)
      return builder.block
    }
  }

  private func raised(_ block: Block) -> Int64? {
    block.ops.last?.opcode == .raise ? block.ops.last?.imm : nil
  }

  @Test func callsNameTheirMode() throws {
    let hart = try TestHart()
    for (mode, cause) in [(3, 11), (1, 9), (0, 8)] as [(UInt64, UInt64)] {
      hart["priv"] = mode
      #expect(hart.call("ecall") == nil && hart.cpu.exitReason == .exception && hart.cpu.exceptionCause == cause)
    }
    // The handler is looked up; the call does not retire.
    let block = try block(hart, [0x13, 0x73])
    #expect(block.ops.last?.opcode == .exitIndirect && block.ops.last?.extra == 0)
  }

  @Test func stateWritesEndTheBlockAndScratchWritesDoNot() throws {
    let hart = try TestHart()
    // csrw mstatus, a0; nop: goes on inside if nothing but interrupts depends on the bits that change, else is looked up.
    let status = try block(hart, [0x3005_1073, 0x13])
    let exits = status.ops.filter { $0.opcode == .exitIf || $0.opcode == .exit }.prefix(2)
    #expect(exits.map(\.exitFlags) == [.checksBudget, [.checksBudget, .unchainable]])
    // csrw pmpcfg0, a0; nop
    let protection = try block(hart, [0x3A05_1073, 0x13])
    #expect(protection.instructionCount == 1)
    #expect(protection.ops.last?.opcode == .exitWith)
    #expect(protection.ops.last?.aux == UInt16(ExitReason.stateChanged.rawValue))
    // csrr a0, mstatus; csrw mscratch, a0; nop
    #expect(try block(hart, [0x3000_2573, 0x3405_1073, 0x13]).instructionCount == 3)
  }

  @Test func floatingPointNeedsTheUnitOn() throws {
    let hart = try TestHart()
    // fadd.s fa0, fa0, fa1
    let fadd: UInt32 = 0x00B5_7553
    #expect(raised(try block(hart, [fadd, 0x13])) == 2)
    hart["mstatus"] = 1 << 13
    let clean = try block(hart, [fadd, fadd])
    #expect(clean.instructionCount == 1 && clean.ops.last?.opcode == .exitWith)
    hart["mstatus"] = 3 << 13
    #expect(try block(hart, [fadd, fadd]).instructionCount == 2)
    // Dynamic rounding with a reserved frm, and static reserved rounding.
    hart["frm"] = 5
    #expect(raised(try block(hart, [fadd, 0x13])) == 2)
    #expect(raised(try block(hart, [fadd & ~0x7000 | 0x5000, 0x13])) == 2)
    #expect(raised(try block(hart, [fadd & ~0x7000])) == nil)
  }

  @Test func breakpointsBetweenMarkersAreSemihostingCalls() throws {
    let hart = try TestHart()
    let sequence: [UInt32] = [0x01F0_1013, 0x0010_0073, 0x4070_5013]
    #expect(raised(try block(hart, sequence)) == 3)
    let call = try block(hart, sequence, semihosting: true)
    #expect(call.ops.last?.aux == UInt16(ExitReason.semihosting.rawValue))
    #expect(call.ops.last?.imm == 0x8000_0004)
    #expect(call.ops.last?.extra == 1)
    #expect(raised(try block(hart, [0x13, 0x0010_0073, 0x4070_5013], semihosting: true)) == 3)
  }

  @Test func privilegedReturnsAreIllegalBelowTheirMode() throws {
    let hart = try TestHart()
    #expect(raised(try block(hart, [0x3020_0073])) == nil)
    hart["priv"] = 1
    #expect(raised(try block(hart, [0x3020_0073])) == 2)
    #expect(raised(try block(hart, [0x1020_0073])) == nil)
    hart["priv"] = 0
    #expect(raised(try block(hart, [0x1020_0073])) == 2)
    #expect(raised(try block(hart, [0x1050_0073])) == 2)
    #expect(raised(try block(hart, [0x1200_0073])) == 2)
  }
}
