// Owns the test that no program can bring a device down: random accesses to the registers of every device of every
// board, transfers set up by chance, time that passes, input and resets. Nothing may crash, take long, or go on without
// end at one instant; and from a snapshot all goes on as it did without.
//
// MARTLET_RANDOM_DEVICES is the number of programs for each board, MARTLET_SEED the first one's.

import Boards
import Bus
import Foundation
import Machine
import TestSupport
import Testing

/// What a program does next.
private enum Step {
  case read(UInt64, size: Int)
  case write(UInt64, size: Int, UInt64)
  /// Some bits of a word are changed.
  case change(UInt64, clear: UInt64, set: UInt64)
  case peek(UInt64, size: Int)
  /// So many nanoseconds pass.
  case pass(UInt64)
  case receive(device: Int, [UInt8])
  case reset(ResetCause)
}

/// Where programs find things to do.
private struct Targets {
  struct Registers {
    var base: UInt64
    var size: UInt64
    /// Offsets of declared registers, and those with the bits of a field.
    var offsets: [UInt64]
    var fields: [(offset: UInt64, bits: Range<Int>)]
  }
  /// By device, its regions.
  let devices: [[Registers]]
  let inputs: [Int]
  /// The starts and ends of memory.
  let memory: [UInt64]

  init(_ machine: Machine) {
    devices = machine.devices.map(\.device).map { device in
      device.regions.enumerated().filter { $0.element.size > 0 && device.memory(region: $0.offset) == nil }.map {
        index, range in
        let map = index < device.registers.count ? device.registers[index].registers : []
        let offsets = map.flatMap { register in
          (0..<min(register.count, 64)).map { register.offset + UInt64($0) * register.stride }
        }
        let fields = map.flatMap { register in register.fields.map { (register.offset, $0.bits) } }
        return Registers(
          base: range.base, size: range.size, offsets: offsets.filter { $0 < range.size },
          fields: fields.filter { $0.0 < range.size && $0.1.upperBound <= 32 })
      }
    }.filter { !$0.isEmpty }
    inputs = machine.devices.indices.filter { machine.devices[$0].device is any CharacterDevice }
    memory = machine.space.layout.flatMap { first, last, region -> [UInt64] in
      guard machine.space.ram(at: first) != nil else { return [] }
      return [first, last &- 7, last &- 511]
    }
  }
}

private struct ProgramWriter {
  let targets: Targets
  var random: SplitMix

  mutating func pick<T>(_ list: [T]) -> T { list[Int(random.next() % UInt64(list.count))] }

  /// A device is worked on for some steps before the next.
  mutating func program() -> [Step] {
    var steps: [Step] = []
    for _ in 0..<Int(random.next() % 6 + 1) {
      let device = pick(targets.devices)
      for _ in 0..<Int(random.next() % 14 + 2) { steps.append(step(device)) }
    }
    return steps
  }

  private mutating func step(_ device: [Targets.Registers]) -> Step {
    switch random.next() % 64 {
    case 0 where !targets.inputs.isEmpty:
      let bytes = (0..<Int(random.next() % 40)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      return .receive(device: pick(targets.inputs), bytes)
    case 1: return random.next() % 4 == 0 ? .reset(pick(ResetCause.ofMachines)) : .pass(0)
    case 2..<14: return .pass(random.next() >> (random.next() % 46 + 18))
    case 14..<24: return .read(address(device), size: size())
    case 24..<26: return .peek(address(device), size: size())
    case 26..<34:
      let registers = pick(device)
      guard !registers.fields.isEmpty else { fallthrough }
      let (offset, bits) = pick(registers.fields)
      let mask = ((1 as UInt64) << UInt64(bits.count) &- 1) << UInt64(bits.lowerBound)
      return .change(registers.base + offset, clear: mask, set: value() << UInt64(bits.lowerBound) & mask)
    default: return .write(address(device), size: size(), value())
    }
  }

  private mutating func size() -> Int { random.next() % 8 == 0 ? pick([1, 2, 8]) : 4 }

  private mutating func address(_ device: [Targets.Registers]) -> UInt64 {
    let registers = pick(device)
    let isDeclared = !registers.offsets.isEmpty && random.next() % 8 != 0
    let offset = isDeclared ? pick(registers.offsets) : random.next() % registers.size & ~3
    return registers.base + offset + (random.next() % 16 == 0 ? random.next() % 4 : 0)
  }

  /// What unlocks registers of some kinds, and values at which they start to work.
  private static let keys: [UInt64] = [
    0x4567_0123, 0xCDEF_89AB, 0x0819_2A3B, 0x5555, 0xCCCC, 0xAAAA, 0xCA, 0x53, 0x6E52_4635, 0x1ACC_E551, 0x05FA_0004,
    7, 8, 6, 4, 0x301, 0x200C,
  ]

  private mutating func value() -> UInt64 {
    switch random.next() % 9 {
    case 0: random.next()
    case 1: random.next() & 0xFF
    case 2: pick([0, 1, .max, 0x8000_0000, 0x7FFF_FFFF, 0xFFFF])
    case 3: 1 << (random.next() % 32)
    case 4: pick(targets.memory) &+ random.next() % 64
    case 5: address(pick(targets.devices))
    case 6: random.next() & random.next() & random.next()
    case 7: pick(Self.keys)
    default: random.next() % 16
    }
  }
}

/// A board under programs.
private final class ProgramRig {
  final class Nowhere: CharacterBackend {
    func write(_ bytes: [UInt8]) {}
  }

  let machine: Machine
  let targets: Targets
  private let start: MachineSnapshot
  /// The most processor time that a step took; the machine is run by the thread of the test.
  private(set) var longest = Duration.zero
  private(set) var isEndless = false
  /// The address of a peek that changed its device.
  private(set) var badPeek: UInt64?
  private let card: TemporaryFile

  init(_ board: String) throws {
    var configuration = MachineConfiguration(board: try #require(Boards.path(board)))
    configuration.host = "interpreter"
    card = try TemporaryFile([UInt8](repeating: 0x55, count: 1 << 20))
    if board == "lm3s6965evb" { configuration.drives = [DriveFile(path: card.path)] }
    machine = try Machine.make(
      configuration, registry: registry, backends: (0..<8).map { _ in Nowhere() }, log: { _, _ in })
    targets = Targets(machine)
    start = try machine.saveSnapshot()
  }

  /// Runs a program from power-on, then its second part again from a snapshot in the middle; returns what both came to.
  func run(_ steps: [Step], cut: Int) throws -> (UInt64, UInt64) {
    try machine.restore(start)
    run(steps[..<cut])
    let middle = try machine.saveSnapshot()
    run(steps[cut...])
    let first = try outcome
    try machine.restore(middle)
    run(steps[cut...])
    return (first, try outcome)
  }

  private var outcome: UInt64 {
    get throws {
      machine.interruptLines.reduce(try machine.digest()) { ($0 << 1 | $0 >> 63) ^ ($1.level ? 0x9E37 : 0) }
    }
  }

  private func run(_ steps: ArraySlice<Step>) {
    for step in steps {
      let begin = Self.processorTime
      switch step {
      case .read(let address, let size): _ = try? machine.space.read(address, size: size)
      case .write(let address, let size, let value): try? machine.space.write(address, size: size, value)
      case .change(let address, let clear, let set):
        guard let old = try? machine.space.read(address, size: 4) else { break }
        try? machine.space.write(address, size: 4, old & ~clear | set)
      case .peek(let address, let size): peek(address, size)
      case .pass(let time): pass(time)
      case .receive(let device, let bytes): (machine.devices[device].device as? any CharacterDevice)?.receive(bytes)
      case .reset(let cause): machine.reset(cause)
      }
      longest = max(longest, Self.processorTime - begin)
    }
  }

  private static var processorTime: Duration {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }

  /// A look changes nothing.
  private func peek(_ address: UInt64, _ size: Int) {
    let states = machine.devices.map { try? $0.device.saveState() }
    _ = machine.space.peek(address, size: size)
    if machine.devices.map({ try? $0.device.saveState() }) != states { badPeek = address }
  }

  /// Lets time pass, or as much of it as a thousand events take.
  private func pass(_ time: UInt64) {
    let (clock, events) = (machine.clock, machine.events)
    let end = clock.now &+ time
    var (count, since) = (0, 0)
    while events.nextDeadline <= end, count < 1000 {
      if events.nextDeadline > clock.now {
        clock.now = events.nextDeadline
        since = count
      }
      while let event = events.popDue(at: clock.now), count - since < 10_000 {
        count += 1
        machine.devices[event.device].device.event(event.token)
      }
      if count - since >= 10_000 {
        isEndless = true
        return
      }
    }
    if count < 1000 { clock.now = end }
  }
}

@Suite struct RandomDeviceTests {
  static let count = UInt64(ProcessInfo.processInfo.environment["MARTLET_RANDOM_DEVICES"] ?? "") ?? 150
  static let seed = UInt64(ProcessInfo.processInfo.environment["MARTLET_SEED"] ?? "") ?? 1

  @Test(arguments: Boards.names) func noProgramBringsTheBoardDown(board: String) throws {
    let rig = try ProgramRig(board)
    for number in Self.seed..<Self.seed + Self.count {
      var writer = ProgramWriter(targets: rig.targets, random: SplitMix(seed: number))
      let steps = writer.program()
      let (first, second) = try rig.run(steps, cut: Int(writer.random.next() % UInt64(steps.count)))
      #expect(first == second, "program \(number) goes on otherwise from a snapshot")
      #expect(!rig.isEndless, "program \(number) has events without end at one instant")
      #expect(rig.longest < .seconds(5), "program \(number) takes long for a step")
      #expect(rig.badPeek == nil, "program \(number) changes a device by looking at it")
      if first != second || rig.badPeek != nil || rig.isEndless || rig.longest >= .seconds(5) { break }
    }
  }
}
