// Owns the way of bytes to one descriptor: a queue, and a thread that waits for a slow reader so that nobody else does.

import Glibc
import Machine

/// Takes bytes without ever waiting, and writes them in their order on a thread of its own. Too much that waits holds the
/// guest, and nothing else.
final class Output: Sendable {
  /// Who reads, and what it means when writing fails.
  enum Peer: Equatable {
    /// A file, or what standard output is: what cannot be written ends the run.
    case file
    /// A program that may go away, which others notice.
    case program
    /// Programs that come to a terminal and go. What they have not seen waits for the next one, up to a limit.
    case pseudoTerminal(path: String)
  }

  private struct State {
    var queue: [UInt8] = []
    /// How many bytes of `queue` are written already.
    var written = 0
    var hasThread = false
    var isHolding = false
    /// Nobody is connected.
    var isAlone = false
    /// Nothing is written any more.
    var isClosed = false
    var closesDescriptor = false
    var hasLost = false

    /// Bytes that are not written yet; the first of them may be on their way.
    var count: Int { queue.count - written }

    mutating func remove(_ count: Int) {
      written = min(written + count, queue.count)
      if written < queue.count, written < Output.mostKept { return }
      queue.removeFirst(written)
      written = 0
    }
  }

  /// How messages call it.
  let name: String
  private let descriptor: Int32
  private let peer: Peer
  private let gate: OutputGate?
  private let verdict: Verdict
  private let state = Guarded(State())

  /// Bytes that may wait before the guest is held.
  private static let mostWaiting = 1 << 16
  /// Bytes that are kept for a program that is to connect.
  fileprivate static let mostKept = 1 << 20
  private static let mostAtOnce = 1 << 14
  /// Nanoseconds between looks at whether somebody is connected.
  private static let lookInterval: UInt64 = 100_000_000

  /// - Parameters:
  ///   - descriptor: closed by ``close()``, and not before.
  ///   - gate: closed while too much waits; nil where nothing comes from the guest.
  init(_ descriptor: Int32, _ peer: Peer, name: String, _ gate: OutputGate?, _ verdict: Verdict) {
    self.descriptor = descriptor
    self.peer = peer
    self.name = name
    self.gate = gate
    self.verdict = verdict
  }

  func write(_ bytes: [UInt8]) {
    guard !bytes.isEmpty else { return }
    let (isFirst, holds, loses) = state.change { state in
      guard !state.isClosed else { return (false, false, false) }
      state.queue += bytes
      let loses = Self.keepNewest(&state)
      let holds = !state.isHolding && !state.isAlone && state.count > Self.mostWaiting
      if holds { state.isHolding = true }
      defer { state.hasThread = true }
      return (!state.hasThread, holds, loses)
    }
    if holds { gate?.hold() }
    if isFirst { HostThread.spawn { [self] in work() } }
    if loses {
      Log.note("\(name): nobody is connected; of what is printed the last \(Self.mostKept / 2 / 1024) KiB are kept")
    }
  }

  func write(_ text: String) { write(Array(text.utf8)) }

  /// As ``write(_:)-([UInt8])``, and waits while too much is not written yet, but not for ever: what comes behind may be
  /// the command to quit. For threads that nobody waits for.
  func writeInTime(_ bytes: [UInt8]) {
    write(bytes)
    _ = state.wait(nanoseconds: 300_000_000) { $0.count <= Self.mostWaiting || $0.isClosed || $0.isAlone ? () : nil }
  }

  /// Bytes that wait for a reader who is there.
  var count: Int {
    let (count, isAlone) = state.withLock { ($0.count, $0.isAlone) }
    return isAlone ? 0 : count + unreadCount
  }

  /// Waits until all is written, for at most `nanoseconds`.
  func settle(nanoseconds: UInt64) {
    _ = state.wait(nanoseconds: nanoseconds) { $0.count == 0 || $0.isAlone ? () : nil }
    // A terminal does not tell when its reader goes on.
    if unreadCount > 0 { usleep(UInt32(nanoseconds / 1000)) }
  }

  /// Drops what is not written, and closes the descriptor.
  func close() {
    let hasThread = state.change { state in
      state.isClosed = true
      state.closesDescriptor = true
      state.remove(state.count)
      return state.hasThread
    }
    // Wakes a thread that waits in a write to a socket.
    if hasThread { shutdown(descriptor, Int32(SHUT_RDWR)) } else { Glibc.close(descriptor) }
  }

  // MARK: The thread

  private func work() {
    while let batch = state.wait(until: { Self.next($0) }) {
      guard isConnected else {
        becomeAlone()
        continue
      }
      let count = unsafe batch.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count >= 0 { advance(count) } else { failed(errno) }
    }
    stopHolding()
    let closes = state.change { state in
      state.hasThread = false
      return state.closesDescriptor
    }
    if closes { Glibc.close(descriptor) }
  }

  /// What to write next: nil if nothing yet, and a nil within if nothing any more.
  private static func next(_ state: State) -> [UInt8]?? {
    if state.isClosed { return .some(nil) }
    return state.count == 0 ? nil : .some(Array(state.queue[state.written...].prefix(mostAtOnce)))
  }

  private func advance(_ count: Int) {
    let isEnough = state.change { state in
      state.isAlone = false
      state.remove(count)
      return state.count <= Self.mostWaiting / 2
    }
    if isEnough { stopHolding() }
  }

  private func failed(_ number: Int32) {
    switch (number, peer) {
    case (EINTR, _): break
    case (EAGAIN, _):
      var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      unsafe poll(&wait, 1, -1)
    case (EIO, .pseudoTerminal(_)): becomeAlone()
    default:
      // The verdict comes first: once nothing waits any more the run may end.
      if peer == .file {
        verdict.reach(number == EPIPE ? .outputClosed : .outputFailed("\(name): \(HostFile.reason(number))"))
      }
      state.change { state in
        state.isClosed = true
        state.remove(state.count)
      }
    }
  }

  private func stopHolding() {
    let holds = state.change { state in
      defer { state.isHolding = false }
      return state.isHolding
    }
    if holds { gate?.release() }
  }

  // MARK: Pseudo-terminals

  private var isConnected: Bool {
    guard case .pseudoTerminal(_) = peer else { return true }
    var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return unsafe poll(&state, 1, 0) >= 0 && state.revents & Int16(POLLHUP) == 0
  }

  /// Bytes that the terminal holds for its reader: they would be lost with its other side.
  private var unreadCount: Int {
    guard case .pseudoTerminal(let path) = peer, isConnected else { return 0 }
    let terminal = unsafe open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
    guard terminal >= 0 else { return 0 }
    defer { Glibc.close(terminal) }
    let count = Self.readable(terminal)
    if count > 0 { return count }
    // A reader that has just emptied the terminal may not have asked the kernel for the next piece yet.
    usleep(2000)
    return Self.readable(terminal)
  }

  /// What can be read there now. The count alone leaves out what the kernel is still to bring over from the master, up to
  /// 64 KiB on a busy machine; polling waits for that (`n_tty_poll`).
  private static func readable(_ terminal: Int32) -> Int {
    var ready = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
    unsafe poll(&ready, 1, 0)
    var count: Int32 = 0
    // <asm-generic/ioctls.h>: FIONREAD.
    return unsafe ioctl(terminal, 0x541B, &count) == 0 ? Int(count) : 0
  }

  /// Nobody to wait for: the guest runs on, and somebody is looked out for.
  private func becomeAlone() {
    state.change { $0.isAlone = true }
    stopHolding()
    _ = state.wait(nanoseconds: Self.lookInterval) { $0.isClosed ? () : nil }
  }

  /// Returns whether something is lost, for the first time.
  private static func keepNewest(_ state: inout State) -> Bool {
    guard state.isAlone, state.count > mostKept else { return false }
    state.remove(state.count - mostKept / 2)
    defer { state.hasLost = true }
    return !state.hasLost
  }
}
