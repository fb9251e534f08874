// Owns how a run ends: the first reason wins, whatever thread it comes from.

import DebugServer
import Glibc
import Machine
import Synchronization

enum Ending: Equatable, Sendable {
  /// The guest switched itself off.
  case exited(Int32)
  /// The guest reset the machine, with `-no-reboot`.
  case reset
  case expected
  case timeout
  case instructionLimit
  case lockedUp(String)
  case failed(String)
  /// The user asked for the end.
  case quit
  /// Nobody reads the output any more.
  case outputClosed
  /// Output cannot be written: where, and the host's reason.
  case outputFailed(String)
  case signal(Int32)
  /// A recorded run has been gone through, with its exit code and message.
  case replayed(Int32, String?)
}

/// The ending of a run, and a descriptor that becomes readable with it.
final class Verdict: Sendable {
  let descriptor: Int32
  private let writeEnd: Int32
  private let ending = Mutex<Ending?>(nil)
  private let urgency = Atomic<Bool>(false)
  private let failure = Mutex<String?>(nil)

  init() throws(Failure) {
    var ends: [Int32] = [-1, -1]
    guard unsafe pipe(&ends) == 0 else {
      throw Failure(code: .internalError, message: "no pipe: \(HostFile.reason(errno))")
    }
    (descriptor, writeEnd) = (ends[0], ends[1])
  }

  func reach(_ reason: Ending) {
    if case .outputFailed(let text) = reason { failure.withLock { $0 = $0 ?? text } }
    if reason.isUrgent { urgency.store(true, ordering: .releasing) }
    let isFirst = ending.withLock { current in
      defer { current = current ?? reason }
      return current == nil
    }
    if isFirst { _ = Descriptors.write([1], to: writeEnd) }
  }

  var reached: Ending? { ending.withLock { $0 } }

  /// What output cannot be written, be it after the end was reached.
  var outputFailure: String? { failure.withLock { $0 } }

  /// Whether somebody waits for the end, be it with output unread.
  var isUrgent: Bool { urgency.load(ordering: .acquiring) }
}

extension Ending {
  /// The ending that a stop of the machine is by itself, if it is one.
  init?(_ event: StopEvent) {
    switch event {
    case .exited(let code): self = .exited(code)
    case .reset: self = .reset
    case .requested, .breakpoint, .watchpoint, .caught, .stepped, .historyBegins, .historyEnds, .lockedUp, .failed:
      return nil
    }
  }

  /// What a debugger is told that lets the guest run.
  var asDebuggersHear: DebugServer.End {
    switch self {
    case .exited(let code): .exited(code)
    case .reset: .exited(0)
    case .signal(let number): .killed(UInt8(truncatingIfNeeded: number))
    case .expected, .timeout, .instructionLimit, .lockedUp, .failed, .quit, .outputClosed, .outputFailed,
      .replayed:
      .killed(UInt8(SIGKILL))
    }
  }

  /// The user or a limit has put an end to the run, rather than the guest.
  fileprivate var isUrgent: Bool {
    switch self {
    case .timeout, .quit, .signal, .outputClosed, .outputFailed: true
    case .exited, .reset, .expected, .instructionLimit, .lockedUp, .failed, .replayed: false
    }
  }

  /// The exit code, and what to say about it.
  /// - Parameter missing: the text of `--expect` that is still awaited.
  func conclusion(_ plan: Plan, missing: String?) -> (code: Int32, message: String?) {
    let missing = missing.map { "the guest never printed '\($0)'" }
    func code(_ code: ExitCode) -> Int32 { code.rawValue }
    switch self {
    case .exited(let guestCode):
      if plan.exitCodeFromGuest { return (guestCode & 0xFF, missing) }
      if guestCode != 0 { return (code(.guestFailure), "the guest failed with code \(guestCode)") }
      return (code(missing == nil ? .success : .guestFailure), missing)
    case .instructionLimit:
      let text = "the \(plan.configuration.instructionLimit ?? 0) instructions of --max-instructions have run"
      return (code(.instructionLimit), text + (missing.map { ", and " + $0 } ?? ""))
    case .reset, .quit, .outputClosed:
      return (code(missing == nil ? .success : .guestFailure), missing)
    case .expected: return (code(.success), nil)
    case .timeout:
      let seconds = plan.timeout.map { "\($0)" } ?? ""
      return (
        code(.timeout), "the run took more than the \(seconds) s of --timeout" + (missing.map { ", and " + $0 } ?? "")
      )
    case .lockedUp(let text): return (code(.lockUp), text)
    case .failed(let text): return (code(.internalError), text)
    case .outputFailed(let text): return (code(.outputFailed), text)
    case .signal(let number): return (128 + number, nil)
    case .replayed(let code, let message): return (code, message)
    }
  }
}
