// Owns the taking over of a recording's past by a machine that was made anew.

import Bus
import Storage

extension Timeline {
  /// A fingerprint of the machine as it was made.
  func origin() throws(MachineError) -> String {
    guard let first = moments.first else { return "" }
    var condition = first.condition
    condition.replay = []
    var bytes: [UInt8]
    do throws(SnapshotError) { bytes = try encodeSnapshot(condition) } catch { throw .setup("\(error)") }
    for (key, copy) in first.pages.sorted(by: { $0.key < $1.key }) where copy != PagePool.zeros {
      bytes += Array("\(key.memory) \(key.page) \(sha256(self.bytes(of: copy)))\n".utf8)
    }
    return sha256(bytes)
  }

  /// Where the recording ends that the machine goes through, unless the history has gone on from there.
  func recordingEndAhead(of machine: Machine) -> Position? { isPast(machine) && end == recordingEnd ? end : nil }

  /// Takes over the past of a recording. The machine was made as that of the recording was, and has not run.
  func open(_ recording: Recording, _ machine: Machine) throws(MachineError) {
    var past: [Moment] = []
    var firstAnswer = 0
    for (saved, pages) in recording.moments {
      try check(saved, machine)
      if saved.cut == nil {
        firstAnswer = saved.answers
      }
      past.append(
        Moment(
          cost: saved.cost, condition: saved.condition, pages: try copies(pages, machine), printed: saved.printed,
          files: (saved.table, saved.answers), cut: saved.cut))
    }
    let beginsLater = past.first.map { $0.cut == nil } ?? false
    if !beginsLater {
      guard try origin() == recording.header.origin else {
        throw .badInput(
          "the machine that it makes here is not the one that was recorded: \(recording.header.program) made it; take"
            + " that version, and what the machine was made of as it was then")
      }
      past.insert(moments[0], at: 0)
    }
    guard let reached = recording.reached, reached.harts.count == machine.engine.vcpus.count,
      zip(past, past.dropFirst()).allSatisfy({ !$1.arrival.isBefore($0.position) }),
      past.last.map({ !reached.isBefore($0.position) }) ?? true
    else { throw .badInput("its parts are of different runs") }
    take(past, end: reached, isWhole: !beginsLater)
    machine.recorded = recording.inputs
    machine.semihosting.files.answers.take(recording.answers, after: firstAnswer)
    machine.taps.restore(printed: past[0].printed)
    machine.taps.forgetShown()
    try restore(0, machine)
    recordingEnd = reached
  }

  /// What a moment says of itself must fit the machine.
  private func check(_ saved: RecordedMoment, _ machine: Machine) throws(MachineError) {
    let (condition, count) = (saved.condition, machine.engine.vcpus.count)
    let registers = machine.engine.vcpus.first?.saveRegisters().count ?? 0
    guard condition.cpus.count == count, condition.cpus.allSatisfy({ $0.registers.count == registers }),
      condition.devices.count == machine.devices.count, condition.lines.count == machine.interruptLines.count,
      (0...count).contains(condition.round.nextHart), condition.inputCount >= 0, saved.answers >= 0,
      saved.cut.map({ $0.harts.count == count }) ?? true, saved.cost.isFinite, saved.cost >= 0,
      saved.printed.allSatisfy({ $0 >= 0 })
    else { throw .badInput("its moments are of another machine") }
  }

  private func copies(_ pages: [RecordedPages], _ machine: Machine) throws(MachineError) -> [PageKey: PagePool.Copy] {
    var copies: [PageKey: PagePool.Copy] = [:]
    for run in pages {
      guard machine.memories.indices.contains(Int(run.memory)), run.bytes.count % pageSize == 0,
        (Int(run.first) * pageSize + run.bytes.count) <= machine.memories[Int(run.memory)].size
      else { throw .badInput("it has pages of memory that the machine has not") }
      for number in 0..<run.bytes.count / pageSize {
        let key = PageKey(memory: Int(run.memory), page: Int(run.first) + number)
        guard copies[key] == nil else { throw .badInput("it has a page of memory twice") }
        guard let copy = copy(run.bytes[number * pageSize..<(number + 1) * pageSize]) else {
          throw .badInput("its past takes more than \(limit >> 20) MiB; give more with --timeline SIZE")
        }
        copies[key] = copy
      }
    }
    return copies
  }
}

extension Machine {
  /// Takes over the past of a recording, stands at its beginning, and runs up to its end as the run did that was recorded.
  /// To be called before ``start()``, behind ``keepTimeline(limit:spacing:)``.
  /// - Throws: ``MachineError/badInput(_:)`` if it is not of a machine like this one.
  public func open(_ recording: Recording) throws(MachineError) { try kept().open(recording, self) }

  /// Whether the machine stands where a recorded run ended: true if it is as it was then, false if it is not, which is a fault.
  /// Nil if it stands elsewhere.
  public func standsAtEnd(of recording: Recording) throws(MachineError) -> Bool? {
    guard position == recording.reached else { return nil }
    guard let digest = recording.ending?.digest else { return true }
    return try self.digest() == digest
  }
}
