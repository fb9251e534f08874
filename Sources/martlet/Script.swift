// Owns the running of monitor scripts: signals, connections and the time limit work meanwhile.

import Glibc
import Machine
import Monitor
import Synchronization

/// Monitor commands of a file, or of a pipe: all that comes through it up to its end.
struct Script {
  /// Nil: the flag's own command.
  private let path: String?
  private let flag: String
  private let lines: [Substring]

  /// More is no script.
  private static let largest = 64 << 20

  /// - Throws: a usage failure for what cannot be read. Without lines if the run ends meanwhile.
  init(_ path: String, of flag: String, _ loop: EventLoop, until deadline: Double?, isAfterEnd: Bool) throws(Failure) {
    self.path = path
    self.flag = flag
    let descriptor = Self.isStandardInput(path) ? dup(0) : unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .usage("\(flag): \(path): \(HostFile.reason(errno)); check the path") }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT != S_IFDIR else {
      throw .usage("\(flag): \(path): this is a folder; give a file of commands")
    }
    var bytes: [UInt8] = []
    var isWhole = false
    loop.watch(descriptor) {
      let piece = Descriptors.read(descriptor)
      bytes += piece
      isWhole = piece.isEmpty || bytes.count > Self.largest
    }
    loop.run(until: deadline, isAfterEnd: isAfterEnd) { !isWhole }
    loop.forget(descriptor)
    guard bytes.count <= Self.largest else { throw .usage("\(flag): \(path): more than \(Self.largest) bytes") }
    let text = isWhole ? String(decoding: bytes, as: UTF8.self) : ""
    lines = text.split(separator: "\n", omittingEmptySubsequences: false)
  }

  /// One command, the flag's own.
  init(line: String, of flag: String) { (path, self.flag, lines) = (nil, flag, [Substring(line)]) }

  /// A line, for messages.
  private func place(_ index: Int) -> String { path.map { "\(flag): \($0): line \(index + 1)" } ?? flag }

  static func isStandardInput(_ path: String) -> Bool {
    ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].contains(path)
  }

  /// Carries out the lines up to an error, `quit`, or the end of the run. After the end of the run only `deadline` ends
  /// a script.
  func run(
    _ monitor: Monitor, _ loop: EventLoop, _ verdict: Verdict, _ output: Output, until deadline: Double?
  ) throws(Failure) {
    let isAfterEnd = verdict.reached != nil
    let outcome = try Outcome()
    let commands = CommandThread(
      monitor, files: .all, output: { output.writeInTime(Array($0.utf8)) }, completed: { outcome.put($0) })
    loop.watch(outcome.descriptor) { outcome.hear() }
    defer {
      commands.close()
      loop.forget(outcome.descriptor)
    }
    for (index, line) in lines.enumerated() {
      commands.submit(String(line))
      loop.run(until: deadline, isAfterEnd: isAfterEnd) { outcome.isMissing }
      guard let result = outcome.take() else {
        if isAfterEnd { Log.note("\(place(index)): cut short by --timeout") }
        return
      }
      if result.isError { throw .usage("\(place(index)): \(result.text)") }
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
