// Owns what the GDB tests and the fuzzer share of a session: one over the fake target, what happens to its guest, and a
// client's strict reading of what it sends.

import GDBRemote

/// A session and what it has sent since last asked.
package final class Conversation {
  package let target = FullTarget()
  package private(set) var session: Session!
  private var output: [UInt8] = []

  package init(_ configuration: Session.Configuration = .init()) {
    session = Session(target: target, configuration: configuration) { [unowned self] in output += $0 }
    target.session = session
  }

  package func send(_ payload: String) -> [String]? {
    send(PacketEncoder().packet(Array(payload.utf8)))
  }

  /// The packets that come back, or nil if what comes back is malformed.
  package func send(_ bytes: [UInt8]) -> [String]? {
    session.receive(bytes)
    while session.hasWork { session.work() }
    return takeOutput()
  }

  package func takeOutput() -> [String]? {
    defer { output.removeAll() }
    return readAsClient(output)?.map { String(decoding: $0, as: UTF8.self) }
  }

  /// Whether it still serves its client, whatever has been sent.
  package var serves: Bool {
    // A client that has lost its way: the first packet may still be damaged by a remainder, the second is not.
    // Packets that wait for a command's end may begin another.
    while let command = target.pendingCommand {
      target.pendingCommand = nil
      command.finish()
    }
    _ = send("vMustReplyEmpty")
    return send("qAttached") == ["1"] && send("R00") == [] && send("Hg2") == ["OK"]
      && send("qC")?.first?.hasSuffix("2") == true
  }
}

/// What the guest, or the target's own side, may do at any time.
package enum GuestAct: UInt8, CaseIterable {
  case halt, exit, print, callFile, finishCommand, stopAtOnce, stopLater, trace, branch

  package func perform(in conversation: Conversation) {
    let target = conversation.target
    switch self {
    case .halt: target.halt(.stopped(Stop(thread: ThreadID(thread: 2), cause: .softwareBreakpoint)))
    case .exit: target.halt(.exited(1))
    case .print: conversation.session.showConsole("text")
    case .callFile: try? conversation.session.request(.close(descriptor: 1))
    case .finishCommand: target.pendingCommand?.finish()
    case .stopAtOnce: target.immediateStop = .stopped(Stop(thread: ThreadID(thread: 1)))
    case .stopLater: target.immediateStop = nil
    case .trace: target.comeTo(0x1000)
    case .branch: target.branches[ThreadID(thread: 1)]?.execute(0x10, next: 2)
    }
  }
}

/// Reads a stream of acknowledgments and whole packets as a client does; nil if it is malformed.
package func readAsClient(_ stream: [UInt8]) -> [[UInt8]]? {
  var packets: [[UInt8]] = []
  var rest = stream[...]
  while let lead = rest.popFirst() {
    if lead == UInt8(ascii: "+") || lead == UInt8(ascii: "-") { continue }
    guard lead == UInt8(ascii: "$") || lead == UInt8(ascii: "%") else { return nil }
    let body = rest.prefix { $0 != UInt8(ascii: "#") }
    rest = rest.dropFirst(body.count + 1)
    guard let sum = Hex.decode(rest.prefix(2)), sum == [UInt8(truncatingIfNeeded: body.reduce(0) { $0 + Int($1) })],
      let payload = expand(body)
    else { return nil }
    rest = rest.dropFirst(2)
    packets.append(payload)
  }
  return packets
}

private func expand(_ body: ArraySlice<UInt8>) -> [UInt8]? {
  var payload: [UInt8] = []
  var rest = body
  while let byte = rest.popFirst() {
    switch byte {
    case UInt8(ascii: "}"):
      guard let escaped = rest.popFirst() else { return nil }
      payload.append(escaped ^ 0x20)
    case UInt8(ascii: "*"):
      guard let last = payload.last, let count = rest.popFirst(), (32...126).contains(count) else { return nil }
      payload += [UInt8](repeating: last, count: Int(count) - 29)
    case UInt8(ascii: "$"): return nil
    default: payload.append(byte)
    }
  }
  return payload
}
