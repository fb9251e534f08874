// Owns the writing of a recording: of a past that is kept, at once, or of a run as it goes.

import Bits
import Bus
import Devicetree
import Storage

/// Writes the past of a machine. Used on the machine's thread.
public final class RecordingWriter {
  private let sink: ([UInt8]) -> Void
  /// What has been written: inputs and answers since the start of the run, moments since the recording began.
  private var counts = RecordedCounts(inputs: 0, answers: 0, moments: 0)
  /// When the last place was written, in seconds of the host's.
  private var lastReached = 0.0

  /// Seconds between places that are written, so that one is known if the program is killed.
  private static let spacing = 1.0

  /// - Parameter sink: takes the pieces as the file is to have them.
  public init(_ sink: @escaping ([UInt8]) -> Void) { self.sink = sink }

  private func put(_ part: RecordedPart, _ value: some Encodable) {
    do throws(SnapshotError) {
      sink(Piece(kind: part.rawValue, bytes: try encodeSnapshot(value)).packed())
    } catch {
      preconditionFailure("a part of a recording has no form: \(error)")
    }
  }

  // MARK: The beginning

  /// Writes what the machine is and all of its past that is kept.
  /// - Parameter holdsImages: whether the contents of its files are to be inside.
  func begin(_ header: RecordingHeader, _ machine: Machine, _ timeline: Timeline, holdsImages: Bool)
    throws(MachineError)
  {
    var header = header
    var contents: [[UInt8]] = []
    for path in machine.imagePaths {
      let bytes = try HostFile.read(path)
      header.files.append(
        RecordingHeader.File(path: path, size: UInt64(bytes.count), sha256: sha256(bytes), isInside: holdsImages))
      contents.append(bytes)
    }
    do throws(DevicetreeError) {
      header.board = try Devicetree(contentsOf: machine.configuration.board).blob()
    } catch { throw .badInput("board \(machine.configuration.board): \(error)") }
    header.firmware = machine.firmwarePath
    header.console = machine.semihostingConsole?.path
    header.origin = timeline.isWhole ? try timeline.origin() : ""
    sink(Piece(kind: RecordedPart.format.rawValue, bytes: Array(RecordedPart.name.utf8)).packed())
    put(.header, header)
    if holdsImages { for (number, bytes) in contents.enumerated() { put(bytes, ofFile: number) } }
    begin(timeline)
    reach(machine, timeline)
  }

  private func put(_ bytes: [UInt8], ofFile number: Int) {
    for start in stride(from: 0, to: bytes.count, by: Piece.largest / 2) {
      let end = min(bytes.count, start + Piece.largest / 2)
      put(.file, RecordedStretch(file: UInt32(number), bytes: Array(bytes[start..<end])))
    }
  }

  /// The past begins anew.
  func noteBeginning(_ machine: Machine, _ timeline: Timeline) {
    counts = RecordedCounts(inputs: machine.recorded.count, answers: 0, moments: 0)
    begin(timeline)
  }

  private func begin(_ timeline: Timeline) {
    counts.answers = timeline.moments.first?.files.answers ?? 0
    var copies: [PageKey: PagePool.Copy] = [:]
    for (index, moment) in timeline.moments.enumerated() {
      copies.merge(moment.pages) { _, new in new }
      if index == 0 ? !timeline.isWhole : moment.cut != nil {
        put(moment, copies, timeline)
        copies = [:]
      } else if index == 0 {
        copies = [:]
      }
    }
    timeline.noteRecorded()
  }

  // MARK: As it goes

  /// Writes how far the machine has come, and what came in on the way.
  func reach(_ machine: Machine, _ timeline: Timeline) {
    let answers = machine.semihosting.files.answers.known(from: counts.answers)
    if !answers.isEmpty {
      put(.answers, answers)
      counts.answers += answers.count
    }
    for input in machine.knownInputs.dropFirst(counts.inputs) {
      put(.input, input)
      counts.inputs += 1
    }
    put(.reached, timeline.isPast(machine) ? timeline.end : machine.position)
    lastReached = HostClock.seconds
  }

  /// The timeline keeps one more moment.
  func noteMoment(_ moment: Moment, _ machine: Machine, _ timeline: Timeline) {
    if moment.cut != nil {
      reach(machine, timeline)
      put(moment, timeline.changesSinceRecorded, timeline)
      timeline.noteRecorded()
    } else if HostClock.seconds - lastReached > Self.spacing {
      reach(machine, timeline)
    }
  }

  /// The timeline has dropped a moment.
  func noteDrop(_ moment: Moment) { if moment.cut != nil { counts.moments -= 1 } }

  /// What came after here will not be.
  func noteOtherFuture(_ machine: Machine, at cut: Position) {
    counts.inputs = machine.recorded.count
    counts.answers = machine.semihosting.files.answers.position
    put(.turn, RecordedTurn(counts: counts, reached: cut))
  }

  private func put(_ moment: Moment, _ copies: [PageKey: PagePool.Copy], _ timeline: Timeline) {
    var run: RecordedPages?
    for (key, copy) in copies.sorted(by: { $0.key < $1.key }) {
      let bytes = timeline.bytes(of: copy)
      if let last = run, last.memory == UInt32(key.memory), last.bytes.count < RecordedPages.most * pageSize,
        Int(last.first) + last.bytes.count / pageSize == key.page
      {
        run?.bytes += bytes
      } else {
        if let run { put(.pages, run) }
        run = RecordedPages(memory: UInt32(key.memory), first: UInt32(key.page), bytes: bytes)
      }
    }
    if let run { put(.pages, run) }
    put(
      .moment,
      RecordedMoment(
        cost: moment.cost, condition: moment.condition, printed: moment.printed, table: moment.files.table,
        answers: moment.files.answers, cut: moment.cut))
    counts.moments += 1
  }

  // MARK: The end

  func end(_ ending: RecordedEnding, _ machine: Machine, _ timeline: Timeline) {
    reach(machine, timeline)
    put(.ending, ending)
  }
}

extension Machine {
  /// Writes the past that is kept, from now on as it goes until ``endRecording(code:message:)``.
  /// - Parameters:
  ///   - header: who writes it, and what decides what the machine is; the rest is added.
  ///   - holdsImages: whether the contents of the files that the machine was made of are to be inside.
  /// - Throws: ``MachineError/badInput(_:)`` where the past is not kept, or a file has gone.
  public func beginRecording(_ header: RecordingHeader, holdsImages: Bool, _ writer: RecordingWriter)
    throws(MachineError)
  {
    let timeline = try kept()
    keepChange()
    try writer.begin(header, self, timeline, holdsImages: holdsImages)
    timeline.writer = writer
  }

  /// Writes how the run ended; the recording is whole then.
  public func endRecording(code: Int32, message: String) throws(MachineError) {
    guard let timeline, let writer = timeline.writer else { return }
    keepChange()
    let digest = timeline.isPast(self) ? nil : try digest()
    writer.end(RecordedEnding(code: code, message: message, digest: digest), self, timeline)
    timeline.writer = nil
  }

  /// Files of the host's that it was made of, as they were named.
  var imagePaths: [String] {
    [firmwarePath, configuration.kernel, configuration.initrd].compactMap { $0 } + configuration.loads.map(\.path)
      + configuration.drives.map(\.path)
  }
}
