// Owns the tests of Debian's MicroPython for the micro:bit: its prompt, expressions typed to it, and what a run is made of.

import Machine
import Testing

private let uart = "/soc/uart@40002000"

@Suite(.enabled(if: Files.exist(Files.microbit))) struct MicrobitTests {
  private static let typed = [
    RecordedInput(ticks: 40_000_000, device: uart, bytes: Array("1+1\r".utf8)),
    RecordedInput(ticks: 80_000_000, device: uart, bytes: Array("print(\"x\" * 3, 2**70)\r".utf8)),
    RecordedInput(ticks: 120_000_000, device: uart, bytes: Array("import microbit; microbit.temperature()\r".utf8)),
  ]

  private func session(_ host: String) throws -> (text: String, retired: UInt64, digest: UInt64) {
    let console = Collector()
    let machine = try machine("bbc_microbit", of: "arm", host: host, console: console) {
      $0.kernel = Files.microbit
      $0.instructionLimit = 160_000_000
    }
    machine.setReplay(Self.typed)
    #expect(machine.run(ticks: .max) == .requested)
    return (console.text, machine.engine.vcpus[0].retired, try machine.digest())
  }

  @Test func theREPLAnswers() throws {
    let run = try session("jit")
    for text in ["micro:bit v1.0.1 with nRF51822", ">>> 1+1\r\n2\r\n", "xxx 1180591620717411303424", "\n25\r\n>>> "] {
      #expect(run.text.contains(text), "\(text) is not in \(run.text)")
    }
    #expect(try session("jit") == run)
  }

  @Test func bothHostsRunIt() throws {
    for host in hosts {
      let console = Collector()
      let machine = try machine("bbc_microbit", of: "arm", host: host, console: console) { $0.kernel = Files.microbit }
      #expect(machine.run(until: ">>> ", on: console, ticks: 40_000_000) == nil, "\(console.text)")
    }
  }

  /// Run, snapshot, run on; restore, run again: the same end.
  @Test(arguments: hosts) func aSnapshotEndsTheSame(host: String) throws {
    let console = Collector()
    let machine = try machine("bbc_microbit", of: "arm", host: host, console: console) {
      $0.kernel = Files.microbit
      $0.instructionLimit = 100_000_000
    }
    machine.setReplay(Self.typed)
    #expect(machine.run(until: "micro:bit v1.0.1", on: console, ticks: 40_000_000) == nil)
    let snapshot = try machine.saveSnapshot()
    let start = console.bytes.count
    #expect(machine.run(ticks: .max) == .requested)
    let end = (try machine.digest(), Array(console.bytes[start...]))
    let second = console.bytes.count
    try machine.restore(snapshot)
    machine.setReplay(Self.typed)
    #expect(machine.run(ticks: .max) == .requested)
    #expect(try machine.digest() == end.0)
    #expect(Array(console.bytes[second...]) == end.1)
  }

  @Test func anImageWithoutHandlersLocksUp() throws {
    // The stack pointer, the reset handler at 8, and there an undefined instruction; no other vectors.
    let start: [UInt8] = [0, 0x40, 0, 0x20, 9, 0, 0, 0, 0, 0xDE]
    let image = try TemporaryFile(start + [UInt8](repeating: 0, count: 246))
    let machine = try machine("bbc_microbit", of: "arm") { $0.kernel = image.path }
    guard case .lockedUp(_, let text) = try #require(machine.run(ticks: 1_000_000)) else {
      Issue.record("ended by \(machine.lastStop)")
      return
    }
    #expect(text.contains("a fault in its HardFault handler"), "\(text)")
  }
}
