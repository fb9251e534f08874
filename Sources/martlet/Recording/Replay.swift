// Owns `martlet replay`: a recorded run, gone through again with everything that helps to look at it.

import CHost
import Glibc
import Machine

enum Replay {
  static let usage = "martlet replay FILE [-S] [--goto PLACE] [flag …]"

  static func run(_ words: [String]) throws(Failure) -> Int32 {
    guard let path = words.first, !path.hasPrefix("-") else {
      throw .usage("replay: no recording is given; write '\(usage)' (--record and --record-on-failure make one)")
    }
    let recording: Recording
    do throws(MachineError) { recording = try Recording(HostFile.read(path), name: path) } catch {
      throw .usage("replay: \(error)")
    }
    let vector = try ArgumentVector(Array(words.dropFirst()))
    if let word = vector.words.first(where: FlagWord.isGuests) {
      throw .usage("replay: \(word) is part of what was recorded; leave it out")
    }
    for flag in ["--replay", "--interrupts"] where vector.words.contains(flag) {
      throw .usage("replay: \(flag) has no meaning for a recording; leave it out")
    }
    if zip(vector.words, vector.words.dropFirst()).contains(where: { $0 == ("--timeline", "off") }) {
      throw .usage("replay: a recording is a past that is kept; leave out '--timeline off'")
    }
    let files = RecordedFiles(recording, path)
    let located = GuestFiles(board: try files.board(), places: try files.located())
    let words = recording.header.arguments
    guard FlagWord.guestWords(of: words) == words else {
      throw .usage("replay: \(path): its command line has more than what a machine is made of: \(words)")
    }
    var plan = try Martlet.plan(words + vector.words, notes: vector.notes, files: located)
    if plan.configuration.bios ?? "default" == "default", let firmware = recording.header.firmware {
      plan.configuration.bios = located.place(firmware)
    }
    if let problem = recording.problem { plan.notes.append(problem) }
    plan.setReplay(recording)
    return try Martlet.run(plan, vector.words)
  }
}

extension Plan {
  fileprivate mutating func setReplay(_ recording: Recording) {
    self.recording = recording
    configuration.timeline = configuration.timeline ?? Self.usualTimeline
    semihostingConsole = nil
    // What comes of a run that is looked at is there to be looked at.
    if gdb != nil || isatty(0) != 0 { noShutdown = true }
    if itm != nil, itm != "console" { itm = "/dev/null" }
  }
}

/// The files that a recorded machine is made of, as they are to be had here.
struct RecordedFiles {
  private let recording: Recording
  private let name: String

  init(_ recording: Recording, _ name: String) { (self.recording, self.name) = (recording, name) }

  /// Where each is, by the path that the recording has for it.
  func located() throws(Failure) -> [String: String] {
    var places: [String: String] = [:]
    for (number, file) in recording.header.files.enumerated() {
      guard file.isInside else {
        places[file.path] = try found(file)
        continue
      }
      guard let bytes = recording.contents[number], file.holds(bytes) else { throw problem(file, "is not whole in it") }
      places[file.path] = try Self.place(bytes)
    }
    return places
  }

  /// Where the board's devicetree is.
  func board() throws(Failure) -> String { try Self.place(recording.header.board) }

  private func found(_ file: RecordingHeader.File) throws(Failure) -> String {
    let absolute = recording.header.directory + "/" + file.path
    let candidates = file.path.hasPrefix("/") ? [file.path] : [file.path, absolute]
    guard let path = candidates.first(where: { unsafe access($0, R_OK) == 0 }) else {
      throw problem(file, "is not here; put it there, or record with --record-images")
    }
    let bytes: [UInt8]
    do throws(MachineError) { bytes = try HostFile.read(path) } catch { throw .usage("replay: \(error)") }
    guard file.holds(bytes) else {
      throw problem(
        file, "is another one now; put back the one with the SHA-256 \(file.sha256), or record with --record-images")
    }
    return path
  }

  private func problem(_ file: RecordingHeader.File, _ text: String) -> Failure {
    .usage("replay: \(name): its file '\(file.path)' \(text)")
  }

  /// A file without a place in any folder, for as long as the program runs.
  private static func place(_ bytes: [UInt8]) throws(Failure) -> String {
    let descriptor = unsafe chost_memory_file("recorded", 0)
    guard descriptor >= 0, Descriptors.write(bytes, to: descriptor) == 0 else {
      throw Failure(code: .internalError, message: "replay: no room for a file: \(HostFile.reason(errno))")
    }
    return "/proc/self/fd/\(descriptor)"
  }
}
