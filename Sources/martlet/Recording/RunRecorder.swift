// Owns what a run leaves behind to be gone through again: a recording made as it goes, or when it has failed.

import Glibc
import Machine

struct RunRecorder {
  private let machine: Machine
  private let plan: Plan
  private let verdict: Verdict
  private var file: RecordFile?

  init(_ machine: Machine, _ plan: Plan, _ verdict: Verdict) {
    (self.machine, self.plan, self.verdict) = (machine, plan, verdict)
  }

  /// Begins the recording of `--record`.
  mutating func begin() throws(Failure) {
    guard let path = plan.record else { return }
    file = try begin(path, of: "--record")
  }

  private func begin(_ path: String, of flag: String) throws(Failure) -> RecordFile {
    let file = try RecordFile(path, of: flag)
    let (header, holdsImages) = (plan.recordingHeader, plan.recordsImages)
    let problem = machine.perform { [verdict] machine -> String? in
      let writer = RecordingWriter { piece in
        file.write(piece)
        if let problem = file.problem { verdict.reach(.outputFailed(problem)) }
      }
      do throws(MachineError) {
        try machine.beginRecording(header, holdsImages: holdsImages, writer)
        return nil
      } catch { return "\(flag): \(error)" }
    }
    if let problem { throw .usage(problem) }
    try file.stand()
    return file
  }

  /// The run is over: writes that, or if it has failed all of it. The machine is stopped.
  /// - Returns: what went wrong.
  mutating func end(code: Int32, message: String?) -> String? {
    if file == nil, let path = plan.recordOnFailure, code != ExitCode.success.rawValue {
      do throws(Failure) {
        file = try begin(path, of: "--record-on-failure")
        Log.note("the run is kept in \(path): 'martlet replay \(path)' goes through it again")
      } catch { return error.message }
    }
    guard let file else { return nil }
    let problem = machine.perform { machine -> String? in
      do throws(MachineError) {
        try machine.endRecording(code: code, message: message ?? "")
        return nil
      } catch { return "\(error)" }
    }
    return problem ?? file.problem
  }
}

extension Plan {
  /// What a recording says of the program and of its command line.
  var recordingHeader: RecordingHeader {
    let directory = unsafe getcwd(nil, 0)
    defer { unsafe free(directory) }
    return RecordingHeader(
      program: Options.configuration.version, directory: unsafe directory.map { unsafe String(cString: $0) } ?? "/",
      arguments: guestWords)
  }
}
