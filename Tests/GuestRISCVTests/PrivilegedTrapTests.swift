// Trap entry and return, delegation, interrupt priorities.

import GuestKit
import GuestRISCV
import IR
import Testing

@Suite struct PrivilegedTrapTests {
  @Test func machineTrapStacksModeAndInterruptEnable() throws {
    let hart = try TestHart(pc: 0x8000_0010)
    hart["mtvec"] = 0x8000_1000
    hart["mstatus"] = 1 << 3
    hart["priv"] = 0
    hart.guest.enterException(hart.cpu, GuestException(cause: 8))
    #expect(hart["priv"] == 3)
    #expect(hart["pc"] == 0x8000_1000)
    #expect(hart["mepc"] == 0x8000_0010)
    #expect(hart["mcause"] == 8)
    #expect(hart["mstatus"] & 0x1FFF == 1 << 7)
    #expect(hart.call("mret") == 0x8000_0010)
    #expect(hart["priv"] == 0)
    #expect(hart["mstatus"] & 0x1FFF == 1 << 7 | 1 << 3)
    #expect(hart.context.modeChanges == 1 && hart.context.stateChanges == 0)
    // An interrupt that the return lets come is to be taken at once.
    hart["mie"] = 0x80
    hart.guest.setInterruptLine(hart.cpu, 7, true)
    _ = hart.call("mret")
    #expect(hart.context.modeChanges == 2 && hart.context.stateChanges == 1)
  }

  @Test func returnClearsMPRVUnlessToMachineMode() throws {
    let hart = try TestHart()
    hart["mstatus"] = 1 << 17 | 3 << 11
    _ = hart.call("mret")
    #expect(hart["mstatus"] >> 17 & 1 == 1)
    hart["mstatus"] = 1 << 17 | 1 << 11
    _ = hart.call("mret")
    #expect(hart["mstatus"] >> 17 & 1 == 0)
    #expect(hart["priv"] == 1)
  }

  @Test func delegatedTrapGoesToSupervisorFromBelowOnly() throws {
    let hart = try TestHart()
    hart["medeleg"] = 1 << 13
    hart["stvec"] = 0x8020_0000
    hart["mtvec"] = 0x8000_1000
    hart["priv"] = 1
    hart.guest.enterException(hart.cpu, GuestException(cause: 13, value: 0x1234))
    #expect(hart["priv"] == 1)
    #expect(hart["stval"] == 0x1234)
    #expect(hart["scause"] == 13)
    #expect(hart["sstatus"] >> 8 & 1 == 1)
    #expect(hart["pc"] == 0x8020_0000)
    hart["priv"] = 3
    hart.guest.enterException(hart.cpu, GuestException(cause: 13, value: 0x1234))
    #expect(hart["pc"] == 0x8000_1000)
  }

  @Test func callsFromMachineModeAreNeverDelegated() throws {
    let hart = try TestHart()
    hart["medeleg"] = 0xFFFF
    #expect(hart["medeleg"] == 0xB3FF)
  }

  @Test func vectoredInterruptsJumpByCause() throws {
    let hart = try TestHart()
    hart["mtvec"] = 0x8000_1001
    hart["mie"] = 1 << 7
    hart["mstatus"] = 1 << 3
    hart.guest.setInterruptLine(hart.cpu, 7, true)
    let interrupt = try #require(hart.guest.pendingInterrupt(hart.cpu))
    #expect(interrupt.cause == UInt64(1) << 63 | 7)
    hart.guest.enterException(hart.cpu, interrupt)
    #expect(hart["pc"] == 0x8000_101C)
    #expect(hart.guest.pendingInterrupt(hart.cpu) == nil)
    #expect(hart.guest.wakesFromWait(hart.cpu))
    hart.guest.enterException(hart.cpu, GuestException(cause: 2))
    #expect(hart["pc"] == 0x8000_1000)
  }

  @Test func interruptsAreTakenInOrderOfUrgency() throws {
    let hart = try TestHart("rv32")
    hart["mie"] = 0xAAA
    hart["mideleg"] = 0x222
    for line in [1, 3, 5, 7, 9, 11] { hart.guest.setInterruptLine(hart.cpu, line, true) }
    hart["priv"] = 0
    var order: [UInt64] = []
    while let interrupt = hart.guest.pendingInterrupt(hart.cpu) {
      #expect(interrupt.cause >> 31 == 1)
      order.append(interrupt.cause & 0xFF)
      hart.guest.setInterruptLine(hart.cpu, Int(interrupt.cause & 0xFF), false)
    }
    #expect(order == [11, 3, 7, 9, 1, 5])
  }

  @Test func enablesCountOnlyInTheirOwnMode() throws {
    let hart = try TestHart()
    hart["mie"] = 0xAAA
    hart["mideleg"] = 0x222
    hart.guest.setInterruptLine(hart.cpu, 5, true)
    hart["mstatus"] = 1 << 3 | 1 << 1
    #expect(hart.guest.pendingInterrupt(hart.cpu) == nil)
    hart["priv"] = 1
    #expect(hart.guest.pendingInterrupt(hart.cpu)?.cause == UInt64(1) << 63 | 5)
    hart["mstatus"] = 1 << 3
    #expect(hart.guest.pendingInterrupt(hart.cpu) == nil)
    hart["priv"] = 0
    #expect(hart.guest.pendingInterrupt(hart.cpu) != nil)
  }

  @Test func supervisorReturnObeysTSR() throws {
    let hart = try TestHart()
    hart["sepc"] = 0x8000_0400
    hart["mstatus"] = 1 << 8 | 1 << 5
    hart["priv"] = 1
    #expect(hart.call("sret") == 0x8000_0400)
    #expect(hart["priv"] == 1)
    #expect(hart["sstatus"] & 0x122 == 0x22)
    hart["mstatus"] = 1 << 22
    #expect(hart.call("sret", imm: 0x1020_0073) == nil)
    #expect(hart.cpu.exceptionValue == 0x1020_0073)
  }

  @Test func exceptionPCKeepsInstructionAlignment() throws {
    let compressed = try TestHart("rv64gc")
    compressed["mepc"] = 0x8000_0003
    #expect(compressed["mepc"] == 0x8000_0002)
    let plain = try TestHart("rv64g")
    plain["mepc"] = 0x8000_0003
    #expect(plain["mepc"] == 0x8000_0000)
  }
}
