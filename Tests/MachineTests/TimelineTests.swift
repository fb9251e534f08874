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
      try machine.reverse(.run(includesHere: false))
      arrive(machine)
      #expect(machine.lastStop == .breakpoint(hart: 0))
      #expect(try Ending(machine) == hit)
    }
    try machine.reverse(.run(includesHere: false))
    arrive(machine)
    #expect(machine.lastStop == .historyBegins(hart: 0))
    #expect(machine.position.ticks == 0)
  }

  /// What a debugger has changed is so again on the way from before to behind it.
  @Test(arguments: [1, 3], hosts) func changesAreMadeAgain(harts: Int, host: String) throws {
    let machine = try made(host: host, harts: harts)
    var random = SplitMix(seed: 1819)
    var places: [(position: Position, ending: Ending)] = []
    for _ in 0..<12 {
      #expect(machine.run(ticks: (machine.position.ticks + .random(in: 5000...20_000, using: &random))) == nil)
      machine.stop()
      let vcpu = machine.engine.vcpus[.random(in: 0..<harts, using: &random)]
      switch Int.random(in: 0..<4, using: &random) {
      case 0: machine.setRegister(vcpu, 31, .random(in: 0...UInt64.max, using: &random))
      case 1: _ = GuestMemory(machine, vcpu).write([1, 2, 3, 4], at: 0x8000_3000)
      case 2:
        for _ in 0..<5 {
          machine.resume(.step(hart: vcpu.number))
          arrive(machine)
        }
      default: break
      }
      // Where the change is part of what is kept.
      machine.resume()
      machine.runRounds(1)
      machine.stop()
      places.append((machine.position, try Ending(machine)))
    }
    for _ in 0..<20 {
      let (first, second) = (places.randomElement(using: &random)!, places.randomElement(using: &random)!)
      let (from, to) = first.position.ticks < second.position.ticks ? (first, second) : (second, first)
      try machine.reverse(.go(from.position))
      arrive(machine)
      #expect(machine.position == from.position, "\(machine.lastStop)")
      #expect(try Ending(machine) == from.ending)
      try machine.reverse(.reach(hart: 0, ticks: from.position.harts[0].ticks))
      arrive(machine)
      #expect(machine.run(ticks: to.position.ticks + 30_000) == nil)
      machine.stop()
      try machine.reverse(.go(to.position))
      arrive(machine)
      #expect(try Ending(machine) == to.ending)
    }
  }

  @Test func whereThereIsNoRoomItSaysSo() throws {
    let file = try TemporaryFile([UInt8](repeating: 0x13, count: 1 << 20))
    let machine = try machine("virt") { $0.bios = file.path }
    #expect(throws: MachineError.self) { try machine.keepTimeline(limit: 64 << 10) }
    #expect(machine.history == nil)
    #expect(throws: MachineError.self) { try machine.reverse(.step(hart: 0)) }
  }

  /// A change that there is no room for ends the past, and nothing else.
  @Test func aChangeWithoutRoomEndsThePast() throws {
    let file = try TemporaryFile(words: interruptedProgram)
    let machine = try machine("virt") { $0.bios = file.path }
    try machine.keepTimeline(limit: 128 << 10, spacing: 0)
    #expect(machine.run(ticks: 100_000) == nil)
    let bytes = (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 % 251) }
    #expect(GuestMemory(machine, machine.engine.vcpus[0]).write(bytes, at: 0x8010_0000) == nil)
    #expect(machine.run(ticks: 200_000) == nil)
    #expect(machine.history == nil)
    #expect(machine.position.ticks >= 200_000)
  }
}
