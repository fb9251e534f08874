// Owns who is attached to the machine: one client at a time.

import GDBRemote
import Machine
import NIOCore
import Synchronization

/// What other threads may know of the client.
final class Attendance: Sendable {
  /// It has started the guest and may start it again.
  let hasStarted = Atomic(false)
}

/// Gives the machine to one client after the other, and tells that client of stops. Used on the event loop only, but for
/// ``listenToMachine()`` and ``close()``.
final class Reception: @unchecked Sendable {
  private let target: MachineTarget
  private let attendance: Attendance
  private let loop: any EventLoop
  private let patience: TimeAmount
  private var attached: ConnectionHandler?
  private var waiting: [ConnectionHandler] = []
  private let console = ConsoleText()

  init(_ target: MachineTarget, _ attendance: Attendance, loop: any EventLoop, patience: Double) {
    self.target = target
    self.attendance = attendance
    self.loop = loop
    self.patience = .milliseconds(Int64(max(0, patience) * 1000))
  }

  func listenToMachine() {
    target.observeStops { [weak self] number, report in
      self?.stopped(number, report)
    } text: { [weak self, console, loop] text in
      if console.add(text) { loop.execute { [weak self] in self?.showConsole() } }
    }
    target.observeFileCalls { [weak self] call, number in self?.pass(call, number) ?? false }
  }

  /// A client that lets the guest run hears of its end. Ready once every client has what was sent to it, and has hung up
  /// or had time to.
  func finish(_ end: StopReason) -> EventLoopFuture<Void> {
    if let session = attached?.session, session.phase == .running { session.stopped(end) }
    return .andAllSucceed(([attached].compactMap { $0 } + waiting).map { $0.drain() }, on: loop)
  }

  /// Lets go of the machine and of all clients.
  func close() {
    target.endObservation()
    target.endFileCalls()
    // A loop that is shut down has no clients any more.
    try? loop.submit { [self] in
      if attached?.session != nil { target.clientVanished(.keep) }
      if attached != nil { target.machine.setDebugger(isAttached: false) }
      attached?.close()
      for handler in waiting { handler.close() }
      attached = nil
      waiting.removeAll()
    }.wait()
  }

  func arrived(_ handler: ConnectionHandler) {
    guard attached != nil else { return admit(handler) }
    waiting.append(handler)
    let bound = NIOLoopBound(handler, eventLoop: loop)
    loop.assumeIsolated().scheduleTask(in: patience) { [self] in
      let handler = bound.value
      guard let index = waiting.firstIndex(where: { $0 === handler }) else { return }
      waiting.remove(at: index)
      handler.refuse()
    }
  }

  func left(_ handler: ConnectionHandler, _ session: Session?) {
    waiting.removeAll { $0 === handler }
    guard attached === handler else { return }
    attached = nil
    target.machine.setDebugger(isAttached: false)
    if let session, session.phase != .detached { target.clientVanished() }
    note(hasStarted: false)
    if !waiting.isEmpty { admit(waiting.removeFirst()) }
  }

  /// Whether the client has started the guest itself.
  func note(hasStarted: Bool) {
    guard attendance.hasStarted.exchange(hasStarted, ordering: .sequentiallyConsistent) != hasStarted else { return }
    if !hasStarted { target.options.onLeave?() }
  }

  private func admit(_ handler: ConnectionHandler) {
    attached = handler
    target.machine.setDebugger(isAttached: true)
    handler.attach(to: target)
  }

  /// Passes a file call to the client, if it lets the guest run.
  private func pass(_ call: FileCall, _ number: UInt64) -> Bool {
    guard let session = attached?.session else { return false }
    do throws(TargetError) {
      try session.request(call)
      target.fileCallNumber = number
      return true
    } catch { return false }
  }

  private func showConsole() {
    let text = console.take()
    if !text.isEmpty { attached?.session?.showConsole(text) }
  }

  private func stopped(_ number: UInt64, _ report: StopReport) {
    guard number == target.runNumber, let session = attached?.session else { return }
    showConsole()
    if let text = report.text { session.showConsole(text + "\n") }
    if case .stopped(let stop) = report.reason { target.note(stop) }
    session.stopped(report.reason)
    if session.phase == .ended { target.hasRun = false }
  }
}
