// CSR access rules: privilege, read-only numbers, WARL fields, views, counters.

import GuestKit
import GuestRISCV
import IR
import Testing

@Suite struct PrivilegedCSRTests {
  @Test func writeSetAndClearReturnTheOldValue() throws {
    let hart = try TestHart()
    #expect(hart.csr(.write, 0x340, 0xF0) == 0)
    #expect(hart.csr(.set, 0x340, 0x0F) == 0xF0)
    #expect(hart.csr(.clear, 0x340, 0x3C) == 0xFF)
    #expect(hart.csr(.set, 0x340) == 0xC3)
  }

  @Test func missingPrivilegeIsIllegalWithTheEncodingAsValue() throws {
    let hart = try TestHart()
    hart["priv"] = 1
    #expect(hart.csr(.set, 0x300) == nil)
    #expect(hart.cpu.exitReason == .exception)
    #expect(hart.cpu.exceptionCause == 2)
    #expect(hart.cpu.exceptionValue == 0x3000_2073)
    #expect(hart.csr(.set, 0x100) != nil)
  }

  @Test func readOnlyNumbersCanBeReadAndNotWritten() throws {
    let hart = try TestHart()
    #expect(hart.csr(.set, 0xF14) == 0)
    #expect(hart.csr(.write, 0xF14, 1) == nil)
    #expect(hart.csr(.clear, 0xC00, 1) == nil)
    #expect(hart.csr(.set, 0xC00) != nil)
  }

  @Test(arguments: [0x015, 0x3B0 + 16, 0x7B0, 0x310, 0x600, 0x3A1] as [UInt64])
  func unknownNumbersAreIllegal(_ number: UInt64) throws {
    #expect(try TestHart().csr(.set, number) == nil)
  }

  @Test func statusKeepsLegalValuesOnly() throws {
    let hart = try TestHart()
    hart["mstatus"] = 3 << 11
    hart["mstatus"] = 2 << 11
    #expect(hart["mstatus"] >> 11 & 3 == 3)
    hart["mstatus"] = 1 << 11 | 3 << 13
    #expect(hart["mstatus"] == UInt64(1) << 63 | 2 << 32 | 2 << 34 | 3 << 13 | 1 << 11)
    #expect(hart["sstatus"] == UInt64(1) << 63 | 2 << 32 | 3 << 13)
    hart["sstatus"] = 1 << 18
    #expect(hart["mstatus"] & 0xFFFF_FFFF == 1 << 18 | 1 << 11)
  }

  @Test func narrowHartsHaveNarrowStatus() throws {
    let hart = try TestHart("rv32")
    hart["mstatus"] = 3 << 13
    #expect(hart["mstatus"] == 1 << 31 | 3 << 13)
    #expect(hart.csr(.set, 0x310) == 0)
  }

  @Test func floatRegistersNeedTheUnitOnAndMakeItDirty() throws {
    let hart = try TestHart()
    #expect(hart.csr(.write, 3, 0xFF) == nil)
    hart["mstatus"] = 1 << 13
    #expect(hart.csr(.write, 3, 0xE5) == 0)
    #expect(hart["fflags"] == 5)
    #expect(hart["frm"] == 7)
    #expect(hart["mstatus"] >> 13 & 3 == 3)
  }

  @Test func countersAreReadAfterTheWriteAsWritten() throws {
    let hart = try TestHart()
    hart.context.retired = 1000
    #expect(hart.csr(.write, 0xB02, 5) == 1000)
    #expect(hart.csr(.set, 0xB02) == 5)
    #expect(hart.csr(.set, 0xB02) == 6)
    #expect(hart.csr(.set, 0xB00) == 1003)
    hart["minstret"] = 7
    #expect(hart["minstret"] == 7)
  }

  @Test func inhibitedCountersStandStill() throws {
    let hart = try TestHart()
    _ = hart.csr(.write, 0xB02, 50)
    _ = hart.csr(.write, 0x320, 4)
    hart.context.retired += 100
    #expect(hart.csr(.set, 0xB02) == 51)
    _ = hart.csr(.write, 0x320, 0)
    hart.context.retired += 10
    #expect(hart.csr(.set, 0xB02) == 61)
  }

  @Test func narrowCountersAreWrittenByHalves() throws {
    let hart = try TestHart("rv32")
    _ = hart.csr(.write, 0xB02, 0xFFFF_FFFF)
    _ = hart.csr(.write, 0xB82, 0xFFFF_FFFF)
    hart.context.retired += 1
    #expect(hart.csr(.set, 0xB02) == 0)
    #expect(hart.csr(.set, 0xB82) == 0)
  }

  @Test func counterEnablesGateLowerModes() throws {
    let hart = try TestHart()
    hart.context.time = 77
    hart["priv"] = 1
    #expect(hart.csr(.set, 0xC01) == nil)
    hart["mcounteren"] = 2
    #expect(hart.csr(.set, 0xC01) == 77)
    hart["priv"] = 0
    #expect(hart.csr(.set, 0xC01) == nil)
    hart["scounteren"] = 2
    #expect(hart.csr(.set, 0xC01) == 77)
  }

  @Test func translationBaseIgnoresUnknownModesAndObeysTVM() throws {
    let hart = try TestHart()
    hart["satp"] = 8 << 60 | 0x80000
    hart["satp"] = 10 << 60 | 0x1234
    #expect(hart["satp"] == UInt64(8) << 60 | 0x80000)
    #expect(hart.context.flushes == 0)
    hart["mstatus"] = 1 << 20
    hart["priv"] = 1
    #expect(hart.csr(.set, 0x180) == nil)
    #expect(hart.call("sfence_vma", imm: 0x1200_0073) == nil)
  }

  @Test func supervisorViewsShowWhatIsDelegated() throws {
    let hart = try TestHart()
    hart["mie"] = 0xFFFF
    #expect(hart["mie"] == 0xAAA)
    #expect(hart["sie"] == 0)
    hart["mideleg"] = 0xFFFF
    #expect(hart["mideleg"] == 0x222)
    #expect(hart["sie"] == 0x222)
    hart["sip"] = 0x222
    #expect(hart["mip"] == 0x2)
  }

  @Test func externalLineIsNotCopiedIntoTheSoftwareBit() throws {
    let hart = try TestHart()
    hart.guest.setInterruptLine(hart.cpu, 9, true)
    #expect(hart.csr(.set, 0x344, 0x20) == 0x200)
    hart.guest.setInterruptLine(hart.cpu, 9, false)
    #expect(hart["mip"] == 0x20)
  }

  @Test func modelsWithoutSupervisorLackItsRegisters() throws {
    let guest = try RISCVGuest(xlen: 32, [.m, .c, .zicsr, .user])
    #expect(guest.registerFile.index(of: "mstatus") != nil)
    #expect(guest.registerFile.registers[guest.registerFile.index(of: "satp")!].gdbNumber == nil)
    #expect(guest.registerFile.index(of: "sstatus") == nil)
    #expect(guest.registerFile.registers[32].gdbNumber == 32)
  }

  @Test func misaNamesTheExtensions() throws {
    #expect(try TestHart("rv64gc")["misa"] == 2 << 62 | 0x14112D)
    #expect(try TestHart("rv32imac")["misa"] == 1 << 30 | 0x141105)
  }
}
