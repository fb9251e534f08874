// Owns the tests of Debian's U-Boot on the virt board: driven by recorded input, reset, switched off.

import Engine
import Machine
import Testing

private let uart = "/soc/serial@10000000"

@Suite struct UBootTests {
  static let isInstalled = Files.exist(Files.openSBI, Files.uBoot)

  /// Keys as a user would press them: one stops the countdown, then commands.
  private static func typed(_ lines: [(ticks: UInt64, text: String)]) -> [RecordedInput] {
    lines.map { RecordedInput(ticks: $0.ticks, device: uart, bytes: Array($0.text.utf8)) }
  }

  private static let session = typed([
    (16_000_000, " "), (20_000_000, "bdinfo\n"), (24_000_000, "md 80200000\n"),
  ])

  private struct Run: Equatable {
    var console: [UInt8]
    var ending: Ending
    var recorded: [RecordedInput]
    var text: String { String(decoding: console, as: UTF8.self) }
  }

  private func made(
    _ host: String = "jit", console: Collector, limit: UInt64? = 28_000_000, noReboot: Bool = false
  ) throws -> Machine {
    try machine("virt", host: host, console: console) {
      $0.bios = Files.openSBI
      $0.kernel = Files.uBoot
      $0.instructionLimit = limit
      $0.noReboot = noReboot
    }
  }

  private func replayed(_ host: String = "jit") throws -> Run {
    let console = Collector()
    let machine = try made(host, console: console)
    machine.setReplay(Self.session)
    #expect(machine.run(ticks: .max) == .requested)
    return Run(console: console.bytes, ending: try Ending(machine), recorded: machine.recorded)
  }

  @Test(.enabled(if: isInstalled)) func recordedInputGivesTheSameRun() throws {
    let first = try replayed()
    for text in ["OpenSBI v1.1", "=> bdinfo", "fdt_blob", "=> md 80200000", "802000f0:"] {
      #expect(first.text.contains(text), "\(text)")
    }
    #expect(first.recorded == Self.session)
    #expect(try replayed() == first)
    #expect(try replayed("interpreter") == first)
  }

  @Test(.enabled(if: isInstalled), arguments: hosts)
  func aSnapshotTakenOnTheWayEndsTheSame(host: String) throws {
    let console = Collector()
    let machine = try made(host, console: console, limit: 24_000_000)
    machine.setReplay(Self.session)
    #expect(machine.run(until: "=> ", on: console, ticks: 24_000_000) == nil)
    let snapshot = try machine.saveSnapshot()
    let count = console.bytes.count
    #expect(machine.run(ticks: .max) == .requested)
    let (end, said) = (try Ending(machine), console.bytes)
    try machine.restore(snapshot)
    console.bytes.removeLast(console.bytes.count - count)
    #expect(machine.run(ticks: .max) == .requested)
    #expect(try Ending(machine) == end)
    #expect(console.bytes == said)
    #expect(console.text.contains("bdinfo"))
  }

  @Test(.enabled(if: isInstalled)) func liveInputIsRecordedAndReplayed() throws {
    let console = Collector()
    let live = try made(console: console)
    #expect(live.run(until: "autoboot", on: console, ticks: 28_000_000) == nil)
    live.inject(Array(" ".utf8), to: uart)
    #expect(live.run(until: "=> ", on: console, ticks: 28_000_000) == nil)
    for character in "bdinfo\n".utf8 {
      live.inject([character], to: uart)
      live.resume()
      live.runRounds(3)
    }
    #expect(live.run(ticks: .max) == .requested)
    #expect(console.text.contains("fdt_blob"))
    #expect(live.recorded.count == 8)
    let again = Collector()
    let replay = try made(console: again)
    replay.setReplay(live.recorded)
    #expect(replay.run(ticks: .max) == .requested)
    #expect(again.bytes == console.bytes)
    #expect(replay.recorded == live.recorded)
    #expect(try Ending(replay) == Ending(live))
  }

  /// A machine at U-Boot's prompt, given a command.
  private func commanded(_ line: String, noReboot: Bool = false, console: Collector) throws -> Machine {
    let machine = try made(console: console, limit: nil, noReboot: noReboot)
    machine.setReplay(Self.typed([(16_000_000, " "), (20_000_000, line + "\n")]))
    #expect(machine.run(until: "=> " + line, on: console, ticks: 24_000_000) == nil)
    return machine
  }

  @Test(.enabled(if: isInstalled)) func resetRestartsTheBoard() throws {
    let console = Collector()
    let machine = try commanded("reset", console: console)
    console.bytes.removeAll()
    #expect(machine.run(until: "autoboot", on: console, ticks: 60_000_000) == nil)
    #expect(console.text.contains("OpenSBI v1.1") && console.text.contains("U-Boot 20"))
    let stopping = try commanded("reset", noReboot: true, console: Collector())
    #expect(stopping.run(ticks: 60_000_000) == .reset)
  }

  @Test(.enabled(if: isInstalled)) func poweroffEndsTheRun() throws {
    let machine = try commanded("poweroff", console: Collector())
    #expect(machine.run(ticks: 60_000_000) == .exited(code: 0))
  }

  @Test(.enabled(if: isInstalled)) func flashAndTestDeviceAnswer() throws {
    let console = Collector()
    let machine = try made(console: console, limit: nil)
    try machine.space.copyIn([0x78, 0x56, 0x34, 0x12], at: 0x2000_0000)
    machine.setReplay(
      Self.typed([
        (16_000_000, " "), (20_000_000, "md 20000000 1\n"), (24_000_000, "mw 20000000 98989898; md 20000040 2\n"),
      ]))
    #expect(machine.run(until: "20000040: ", on: console, ticks: 40_000_000) == nil)
    #expect(machine.run(ticks: 41_000_000) == nil)
    #expect(console.text.contains("20000000: 12345678"))
    #expect(console.text.contains("20000040: 00510051 00520052"), "the CFI query string: \(console.text.suffix(200))")
  }
}
