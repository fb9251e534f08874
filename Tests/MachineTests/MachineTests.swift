// Owns the tests that Debian's own firmware boots, in the ways that users start it.

import Machine
import Testing

@Suite struct FirmwareTests {
  @Test(.enabled(if: Files.exist(Files.machineModeUBoot)), arguments: hosts)
  func uBootRunsWithoutFirmwareBelowIt(host: String) throws {
    let console = Collector()
    let machine = try machine("virt", host: host, console: console) { $0.bios = Files.machineModeUBoot }
    #expect(machine.run(until: "autoboot", on: console, ticks: 100_000_000) == nil)
    #expect(console.text.contains("Model: riscv-virtio"), "\(console.text)")
  }

  @Test(.enabled(if: Files.exist(Files.openSBI, Files.uBoot)))
  func fourHartsAndMoreMemoryReachUBoot() throws {
    let console = Collector()
    let machine = try machine("virt", console: console) {
      $0.bios = Files.openSBI
      $0.kernel = Files.uBoot
      $0.cpuCount = 4
      $0.memorySize = 4 << 30
    }
    #expect(machine.run(until: "autoboot", on: console, ticks: 100_000_000) == nil)
    for text in ["Platform HART Count       : 4", "DRAM:  4 GiB"] {
      #expect(console.text.contains(text), "\(console.text)")
    }
  }
}
