// Debian's own firmware, booted.

import Engine
import GuestKit
import Machine
import Testing

@Suite struct FirmwareTests {
  static let isInstalled = Files.exist(Files.openSBI, Files.uBoot)

  @Test(.enabled(if: isInstalled), arguments: ["jit", "interpreter"])
  func openSBIReachesUBoot(_ host: String) throws {
    var configuration = MachineConfiguration(board: boardsFolder + "riscv/virt.dts")
    configuration.bios = Files.openSBI
    configuration.kernel = Files.uBoot
    configuration.host = host
    let console = Collector()
    let machine = try Machine.make(configuration, registry: registry, backends: [console]) { print($0, $1) }
    machine.engine.log.items = [.guestErrors, .unimp]
    let stop = machine.run(until: "=> ", on: console, ticks: 400_000_000)
    print(console.text)
    #expect(stop == nil)
    #expect(console.text.contains("OpenSBI v1.1"))
    #expect(console.text.contains("=> "))
  }
}
