// How a debugger hears of the end, and what it may do after it: raw packets to a running Martlet.

import Foundation
import Glibc
import Testing

@Suite(.enabled(if: Program.path != nil, Program.missing))
struct DebuggerEndTests {
  private func serve(
    _ words: [UInt32], timeout: Int = 50, _ flags: String...
  ) throws -> (server: Server, port: Int) {
    let port = try Server.freePort()
    let image = try Program.file(Guest.bytes(words))
    return (
      try Server(
        [
          "-M", "virt", "-m", "16M", "-bios", image, "-nographic", "-S", "-gdb", "tcp::\(port)", "--timeout",
          "\(timeout)",
        ]
          + flags), port
    )
  }

  @Test(arguments: ["c", "vCont;c"]) func theExitOfTheGuestIsHeard(_ packet: String) throws {
    for _ in 0..<5 {
      let (server, port) = try serve(Guest.finish(0x7_3333))
      let debugger = try RawDebugger(port)
      debugger.send(packet)
      #expect(debugger.rest().contains("$W07#"))
      #expect(server.end() == 1)
    }
  }

  @Test func aKillIsAnswered() throws {
    for _ in 0..<5 {
      let (server, port) = try serve(Guest.loop)
      let debugger = try RawDebugger(port)
      debugger.send("vKill;1")
      #expect(debugger.rest().contains("$OK#"))
      #expect(server.end() == 0)
    }
  }

  @Test func aRunThatTakesTooLongIsHeard() throws {
    let (server, port) = try serve(Guest.loop, timeout: 1)
    let debugger = try RawDebugger(port)
    debugger.send("c")
    #expect(debugger.rest().contains("$X09#"))
    #expect(server.end() == 3)
  }

  /// A client that starts the guest itself may do so again after its end; the program ends when it has left.
  @Test func extendedModeOutlivesTheGuest() throws {
    let (server, port) = try serve(Guest.finish(0x7_3333))
    var debugger = try RawDebugger(port)
    debugger.send("!")
    debugger.await("$OK#")
    for _ in 0..<3 {
      debugger.send("vRun;")
      debugger.await("$T05")
      debugger.send("vCont;c")
      debugger.await("$W07#")
    }
    debugger.send("vRun;")
    debugger.await("$T05")
    debugger.send("vKill;1")
    debugger.await("$OK#")
    debugger.hangUp()
    debugger = try RawDebugger(port)
    debugger.send("!")
    debugger.send("?")
    debugger.await("$T05")
    debugger.send("c")
    debugger.await("$W07#")
    // One that found the guest as it is: its end is that of the program.
    #expect(server.end() == 1)
  }
}

/// A client that speaks in packets, and looks for words in all that comes.
final class RawDebugger {
  private let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  private var isOpen = true
  private var received = ""

  init(_ port: Int) throws {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    for _ in 0..<200 {
      let result = unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      if result == 0 { return }
      usleep(50_000)
    }
    throw CocoaError(.fileReadUnknown)
  }

  deinit { hangUp() }

  func hangUp() {
    if isOpen { close(descriptor) }
    isOpen = false
  }

  func send(_ payload: String) {
    let sum = payload.utf8.reduce(0 as UInt8, &+)
    let frame = Array("$\(payload)#".utf8) + [sum >> 4, sum & 15].map { Array("0123456789abcdef".utf8)[Int($0)] }
    _ = unsafe Glibc.send(descriptor, frame, frame.count, Int32(MSG_NOSIGNAL))
  }

  /// Part of a packet, or of several.
  func send(raw text: some StringProtocol) {
    let bytes = Array(text.utf8)
    _ = unsafe Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }

  /// Takes what has come within a moment, and forgets it.
  func readSome() {
    var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard unsafe poll(&poller, 1, 5) > 0 else { return }
    _ = read()
  }

  /// Waits for words in what comes; what comes before them is dropped.
  func await(_ words: String, sourceLocation: SourceLocation = #_sourceLocation) {
    while !received.contains(words) {
      guard let more = read() else {
        Issue.record("no \(words) in '\(received)'", sourceLocation: sourceLocation)
        return
      }
      received += more
    }
    received = received.components(separatedBy: words).dropFirst().joined(separator: words)
  }

  /// All that comes until the other side hangs up.
  func rest() -> String {
    while let more = read() { received += more }
    return received
  }

  private func read() -> String? {
    var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard unsafe poll(&poller, 1, 20_000) > 0 else { return nil }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
    return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
  }
}
