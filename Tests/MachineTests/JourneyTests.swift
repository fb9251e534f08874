// Random journeys through the past: whatever way leads to a point of a run, and on from it, all is as it was the first time, and
// the console has shown everything once.
//
// MARTLET_JOURNEYS is the number of journeys in each program, MARTLET_SEED the first one's seed.

import Bus
import Engine
import Foundation
import Machine
import TestSupport
import Testing

/// What is run, with tasks, interrupts, code that is written, or all of it.
enum JourneyProgram: CaseIterable, Sendable {
  case schedulerARM, schedulerRISCV32, schedulerRISCV64, bootLoader

  /// Ticks that its run takes here.
  var length: UInt64 { self == .bootLoader ? 12_000_000 : 400_000 }

  var isHere: Bool {
    switch self {
    case .bootLoader:
      #if DEBUG
        false
      #else
        Files.exist(Files.openSBI, Files.uBoot)
      #endif
    default: SchedulerFirmware.canBuild
    }
  }

  /// The machine, and what has to live as long.
  func machine(host: String, harts: Int, console: Collector) throws -> (Machine, AnyObject?) {
    guard self != .bootLoader else {
      let machine = try MachineTests.machine("virt", host: host, console: console) {
        ($0.bios, $0.kernel, $0.cpuCount) = (Files.openSBI, Files.uBoot, harts)
      }
      return (machine, nil)
    }
    let firmware = try SchedulerFirmware(self == .schedulerARM ? .arm : self == .schedulerRISCV32 ? .riscv32 : .riscv64)
    let isARM = self == .schedulerARM
    let machine = try MachineTests.machine(
      isARM ? "mps2_an385" : "virt", of: isARM ? "arm" : "riscv", host: host, console: console
    ) {
      if isARM {
        $0.kernel = firmware.path
      } else {
        ($0.bios, $0.cpuCount) = (firmware.path, harts)
        $0.cpuModel = self == .schedulerRISCV32 ? "rv32" : "rv64"
      }
    }
    return (machine, firmware)
  }
}

@Suite struct JourneyTests {
  private static let count = Int(ProcessInfo.processInfo.environment["MARTLET_JOURNEYS"] ?? "") ?? 12
  private static let seed = UInt64(ProcessInfo.processInfo.environment["MARTLET_SEED"] ?? "") ?? 1

  private struct Place {
    var position: Position
    var ending: Ending
  }

  private func arrive(_ machine: Machine) {
    for _ in 0..<1_000_000 where machine.isRunning { machine.runRounds(1) }
  }

  @Test(arguments: JourneyProgram.allCases, hosts)
  func allIsAsItWas(program: JourneyProgram, host: String) throws {
    guard program.isHere else { return }
    for harts in program == .schedulerARM ? [1] : [1, 2] {
      let console = Collector()
      let (machine, holder) = try program.machine(host: host, harts: harts, console: console)
      try machine.keepTimeline(limit: 48 << 20, spacing: 0.0005)
      var random = SplitMix(seed: Self.seed)
      var places: [Place] = []
      let key = Array("\n".utf8)
      while machine.position.ticks < program.length {
        if let path = machine.devices.first(where: { $0.device is any CharacterDevice })?.path, places.count % 4 == 2 {
          machine.inject(key, to: path)
        }
        let ticks = machine.position.ticks + .random(in: 1...program.length / 8, using: &random)
        _ = machine.run(ticks: min(ticks, program.length))
        places.append(Place(position: machine.position, ending: try Ending(machine)))
      }
      let shown = console.text
      let end = places[places.count - 1]
      for _ in 0..<Self.count {
        let place = places.randomElement(using: &random)!
        switch Int.random(in: 0..<4, using: &random) {
        case 0: break
        case 1:
          let ticks = UInt64.random(in: 1..<program.length, using: &random)
          try machine.reverse(.reach(hart: .random(in: 0..<harts, using: &random), ticks: ticks))
          arrive(machine)
        case 2:
          try machine.reverse(.go(place.position))
          arrive(machine)
          let hart = Int.random(in: 0..<harts, using: &random)
          for _ in 0..<Int.random(in: 1...5, using: &random) {
            try machine.reverse(.step(hart: hart))
            arrive(machine)
          }
        default: _ = machine.run(ticks: .random(in: 1...program.length, using: &random))
        }
        try machine.reverse(.go(place.position))
        arrive(machine)
        #expect(machine.position == place.position, "\(program), \(harts) harts: \(machine.lastStop)")
        #expect(try Ending(machine) == place.ending, "\(program), \(harts) harts")
        if Int.random(in: 0..<8, using: &random) == 0 {
          try machine.reverse(.go(end.position))
          arrive(machine)
          #expect(try Ending(machine) == end.ending, "\(program), \(harts) harts")
        }
      }
      #expect(console.text == shown)
      withExtendedLifetime(holder) {}
    }
  }
}
