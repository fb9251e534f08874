// Sockets, clients that come and go, and clients that misbehave.

import DebugServer
import Foundation
import GDBRemote
import Machine
import Testing

@Suite struct ServerTests {
  @Test func reportsThePortAndServes() throws {
    let board = try TestBoard()
    #expect(board.port > 0)
    let client = try Client(port: board.port)
    try client.begin()
    #expect(brief(try client.ask("?")) == "T05thread:1")
  }

  /// GDB takes `localhost` for IPv6 where it can, other clients for IPv4.
  @Test func bothLoopbackAddressesAreServed() throws {
    let board = try TestBoard()
    let six = try Client(port6: board.port)
    try six.begin()
    six.disconnect()
    try Client(port: board.port).begin()
  }

  @Test func portInUseIsAClearError() throws {
    let board = try TestBoard()
    let expected = DebugServer.Address.tcp(host: "127.0.0.1", port: board.port)
    #expect(throws: DebugServerError.addressInUse(expected)) {
      _ = try TestBoard(address: .tcp(host: "", port: board.port))
    }
    #expect(DebugServerError.addressInUse(expected).description.contains("port \(board.port) of 127.0.0.1 is in use"))
  }

  @Test func badAddressesAreErrors() throws {
    #expect(throws: DebugServerError.self) { _ = try TestBoard(address: .tcp(host: "", port: 70_000)) }
    #expect(throws: DebugServerError.self) { _ = try TestBoard(address: .unix(path: "/nonexistent/folder/socket")) }
    let long = "/tmp/" + String(repeating: "x", count: 200)
    #expect(throws: DebugServerError.self) { _ = try TestBoard(address: .unix(path: long)) }
  }

  @Test func servesUnixSocketsAndReplacesStaleOnes() throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID().uuidString)").path()
    do {
      let board = try TestBoard(address: .unix(path: path))
      try Client(path: path).begin()
      #expect(throws: DebugServerError.addressInUse(.unix(path: path))) {
        _ = try TestBoard(address: .unix(path: path))
      }
      withExtendedLifetime(board) {}
    }
    #expect(!FileManager.default.fileExists(atPath: path))
    makeStaleSocket(path)
    let board = try TestBoard(address: .unix(path: path))
    try Client(path: path).begin()
    withExtendedLifetime(board) {}
  }

  @Test func aSecondClientIsToldToGo() throws {
    var options = DebugServer.Options()
    options.patience = 0.05
    let board = try TestBoard(options: options)
    let first = try Client(port: board.port)
    try first.begin()
    let second = try Client(port: board.port)
    #expect(try second.ask("qSupported") == "E.another debugger is attached to this machine")
    #expect(try second.ask("vMustReplyEmpty") == "E.another debugger is attached to this machine")
    #expect(brief(try first.ask("?")) == "T05thread:1")
  }

  @Test func aSecondClientWaitsForTheFirstToLeave() throws {
    var options = DebugServer.Options()
    options.patience = 10
    let board = try TestBoard(options: options)
    let first = try Client(port: board.port)
    try first.begin()
    let second = try Client(port: board.port)
    second.send("qSupported")
    first.disconnect()
    #expect(try second.receive().hasPrefix("PacketSize="))
  }

  @Test func detachLetsTheGuestRunWithoutBreakpoints() throws {
    let board = try TestBoard()
    let client = try Client(port: board.port)
    try client.begin()
    #expect(try client.ask("Z0,\(hex(Program.function)),4") == "OK")
    #expect(try client.ask("Z2,\(hex(Program.counter)),8") == "OK")
    #expect(try client.ask("D") == "OK")
    client.disconnect()
    try eventually(board.isRunning && board.counter > 1000)
    let again = try Client(port: board.port)
    try again.begin()
    #expect(brief(try again.ask("?")) == "T05thread:1")
    #expect(!board.isRunning)
  }

  @Test(arguments: [DebugServer.DropPolicy.keep, .resume, .halt])
  func aDroppedConnectionLeavesTheGuestAsConfigured(_ policy: DebugServer.DropPolicy) throws {
    var options = DebugServer.Options()
    options.onDrop = policy
    let board = try TestBoard(options: options)
    for isRunning in [false, true] {
      let client = try Client(port: board.port)
      try client.begin()
      _ = try client.ask("?")
      #expect(try client.ask("Z0,\(hex(Program.busy)),4") == "OK")
      if isRunning { client.send("c") }
      try eventually(board.isRunning == isRunning)
      client.disconnect()
      let expected = policy == .keep ? isRunning : policy == .resume
      try eventually(board.machine.perform { $0.engine.debug.breakpoints.isEmpty })
      #expect(board.isRunning == expected)
    }
  }

  @Test func malformedInputKeepsTheServerServing() throws {
    var options = DebugServer.Options()
    options.patience = 60
    let board = try TestBoard(options: options)
    var random = SystemRandomNumberGenerator()
    let starts = [
      "$", "$m80000000,", "$X80000000,4:", "$vCont;", "$qXfer:features:read:target.xml:", "$Z2,0,", "$P20=", "$H",
    ]
    for round in 0..<60 {
      let client = try Client(port: board.port)
      var bytes = Array(starts[round % starts.count].utf8)
      bytes += (0..<Int.random(in: 0..<400, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      if round % 3 == 0 { bytes += Array("#00$m0,ffffffffffffffff#00$M0,ffffffff:00#".utf8) }
      client.send(bytes: bytes)
      client.disconnect()
    }
    let flood = try Client(port: board.port)
    flood.send(bytes: Array("$m".utf8) + [UInt8](repeating: UInt8(ascii: "8"), count: 1 << 20))
    flood.disconnect()
    let client = try Client(port: board.port)
    try client.begin()
    #expect(try client.ask("Z2,0,ffffffffffffffff") == "OK")
    #expect(try client.ask("z2,0,ffffffffffffffff") == "OK")
    #expect(try client.ask("m80000000,4") == "f32340f1")
  }

  /// Replies wait for the client to read them, and what it sends meanwhile waits in its socket.
  @Test func aClientThatDoesNotReadIsNotReadFrom() throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID().uuidString)").path()
    let board = try TestBoard(address: .unix(path: path))
    let client = try Client(path: path)
    try client.begin()
    let packets = [[UInt8]](repeating: PacketEncoder().packet(Array("m80000000,8000".utf8)), count: 100_000)
    let all = packets.flatMap { $0 }
    let taken = client.push(all)
    #expect(taken < all.count / 2, "\(taken) of \(all.count) bytes were taken")
    for _ in 0..<1000 { #expect(try client.receive().utf8.count == 0x10000) }
    withExtendedLifetime(board) {}
  }

  /// Going through memory for one client leaves time for others.
  @Test func longScansKeepNobodyElseWaiting() throws {
    var options = DebugServer.Options()
    options.patience = 0.05
    let board = try TestBoard(options: options)
    let first = try Client(port: board.port)
    try first.begin()
    for _ in 0..<100 { first.send("qCRC:80000000,4000000") }
    let second = try Client(port: board.port)
    #expect(try second.ask("qSupported") == "E.another debugger is attached to this machine")
    var answers = 0
    while (try? first.receive(within: 0)) != nil { answers += 1 }
    #expect(answers < 100)
  }

  @Test func stopsAndStartsAgain() throws {
    let board = try TestBoard()
    let client = try Client(port: board.port)
    try client.begin()
    board.server.stop()
    #expect(board.server.port == nil)
    #expect(throws: ClientError.self) { _ = try client.ask("?") }
    try board.server.start()
    #expect(throws: DebugServerError.alreadyStarted) { try board.server.start() }
    try Client(port: board.port).begin()
  }
}

/// Waits until `condition` holds; fails after 10 s.
func eventually(
  _ condition: @autoclosure () throws -> Bool, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  let deadline = Date(timeIntervalSinceNow: 10)
  while try !condition() {
    if Date() > deadline {
      Issue.record("did not happen within 10 s", sourceLocation: sourceLocation)
      throw ClientError("timeout")
    }
    usleep(1000)
  }
}

/// Leaves a socket that nobody listens at.
private func makeStaleSocket(_ path: String) {
  let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
  unsafe withUnsafePointer(to: &address) { pointer in
    unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      _ = unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
    }
  }
  close(descriptor)
}
