// Tests of recordings: a machine that was made anew goes through all that the recorded one did, whatever was done to it, as far
// as the file is whole; and a file that says anything else does no harm.

import Bus
import Foundation
import Machine
import Storage
import TestSupport
import Testing

@Suite struct RecordingTests {
  private static let seed = UInt64(ProcessInfo.processInfo.environment["MARTLET_SEED"] ?? "") ?? 1
  /// Of changed files.
  private static let count = Int(ProcessInfo.processInfo.environment["MARTLET_MUTATIONS"] ?? "") ?? 200

  private struct Place {
    var position: Position
    var ending: Ending
  }

  /// What a recorder wrote of a random journey, and where the run has been in the future that was left of it.
  private struct Recorded {
    var pieces: [[UInt8]]
    var places: [Place]
  }

  private func arrive(_ machine: Machine) {
    for _ in 0..<1_000_000 where machine.isRunning { machine.runRounds(1) }
  }

  private func go(to position: Position, _ machine: Machine) throws {
    try machine.reverse(.go(position))
    arrive(machine)
    try #require(machine.position == position, "\(machine.lastStop)")
  }

  private func header() -> RecordingHeader { RecordingHeader(program: "test", directory: "/", arguments: []) }

  private final class Sink {
    var pieces: [[UInt8]] = []
  }

  /// Runs, gives input, changes registers, resets, goes back to places and to snapshots, and leaves the past that way.
  private func journey(_ program: JourneyProgram, host: String, harts: Int, seed: UInt64, steps: Int) throws -> Recorded
  {
    let (machine, holder) = try program.machine(host: host, harts: harts, console: Collector())
    defer { withExtendedLifetime(holder) {} }
    try machine.keepTimeline(limit: 48 << 20, spacing: 0.0005)
    var random = SplitMix(seed: seed)
    let sink = Sink()
    let begins = Int.random(in: 0..<3, using: &random)
    var places: [Place] = []
    for step in 0..<steps {
      if step == begins {
        try machine.beginRecording(header(), holdsImages: false, RecordingWriter { sink.pieces.append($0) })
      }
      if let path = machine.devices.first(where: { $0.device is any CharacterDevice })?.path {
        machine.inject(Array("\n".utf8), to: path)
      }
      _ = machine.run(ticks: machine.position.ticks + .random(in: 1...program.length / 8, using: &random))
      machine.stop()
      places.append(Place(position: machine.position, ending: try Ending(machine)))
      switch Int.random(in: 0..<8, using: &random) {
      case 0:
        machine.setRegister(machine.engine.vcpus[0], 5, .random(in: 0...0xFF, using: &random))
        places[places.count - 1].ending = try Ending(machine)
      case 1 where step % 4 == 3: machine.reset(.pin)
      case 2:
        try machine.saveSnapshot(named: "here")
        machine.resume(.step(hart: 0))
        arrive(machine)
        try machine.restoreSnapshot(named: "here")
        places = []
      case 3:
        let index = places.indices.randomElement(using: &random)!
        try go(to: places[index].position, machine)
        machine.setRegister(machine.engine.vcpus[0], 6, 1)
        places.removeLast(places.count - index)
      case 4:
        try go(to: places.randomElement(using: &random)!.position, machine)
        try go(to: places[places.count - 1].position, machine)
      default: break
      }
    }
    machine.resume(.step(hart: 0))
    arrive(machine)
    places.append(Place(position: machine.position, ending: try Ending(machine)))
    try machine.endRecording(code: 7, message: "over")
    return Recorded(pieces: sink.pieces, places: places)
  }

  private func opened(
    _ bytes: [UInt8], _ program: JourneyProgram, host: String, harts: Int, console: Collector = Collector()
  ) throws -> (machine: Machine, holder: AnyObject?, recording: Recording) {
    let recording = try Recording(bytes, name: "recording")
    let (machine, holder) = try program.machine(host: host, harts: harts, console: console)
    try machine.keepTimeline(limit: 48 << 20, spacing: 0.0005)
    try machine.open(recording)
    return (machine, holder, recording)
  }

  @Test(arguments: JourneyProgram.allCases, hosts)
  func theRecordedRunIsGoneThroughAgain(program: JourneyProgram, host: String) throws {
    guard program.isHere else { return }
    for harts in program == .schedulerARM ? [1] : [1, 2] {
      for seed in Self.seed..<Self.seed + (program == .bootLoader ? 1 : 4) {
        let recorded = try journey(program, host: host, harts: harts, seed: seed, steps: 10)
        let name = "\(program), \(harts) harts, seed \(seed)"
        let (machine, holder, recording) = try opened(
          recorded.pieces.flatMap { $0 }, program, host: host, harts: harts)
        #expect(recording.problem == nil && recording.ending?.code == 7 && recording.ending?.message == "over")
        machine.resume()
        arrive(machine)
        let last = recorded.places[recorded.places.count - 1]
        #expect(machine.lastStop == .historyEnds(hart: 0), "\(name): \(machine.lastStop)")
        #expect(machine.position == last.position, "\(name)")
        #expect(try Ending(machine) == last.ending, "\(name)")
        #expect(try machine.standsAtEnd(of: recording) == true, "\(name)")
        for place in recorded.places.reversed() {
          try go(to: place.position, machine)
          #expect(try Ending(machine) == place.ending, "\(name)")
        }
        withExtendedLifetime(holder) {}
      }
    }
  }

  /// A program may be killed at any byte that it writes.
  @Test func whatIsWholeIsUsed() throws {
    let program = JourneyProgram.schedulerRISCV64
    guard program.isHere else { return }
    let recorded = try journey(program, host: "jit", harts: 1, seed: Self.seed, steps: 8)
    let bytes = recorded.pieces.flatMap { $0 }
    var random = SplitMix(seed: Self.seed)
    var reached: UInt64 = 0
    let beginning = recorded.pieces.prefix(2).reduce(0) { $0 + $1.count }
    let cuts = (0..<40).map { _ in Int.random(in: beginning...bytes.count, using: &random) }
    for cut in [beginning - 1] + cuts.sorted() {
      guard let recording = try? Recording(Array(bytes.prefix(cut)), name: "cut") else {
        #expect(cut < beginning)
        continue
      }
      let isWhole = recorded.pieces.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }.contains(cut)
      #expect((recording.problem == nil) == isWhole, "\(cut): \(recording.problem ?? "")")
      guard recording.reached != nil else { continue }
      let (machine, holder, _) = try opened(Array(bytes.prefix(cut)), program, host: "jit", harts: 1)
      if machine.position != recording.reached {
        machine.resume()
        arrive(machine)
        #expect(machine.lastStop == .historyEnds(hart: 0), "\(cut): \(machine.lastStop)")
      }
      reached = max(reached, machine.position.ticks)
      withExtendedLifetime(holder) {}
    }
    #expect(reached > 0)
  }

  /// Bytes that were changed after the checksum was made, and before.
  @Test(arguments: [JourneyProgram.schedulerARM, .schedulerRISCV64]) func changedFilesDoNoHarm(program: JourneyProgram)
    throws
  {
    guard program.isHere else { return }
    var random = SplitMix(seed: Self.seed)
    let recorded = try journey(program, host: "interpreter", harts: 1, seed: 3, steps: 8)
    let pieces = try recorded.pieces.map { bytes in
      var reader = PieceReader(bytes)
      return try #require(try reader.next())
    }
    var opened = 0
    for _ in 0..<Self.count {
      var changed = pieces
      let number = Int.random(in: 2..<pieces.count, using: &random)
      for _ in 0..<Int.random(in: 1...3, using: &random) { changed[number].bytes.damage(&random) }
      if Int.random(in: 0..<8, using: &random) == 0 {
        changed.remove(at: .random(in: 2..<pieces.count, using: &random))
      }
      var file = changed.flatMap { $0.packed() }
      if Int.random(in: 0..<4, using: &random) == 0 { file[.random(in: file.indices, using: &random)] ^= 0x40 }
      guard let (machine, holder, recording) = try? self.opened(file, program, host: "jit", harts: 1) else { continue }
      opened += 1
      machine.resume()
      machine.runRounds(20)
      machine.stop()
      _ = try? machine.standsAtEnd(of: recording)
      withExtendedLifetime(holder) {}
    }
    #expect(opened > Self.count / 20, "so few were opened: \(opened)")
  }
}

extension [UInt8] {
  fileprivate mutating func damage(_ random: inout SplitMix) {
    guard !isEmpty else { return append(.random(in: 0...255, using: &random)) }
    let place = Int.random(in: indices, using: &random)
    switch Int.random(in: 0..<5, using: &random) {
    case 0: self[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 1: self[place] = [0, 0x7F, 0x80, 0xFF].randomElement(using: &random)!
    case 2: for index in place..<Swift.min(count, place + 8) { self[index] = 0xFF }
    case 3: remove(at: place)
    default: insert(.random(in: 0...255, using: &random), at: place)
    }
  }
}
