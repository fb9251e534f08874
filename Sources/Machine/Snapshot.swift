// Owns snapshots: the whole condition of a machine as a value, its restoring, and its hash.

import Bus
import Engine

/// Everything that decides how a machine goes on, apart from memory, from what the host will send it live, and from the files
/// that semihosting holds open.
public struct MachineCondition: Codable, Sendable {
  struct CPU: Codable, Sendable {
    var registers: [UInt8]
    var pc: UInt64
    var progress: VCPUProgress
    var reservation: Reservation?
  }
  var cpus: [CPU]
  var devices: [[UInt8]]
  var events: EventQueue.State
  /// Virtual time in nanoseconds.
  var now: UInt64
  var lines: [Bool]
  var round: Round
  var console: SemihostingConsole
  var lastError: Int32
  /// How much input had taken effect, and what a replay still had to give.
  var inputCount: Int
  var replay: [RecordedInput]

  /// Bytes that it takes, about.
  var bytes: Int {
    devices.reduce(0) { $0 + $1.count + 32 } + cpus.reduce(0) { $0 + $1.registers.count + 256 } + events.events.count
      * 32
      + replay.count * 64
  }
}

/// Everything that decides how a machine goes on.
public struct MachineSnapshot: Sendable {
  struct Memory: Sendable {
    var ranges: [(offset: Int, bytes: [UInt8])]
  }
  var condition: MachineCondition
  var memories: [Memory]

  var cpus: [MachineCondition.CPU] { condition.cpus }
  /// The time every vCPU had reached, in instructions.
  public var ticks: UInt64 { cpus.map(\.progress.ticks).min() ?? 0 }
  /// Bytes of guest memory in the snapshot.
  public var memoryBytes: Int { memories.reduce(0) { $0 + $1.ranges.reduce(0) { $0 + $1.bytes.count } } }
}

extension Machine {
  /// The machine's condition without its memory. A hart that waits in a call of semihosting stands at the call, and makes it
  /// again.
  ///
  /// Throws ``MachineError/badInput(_:)`` while a hart is being stepped through a block op by op.
  func saveCondition() throws(MachineError) -> MachineCondition {
    if let vcpu = engine.vcpus.first(where: { $0.opPosition != nil }) {
      throw .badInput("hart \(vcpu.number) stands inside a block; finish the instruction with 'step' first")
    }
    var saved: [[UInt8]] = []
    for (path, device) in devices {
      do throws(SnapshotError) { saved.append(try device.saveState()) } catch {
        throw .setup("device \(path) cannot be saved: \(error)")
      }
    }
    return MachineCondition(
      cpus: engine.vcpus.map {
        MachineCondition.CPU(
          registers: $0.saveRegisters(), pc: $0.state.pc, progress: $0.progress, reservation: $0.reservation)
      },
      devices: saved, events: events.state, now: clock.now, lines: interruptLines.map(\.level), round: round,
      console: semihosting.console, lastError: semihosting.lastError, inputCount: recorded.count, replay: replay)
  }

  /// Puts back everything but memory and input.
  func restoreCondition(_ saved: MachineCondition) throws(MachineError) {
    guard saved.cpus.count == engine.vcpus.count, saved.devices.count == devices.count,
      saved.lines.count == interruptLines.count
    else { throw .badInput("the snapshot is of another machine") }
    for (entry, bytes) in zip(devices, saved.devices) {
      do throws(SnapshotError) { try entry.device.restoreState(bytes) } catch {
        throw .badInput("the snapshot does not fit device \(entry.path): \(error)")
      }
    }
    for (line, level) in zip(interruptLines, saved.lines) { line.restore(level: level) }
    for (vcpu, cpu) in zip(engine.vcpus, saved.cpus) {
      vcpu.restoreRegisters(cpu.registers)
      vcpu.state.pc = cpu.pc
      vcpu.wasReset()
      vcpu.progress = cpu.progress
      vcpu.reservation = cpu.reservation
    }
    clock.now = saved.now
    events.restore(saved.events)
    pace?.end()
    if !isRunning { lastStop = .requested }
    round = saved.round
    semihosting.console = saved.console
    semihosting.lastError = saved.lastError
    cutCalls()
  }

  /// A copy of the machine's condition. RAM that was never touched takes no space in it. Throws as ``saveCondition()``.
  public func saveSnapshot() throws(MachineError) -> MachineSnapshot {
    MachineSnapshot(
      condition: try saveCondition(),
      memories: memories.map { memory in
        MachineSnapshot.Memory(
          ranges: memory.populatedRanges().map { range in
            let end = min(range.upperBound, memory.size)
            return (range.lowerBound, memory.bytes(at: range.lowerBound, count: end - range.lowerBound))
          })
      })
  }

  /// Puts the machine into the condition a snapshot of the same machine holds. Input that took effect after it is
  /// forgotten, or comes again if it was replayed. A running machine goes on from there, a stopped one stays stopped. Its
  /// past begins there.
  public func restore(_ snapshot: MachineSnapshot) throws(MachineError) {
    guard snapshot.memories.count == memories.count else { throw .badInput("the snapshot is of another machine") }
    for (memory, saved) in zip(memories, snapshot.memories) {
      for range in memory.populatedRanges() {
        do throws(MemoryError) { try memory.discard(range) } catch { throw .setup("restoring memory: \(error)") }
      }
      for (offset, bytes) in saved.ranges { memory.write(bytes, at: offset) }
    }
    try restoreCondition(snapshot.condition)
    if recorded.count > snapshot.condition.inputCount {
      recorded.removeLast(recorded.count - snapshot.condition.inputCount)
    }
    replay = snapshot.condition.replay
    engine.flush()
    keepFromHere()
  }

  /// Keeps a snapshot in memory under `name`, in place of one that had it.
  public func saveSnapshot(named name: String) throws(MachineError) { snapshots[name] = try saveSnapshot() }

  /// Goes back to the snapshot called `name`.
  public func restoreSnapshot(named name: String) throws(MachineError) {
    guard let snapshot = snapshots[name] else {
      let names = snapshots.keys.sorted().joined(separator: ", ")
      throw .badInput("no snapshot is called '\(name)'; there are: \(names.isEmpty ? "none" : names)")
    }
    try restore(snapshot)
  }

  /// A hash of everything a snapshot holds: equal machines have equal hashes.
  public func digest() throws(MachineError) -> UInt64 {
    var hash = Hash()
    for vcpu in engine.vcpus {
      hash.add(vcpu.saveRegisters())
      for number in [vcpu.state.pc, vcpu.ticks, vcpu.retired] { hash.add(number) }
    }
    for memory in memories { hash.add(memory.digest()) }
    for (path, device) in devices {
      do throws(SnapshotError) { hash.add(try device.saveState()) } catch {
        throw .setup("device \(path) cannot be saved: \(error)")
      }
    }
    for event in events.state.events {
      for number in [event.time, UInt64(event.device), event.token] { hash.add(number) }
    }
    return hash.value
  }

  /// FNV-1a over 64-bit words.
  private struct Hash {
    var value: UInt64 = 0xCBF2_9CE4_8422_2325
    mutating func add(_ word: UInt64) { value = (value ^ word) &* 0x0000_0100_0000_01B3 }
    mutating func add(_ bytes: [UInt8]) { for byte in bytes { add(UInt64(byte)) } }
  }
}
