// Owns the running of monitor scripts: signals, connections and the time limit work meanwhile.

import Glibc
import Machine
import Monitor
import Synchronization

/// Monitor commands of a file.
struct Script {
  private let path: String
  private let flag: String
  private let lines: [Substring]

  init(_ path: String, of flag: String) throws(Failure) {
    let bytes: [UInt8]
    do throws(MachineError) { bytes = try HostFile.read(path) } catch { throw .usage("\(flag): \(error)") }
    self.path = path
    self.flag = flag
    lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
  }

  /// Carries out the lines up to an error, `quit`, or the end of the run. After the end of the run only `deadline` ends
  /// a script.
  func run(
    _ monitor: Monitor, _ loop: EventLoop, _ verdict: Verdict, _ output: Output, until deadline: Double?
  ) throws(Failure) {
    let isAfterEnd = verdict.reached != nil
    let outcome = try Outcome()
    let commands = CommandThread(
      monitor, output: { output.writeInTime(Array($0.utf8)) }, completed: { outcome.put($0) })
    loop.watch(outcome.descriptor) { outcome.hear() }
    defer {
      commands.close()
      loop.forget(outcome.descriptor)
    }
    for (index, line) in lines.enumerated() {
      commands.submit(String(line))
      loop.run(until: deadline, isAfterEnd: isAfterEnd) { outcome.isMissing }
      guard let result = outcome.take() else {
        if isAfterEnd { Log.note("\(flag): \(path): line \(index + 1): cut short by --timeout") }
        return
      }
      if result.isError { throw .usage("\(flag): \(path): line \(index + 1): \(result.text)") }
      if !result.text.isEmpty { output.write(result.text + "\n") }
      if result.wantsQuit { return verdict.reach(.quit) }
    }
  }
}

/// What the line under way has come to, and a descriptor that becomes readable with it.
private final class Outcome: Sendable {
  let descriptor: Int32
  private let writeEnd: Int32
  private let result = Mutex<MonitorResult?>(nil)

  init() throws(Failure) {
    var ends: [Int32] = [-1, -1]
    guard unsafe pipe(&ends) == 0 else {
      throw Failure(code: .internalError, message: "no pipe: \(HostFile.reason(errno))")
    }
    (descriptor, writeEnd) = (ends[0], ends[1])
  }

  deinit { for end in [descriptor, writeEnd] { close(end) } }

  func put(_ value: MonitorResult) {
    result.withLock { $0 = value }
    _ = Descriptors.write([1], to: writeEnd)
  }

  func hear() { _ = Descriptors.read(descriptor) }

  var isMissing: Bool { result.withLock { $0 == nil } }
  func take() -> MonitorResult? { result.withLock { $0.take() } }
}
