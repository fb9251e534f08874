// Tests of going back in time: whatever way leads to a point of a run, the machine stands there as it did the first time.

import Engine
import Foundation
import Machine
import TestSupport
import Testing

@Suite struct TimelineTests {
  /// Every hart takes timer interrupts, adds to a shared word.
  private func made(host: String, harts: Int) throws -> Machine {
    let file = try TemporaryFile(words: interruptedProgram)
    let machine = try machine("virt", host: host) {
      $0.bios = file.path
      $0.cpuCount = harts
      $0.quantum = 10_000
    }
    try machine.keepTimeline(limit: 64 << 20, spacing: 0)
    return machine
  }

  /// Lets a machine that is on its way back arrive.
  private func arrive(_ machine: Machine) {
    for _ in 0..<1_000_000 where machine.isRunning { machine.runRounds(1) }
    #expect(!machine.isRunning)
  }

  @Test(arguments: [1, 3], hosts) func everyWayLeadsToTheSamePlace(harts: Int, host: String) throws {
    let machine = try made(host: host, harts: harts)
    var places: [(position: Position, ending: Ending)] = [(machine.position, try Ending(machine))]
    for ticks in stride(from: UInt64(7_777), to: 300_000, by: 13_131) {
      #expect(machine.run(ticks: ticks) == nil)
      machine.stop()
      places.append((machine.position, try Ending(machine)))
    }
    var random = SplitMix(seed: 1818)
    for _ in 0..<60 {
      let place = try #require(places.randomElement(using: &random))
      try machine.reverse(.go(place.position))
      arrive(machine)
      #expect(machine.position == place.position, "\(machine.lastStop)")
      #expect(try Ending(machine) == place.ending)
      if Bool.random(using: &random) { #expect(machine.run(ticks: place.position.ticks + 20_000) == nil) }
      machine.stop()
    }
  }

  @Test(arguments: hosts) func stepsBackUndoSteps(host: String) throws {
    let machine = try made(host: host, harts: 1)
    #expect(machine.run(ticks: 100_000) == nil)
    machine.stop()
    var endings: [Ending] = []
    for _ in 0..<2500 {
      endings.append(try Ending(machine))
      machine.resume(.step(hart: 0))
      arrive(machine)
    }
    for ending in endings.reversed() {
      try machine.reverse(.step(hart: 0))
      arrive(machine)
      #expect(machine.lastStop == .stepped(hart: 0))
      #expect(try Ending(machine) == ending)
    }
  }

  @Test(arguments: hosts) func theLastBreakpointIsFound(host: String) throws {
    let machine = try made(host: host, harts: 1)
    let handler = 0x8000_0000 + UInt64(4 * 29)
    machine.engine.insertBreakpoint(handler)
    var hits: [Ending] = []
    for _ in 0..<20 {
      machine.resume()
      arrive(machine)
      #expect(machine.lastStop == .breakpoint(hart: 0))
      hits.append(try Ending(machine))
    }
    for hit in hits.dropLast().reversed() {
      try machine.reverse(.run)
      arrive(machine)
      #expect(machine.lastStop == .breakpoint(hart: 0))
      #expect(try Ending(machine) == hit)
    }
    try machine.reverse(.run)
    arrive(machine)
    #expect(machine.lastStop == .historyBegins(hart: 0))
    #expect(machine.position.ticks == 0)
  }
}
