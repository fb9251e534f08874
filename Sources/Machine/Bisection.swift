// Owns the search for the first block, and then the first pass or tier, with which compiled and interpreted execution part.

import Bits
import Bus
import Engine
import HostKit

/// What a ``Bisection`` has found.
public struct Divergence: Sendable {
  public enum Cause: Sendable, Equatable {
    /// A pass: with those before it all is well.
    case pass(String)
    /// The host's code, whatever the passes.
    case host(String)
  }
  /// Where the block begins whose execution goes wrong.
  public var hart: Int
  public var pc: UInt64
  /// Ticks when it is entered, and when it was left: machines that were equal differ then.
  public var start: UInt64
  public var end: UInt64
  /// The choice of tiers with which code from there alone goes wrong; nil: only with what was translated before.
  public var tiers: TierPolicy?
  public var cause: Cause
  /// In words: registers, memory, devices.
  public var differences: [String]
}

/// Runs two twins of a machine, of which one interprets and one compiles, and compares them.
///
/// The machine itself is not touched. A fault that shows only in what a run does later is found where the machines first
/// differ: in registers, memory or devices, at the end of a stretch that is halved until it is one instruction.
public final class Bisection {
  /// An unforeseen end: the user's.
  public struct Cancelled: Error {}

  private let machine: Machine
  private let snapshot: MachineSnapshot
  /// Passes that are off, and those that are on in their order.
  private let disabled: Set<String>
  private let names: [String]
  private let reference: Machine
  private var suspect: Machine
  private let isCancelled: () -> Bool
  private let progress: (String) -> Void

  /// - Parameters:
  ///   - snapshot: of `machine`, where the search starts.
  ///   - passes: those of its engine.
  ///   - progress: takes a line on what is being done.
  public init(
    of machine: Machine, from snapshot: MachineSnapshot, passes: [(name: String, isOn: Bool)],
    isCancelled: @escaping () -> Bool,
    progress: @escaping (String) -> Void
  ) throws {
    guard let interpreter = machine.registry.hosts.first(where: { $0.type.isInterpreter })?.name else {
      throw MachineError.badInput("no host that interprets is built in, and there is nothing to compare with")
    }
    let disabled = Set(passes.filter { !$0.isOn }.map(\.name))
    let reference = try machine.makeTwin { configuration in
      configuration.host = interpreter
      configuration.engine.tiers = .quick
    }
    let suspect = try machine.makeTwin { $0.engine.disabledPasses = disabled }
    self.machine = machine
    self.snapshot = snapshot
    self.disabled = disabled
    names = passes.filter(\.isOn).map(\.name)
    self.reference = reference
    self.suspect = suspect
    self.isCancelled = isCancelled
    self.progress = progress
  }

  /// Searches so many ticks. Nil: the machines stay equal, or come to the same end.
  public func find(within count: UInt64) throws -> Divergence? {
    guard let (stretch, base) = try firstStretch(count) else { return nil }
    progress("they differ after \(stretch.upperBound - snapshot.ticks) instructions; looking for the first one")
    let end = try firstDifference(in: stretch, from: base)
    return try explain(end, from: base)
  }

  // MARK: Where

  /// The shortest stretch in sight at whose start the machines are equal, and at whose end they are not, with the condition
  /// to start it from.
  private func firstStretch(_ count: UInt64) throws -> (ClosedRange<UInt64>, MachineSnapshot)? {
    try reference.restore(snapshot)
    try suspect.restore(snapshot)
    let last = snapshot.ticks &+ min(count, UInt64.max - snapshot.ticks)
    var length: UInt64 = 1 << 14
    var start = snapshot.ticks
    while start < last {
      try check()
      let good = try reference.saveSnapshot()
      let end = start + min(length, last - start)
      reference.run(to: end)
      suspect.run(to: end)
      if try !agree() {
        // Where the fault needs nothing that was translated before, a short way leads there.
        let isEnough = try differs(from: good, to: end)
        return isEnough ? (start...end, good) : (snapshot.ticks...end, snapshot)
      }
      if reference.hasEnded { return nil }
      (start, length) = (end, min(length * 2, 1 << 26))
      progress("equal up to \(end - snapshot.ticks) instructions")
    }
    return nil
  }

  private func firstDifference(in stretch: ClosedRange<UInt64>, from base: MachineSnapshot) throws -> UInt64 {
    var (equal, different) = (stretch.lowerBound, stretch.upperBound)
    while different - equal > 1 {
      let middle = equal + (different - equal) / 2
      if try differs(from: base, to: middle) { different = middle } else { equal = middle }
    }
    return different
  }

  /// Whether the machines, both in the same condition, differ once they have come to a time.
  private func differs(from base: MachineSnapshot, to end: UInt64) throws -> Bool {
    try check()
    try reference.restore(base)
    try suspect.restore(base)
    reference.run(to: end)
    suspect.run(to: end)
    return try !agree()
  }

  private func agree() throws -> Bool {
    try reference.lastStop == suspect.lastStop && reference.digest() == suspect.digest()
  }

  private func check() throws { if isCancelled() { throw Cancelled() } }

  // MARK: Why

  /// Finds the shortest run up to `end` that goes wrong with code translated for it alone, and with which tiers and passes.
  private func explain(_ end: UInt64, from base: MachineSnapshot) throws -> Divergence {
    let far = end - base.ticks
    var distances = Array(UInt64(1)...min(far, 128))
    while let last = distances.last, last < far { distances.append(min(far, last * 2)) }
    let all = machine.configuration.engine.tiers
    for (tiers, distances, isAlone) in [
      (.thorough, distances, true), (.quick, distances, true), (all, [far], false),
    ] as [(TierPolicy, [UInt64], Bool)] {
      suspect = try twin(tiers, without: disabled)
      for distance in distances {
        let entry = try condition(at: end - distance, from: base)
        guard try differs(from: entry, to: end) else { continue }
        let (differences, reached) = (try describe(), reference.ticks)
        return Divergence(
          hart: hart, pc: entry.cpus[hart].pc, start: entry.ticks, end: reached, tiers: isAlone ? tiers : nil,
          cause: try cause(tiers, entry, end), differences: differences)
      }
    }
    throw MachineError.setup("what differed does so no more when it is run again")
  }

  private func twin(_ tiers: TierPolicy, without passes: Set<String>) throws -> Machine {
    try machine.makeTwin { configuration in
      configuration.engine.tiers = tiers
      configuration.engine.disabledPasses = passes
    }
  }

  /// How the reference stands at a time.
  private func condition(at ticks: UInt64, from base: MachineSnapshot) throws -> MachineSnapshot {
    guard ticks > base.ticks else { return base }
    try reference.restore(base)
    reference.run(to: ticks)
    return try reference.saveSnapshot()
  }

  /// The first pass that makes the difference.
  private func cause(_ tiers: TierPolicy, _ entry: MachineSnapshot, _ end: UInt64) throws -> Divergence.Cause {
    for count in 0...names.count {
      suspect = try twin(tiers, without: disabled.union(names[count...]))
      guard try differs(from: entry, to: end) else { continue }
      return count == 0 ? .host(suspect.engine.hostName) : .pass(names[count - 1])
    }
    return .host(suspect.engine.hostName)
  }

  // MARK: What

  /// The hart whose registers differ, or the first.
  private var hart: Int {
    zip(reference.engine.vcpus, suspect.engine.vcpus).first { one, other in
      one.state.pc != other.state.pc || one.saveRegisters() != other.saveRegisters()
    }?.0.number ?? 0
  }

  /// The differences between the machines as they stand now.
  private func describe() throws -> [String] {
    var lines: [String] = []
    if reference.lastStop != suspect.lastStop {
      lines.append("interpreted: \(reference.lastStop), compiled: \(suspect.lastStop)")
    }
    for (one, other) in zip(reference.engine.vcpus, suspect.engine.vcpus) {
      let hart = reference.engine.vcpus.count > 1 ? "hart \(one.number): " : ""
      func add(_ name: String, _ interpreted: String, _ compiled: String) {
        if interpreted != compiled {
          lines.append("\(hart)\(name) is \(interpreted) interpreted, \(compiled) compiled")
        }
      }
      add("pc", one.state.pc.hex0x(), other.state.pc.hex0x())
      for (number, register) in machine.guest.registerFile.registers.enumerated() {
        let values = [one, other].map { machine.guest.registerBytes($0.state, number).reversed() }
        let texts = values.map { "0x" + $0.map { $0.hex(digits: 2) }.joined() }
        add(register.aliases.first ?? register.name, texts[0], texts[1])
      }
      add("instructions retired", String(one.retired), String(other.retired))
    }
    lines += try memoryDifferences()
    for (one, other) in zip(reference.devices, suspect.devices)
    where try one.device.saveState() != other.device.saveState() {
      lines.append("device \(one.path) is in another state")
    }
    return lines
  }

  /// The first byte of each memory in which it differs.
  private func memoryDifferences() throws -> [String] {
    zip(reference.memories, suspect.memories).enumerated().compactMap { index, pair in
      guard pair.0.digest() != pair.1.digest() else { return nil }
      for page in stride(from: 0, to: pair.0.size, by: 4096) {
        let bytes = (pair.0.bytes(at: page, count: 4096), pair.1.bytes(at: page, count: 4096))
        guard let offset = zip(bytes.0, bytes.1).enumerated().first(where: { $0.element.0 != $0.element.1 })?.offset
        else { continue }
        let place = address(of: reference.memories[index], page + offset)
        return "memory at \(place) is \(bytes.0[offset].hex0x(digits: 2)) interpreted,"
          + " \(bytes.1[offset].hex0x(digits: 2)) compiled"
      }
      return nil
    }
  }

  private func address(of memory: RAMRegion, _ offset: Int) -> String {
    for stretch in reference.space.layout {
      let (backing, start): (RAMRegion?, Int) =
        switch stretch.region.backing {
        case .ram(let own, let start), .rom(let own, let start): (own, start)
        case .romDevice(let own, _, _): (own, 0)
        case .device: (nil, 0)
        }
      if backing === memory, offset >= start { return (stretch.region.base &+ UInt64(offset - start)).hex0x() }
    }
    return "offset \(offset.hex0x())"
  }
}
