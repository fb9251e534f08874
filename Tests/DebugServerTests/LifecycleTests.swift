// How sessions begin and end: extended mode, kill, detach and attach, and the end of the guest that everybody hears of.

import DebugServer
import Foundation
import Machine
import Synchronization
import Testing

@Suite struct LifecycleTests {
  /// A client of GDB's `target extended-remote`.
  private func attach(_ board: TestBoard) throws -> Client {
    let client = try Client(port: board.port)
    try client.begin()
    #expect(try client.ask("!") == "OK")
    #expect(brief(try client.ask("?")) == "T05thread:1")
    return client
  }

  @Test func aKilledGuestMayBeStartedAgain() throws {
    let kills = Counter()
    var options = DebugServer.Options()
    options.onKill = { kills.increment() }
    let board = try TestBoard(options: options)
    let client = try attach(board)
    client.send("c")
    try eventually(board.counter > 100)
    #expect(try client.ask("vKill;1") == "OK")
    #expect(!board.isRunning)
    #expect(try client.ask("qfThreadInfo") == "l")
    #expect(try client.ask("?") == "X09")
    #expect(try client.ask("g").hasPrefix("E"))
    #expect(brief(try client.ask("vRun;")) == "T05thread:1")
    #expect(try client.register(pcRegister) == Program.base)
    #expect(try client.ask("Z0,\(hex(Program.function)),4") == "OK")
    #expect(brief(try client.ask("vCont;c")) == "T05thread:1;swbreak:")
    client.send("k")
    client.disconnect()
    // The next one finds it at its start, without breakpoints.
    let next = try attach(board)
    #expect(try next.register(pcRegister) == Program.base)
    next.send("c")
    try eventually(board.counter > 100)
    #expect(kills.value == 0)
  }

  @Test func aKillOfAnOtherClientIsTheEnd() throws {
    let kills = Counter()
    var options = DebugServer.Options()
    options.onKill = { kills.increment() }
    let board = try TestBoard(options: options)
    let client = try Client(port: board.port)
    try client.begin()
    #expect(try client.ask("vKill;1") == "OK")
    #expect(kills.value == 1)
  }

  @Test func aDetachedClientMayAttachAgain() throws {
    let board = try TestBoard()
    let client = try attach(board)
    #expect(try client.ask("Z0,\(hex(Program.function)),4") == "OK")
    for _ in 0..<3 {
      #expect(try client.ask("D;1") == "OK")
      #expect(try client.ask("qfThreadInfo") == "l")
      #expect(try client.ask("?") == "W00")
      let before = board.counter
      try eventually(board.isRunning && board.counter > before)
      #expect(brief(try client.ask("vAttach;1")) == "T05thread:1")
      #expect(!board.isRunning)
      #expect(try client.ask("qfThreadInfo") == "m1")
    }
  }

  @Test func anEndedGuestMayBeStartedAgain() throws {
    let leaves = Counter()
    var options = DebugServer.Options()
    options.onLeave = { leaves.increment() }
    let board = try TestBoard(options: options)
    #expect(!board.server.mayRestart)
    let client = try attach(board)
    #expect(!board.server.mayRestart, "it found the guest")
    #expect(brief(try client.ask("vRun;")) == "T05thread:1")
    try eventually(board.server.mayRestart)
    for _ in 0..<2 {
      try client.setRegister(pcRegister, Program.off)
      #expect(try client.ask("c") == "W00")
      #expect(try client.ask("qfThreadInfo") == "l")
      #expect(brief(try client.ask("vRun;")) == "T05thread:1")
      #expect(try client.register(pcRegister) == Program.base)
    }
    #expect(leaves.value == 0)
    client.disconnect()
    try eventually(leaves.value == 1)
    #expect(!board.server.mayRestart)
  }

  /// The program ends on another thread as soon as the guest has: its end is heard nevertheless.
  @Test(arguments: ["c", "vCont;c"]) func theEndOfTheGuestIsHeard(_ packet: String) throws {
    for _ in 0..<10 {
      let board = try TestBoard()
      let client = try Client(port: board.port)
      try client.begin()
      try client.setRegister(pcRegister, Program.off)
      let server = board.server
      board.machine.perform { machine in
        machine.stopObservers.insert({ _ in Thread { server.finish(.exited(0)) }.start() }, at: 0)
      }
      #expect(try client.ask(packet) == "W00")
      #expect(throws: ClientError.self) { try client.receive() }
    }
  }

  @Test func theEndOfTheProgramIsHeardByWhoeverLetsTheGuestRun() throws {
    for (end, heard) in [(DebugServer.End.exited(0x103), "W03"), (.killed(15), "X0f")] {
      let board = try TestBoard()
      let client = try Client(port: board.port)
      try client.begin()
      client.send("c")
      try eventually(board.counter > 100)
      board.server.finish(end)
      #expect(try client.receive() == heard)
      #expect(throws: ClientError.self) { try client.receive() }
    }
  }

  /// `monitor quit`: the command's answer is sent before the program ends.
  @Test func commandsUnderWayAreAnswered() throws {
    let box = Mutex<DebugServer?>(nil)
    var options = DebugServer.Options()
    options.monitor = { _, _ in
      let server = box.withLock { $0 }
      Thread { server?.finish(.killed(9)) }.start()
      usleep(50_000)
      return "bye"
    }
    let board = try TestBoard(options: options)
    box.withLock { $0 = board.server }
    let client = try Client(port: board.port)
    try client.begin()
    #expect(try client.ask("qRcmd,71") == "O6279650a")
    #expect(try client.receive() == "OK")
    box.withLock { $0 = nil }
  }
}

final class Counter: Sendable {
  private let count = Mutex(0)
  var value: Int { count.withLock { $0 } }
  func increment() { count.withLock { $0 += 1 } }
}
