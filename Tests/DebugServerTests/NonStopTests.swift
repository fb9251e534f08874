// Non-stop: harts that run and halt each for itself, over a socket.

import DebugServer
import Foundation
import GDBRemote
import Machine
import TestSupport
import Testing

@Suite struct NonStopTests {
  private let board: TestBoard
  private let client: Client

  init() throws {
    board = try TestBoard(harts: 2)
    client = try Client(port: board.port)
    try client.begin()
    #expect(try client.ask("QNonStop:1") == "OK")
    #expect(brief(try client.ask("?")) == "T05thread:1")
    #expect(try stops() == [])
    #expect(try client.ask("qC") == "QC1")
    #expect(try notified() == ["T00thread:2"])
  }

  /// What `vStopped` brings.
  private func stops() throws -> [String] {
    var list: [String] = []
    while case let reply = try client.ask("vStopped"), reply != "OK" { list.append(brief(reply)) }
    return list
  }

  /// All stops that are told, first by a notification.
  private func notified() throws -> [String] {
    let first = try client.notification()
    #expect(first.hasPrefix("Stop:"))
    return [brief(String(first.dropFirst(5)))] + (try stops())
  }

  private func go(_ actions: String) throws { #expect(try client.ask("vCont;" + actions) == "OK") }

  private func register(_ number: Int, of thread: Int) throws -> UInt64 {
    #expect(try client.ask("Hg\(thread)") == "OK")
    return try client.register(number)
  }

  private var counter: UInt64 {
    get throws { UInt64(try client.ask("m\(hex(Program.counter)),8"), radix: 16)?.byteSwapped ?? 0 }
  }

  @Test func oneHartHaltsWhileTheOtherRuns() throws {
    #expect(try client.ask("Z0,\(hex(Program.wait)),4") == "OK")
    try go("c")
    #expect(try notified() == ["T05thread:2;swbreak:"])
    #expect(try register(pcRegister, of: 2) == Program.wait)
    let before = try counter
    try eventually(try counter > before + 1000)
    #expect(try register(pcRegister, of: 2) == Program.wait)
    #expect(try client.ask("Hg1") == "OK")
    #expect(try client.ask("g") == "E.the thread is running")
    #expect(try client.ask("p20") == "E.the thread is running")
    #expect(try client.ask("m\(hex(Program.base)),4") == "f32340f1", "memory can be read through a hart that runs")
    #expect(try client.ask("M\(hex(Program.counter + 8)),1:5a") == "OK")
    #expect(try client.ask("m\(hex(Program.counter + 8)),1") == "5a")
    #expect(try client.ask("?").hasPrefix("T"))
    #expect(try stops() == [], "one is halted")
  }

  @Test func aHartStepsWhileTheOtherRuns() throws {
    try go("c:1")
    #expect(try register(pcRegister, of: 2) == Program.base)
    for count in 1...2 {
      let before = try counter
      try go("s:2")
      #expect(try notified() == ["T05thread:2"])
      #expect(try register(pcRegister, of: 2) == [0, Program.base + 4, Program.wait][count])
      try eventually(try counter > before)
    }
    // Nothing ends the wait; the step does, after a second of virtual time.
    try go("s:2")
    #expect(try notified() == ["T05thread:2"])
    #expect(try register(pcRegister, of: 2) == Program.wait + 4)
    // By a range, into which the first step leads.
    try go("r\(hex(Program.wait)),\(hex(Program.wait + 4)):2")
    #expect(try notified() == ["T05thread:2"])
    #expect(try register(pcRegister, of: 2) == Program.wait + 4)
  }

  /// Steps are quick though the other hart spends its time in between.
  @Test func stepsBesideARunningHartAreQuick() throws {
    try client.setPC(Program.busy, of: 2)
    try go("c:1")
    let start = Date()
    for _ in 0..<200 {
      try go("s:2")
      _ = try client.notification()
      #expect(try client.ask("vStopped") == "OK")
    }
    #expect(-start.timeIntervalSinceNow < 5)
  }

  @Test func hartsThatHaltTogetherAreQueued() throws {
    for hart in 1...2 {
      try client.setPC(Program.loop, of: hart)
      try client.setRegister(9, Program.counter)
    }
    #expect(try client.ask("Z0,\(hex(Program.function)),4") == "OK")
    for _ in 0..<20 {
      try go("c")
      // A stop that comes behind the end of the queue is announced anew.
      var told = try notified()
      if told.count < 2 { told += try notified() }
      #expect(Set(told) == ["T05thread:1;swbreak:", "T05thread:2;swbreak:"])
      #expect(!board.isRunning, "the machine stands when all are held")
      // Over the breakpoint, as a client does that cannot step beside it.
      #expect(try client.ask("z0,\(hex(Program.function)),4") == "OK")
      try go("s:1")
      #expect(try notified() == ["T05thread:1"])
      try go("s:2")
      #expect(try notified() == ["T05thread:2"])
      #expect(try client.ask("Z0,\(hex(Program.function)),4") == "OK")
    }
  }

  @Test func haltsOnRequest() throws {
    try go("c")
    try eventually(try counter > 100)
    try go("t:2")
    #expect(try notified() == ["T00thread:2"])
    try go("t:2")
    let before = try counter
    try eventually(try counter > before)
    #expect(try client.ask("vCtrlC") == "OK")
    #expect(try notified() == ["T02thread:1"])
    let last = try counter
    usleep(20_000)
    #expect(try counter == last)
    #expect(try client.ask("vCtrlC") == "OK")
    try go("c")
    try go("t")
    var told = try notified()
    if told.count < 2 { told += try notified() }
    #expect(Set(told) == ["T00thread:1", "T00thread:2"])
  }

  @Test func timeStandsStillWhenAllAreHeld() throws {
    try go("c:1")
    try eventually(try counter > 100)
    let time = "m200bff8,8"
    let before = try client.ask(time)
    try eventually(try client.ask(time) != before)
    try go("t:1")
    #expect(try notified() == ["T00thread:1"])
    let halted = try client.ask(time)
    usleep(20_000)
    #expect(try client.ask(time) == halted)
  }

  @Test func watchpointsHaltOneHart() throws {
    try client.setPC(Program.busy, of: 2)
    #expect(try client.ask("Z2,\(hex(Program.counter)),8") == "OK")
    try go("c")
    #expect(try notified() == ["T05thread:1;watch:\(hex(Program.counter))"])
    #expect(board.isRunning)
    #expect(try register(pcRegister, of: 1) == Program.store)
  }

  @Test func theEndIsTold() throws {
    try client.setPC(Program.off, of: 1)
    try go("c")
    #expect(try client.notification() == "Stop:W00")
    #expect(try client.ask("vStopped") == "OK")
    #expect(try client.ask("!") == "OK")
    #expect(brief(try client.ask("vRun;")) == "T05thread:1")
    #expect(try notified() == ["T00thread:2"])
    try go("c")
    try eventually(try counter > 100)
  }

  @Test func theModeEndsWithItsClient() throws {
    try go("c:1")
    try eventually(try counter > 100)
    client.disconnect()
    try eventually(board.machine.perform { !$0.isNonStop })
    #expect(board.isRunning)
    let next = try Client(port: board.port)
    try next.begin()
    #expect(brief(try next.ask("?")) == "T05thread:1")
    #expect(try next.ask("Z0,\(hex(Program.function)),4") == "OK")
    #expect(brief(try next.ask("vCont;c")) == "T05thread:1;swbreak:")
    #expect(try next.ask("QNonStop:1") == "OK")
    #expect(try next.ask("vCont;c:2") == "OK")
    #expect(try next.ask("QNonStop:0") == "OK")
    #expect(!board.isRunning)
    #expect(brief(try next.ask("?")) == "T05thread:2")
  }

  /// Whatever is asked in whatever order: no stop is lost, and none is told twice.
  @Test(arguments: 0..<4) func stopsAreToldOnce(seed: Int) throws {
    var random = SplitMix(seed: UInt64(seed))
    try client.setPC(Program.loop, of: 2)
    try client.setRegister(9, Program.counter)
    var halted: Set<Int> = [1, 2]
    func take(_ reply: String) throws {
      let hart = try #require(reply.firstMatch(of: /thread:(\d)/).flatMap { Int($0.1) })
      #expect(halted.insert(hart).inserted, "\(reply) of a hart that is halted")
    }
    func drain(within seconds: Double) throws -> Bool {
      guard let first = try? client.notification(within: seconds) else { return false }
      try take(first)
      while case let reply = try client.ask("vStopped"), reply != "OK" { try take(reply) }
      return true
    }
    let places = [Program.loop, Program.store, Program.function, Program.wait].map(hex)
    for _ in 0..<600 {
      let hart = Int.random(in: 1...2, using: &random)
      switch Int.random(in: 0..<9, using: &random) {
      case 0, 1:
        try go("c:\(hart)")
        halted.remove(hart)
      case 2, 3:
        try go("s:\(hart)")
        halted.remove(hart)
      case 4:
        try go("r\(hex(Program.load)),\(hex(Program.busy)):\(hart);c")
        halted = []
      case 5: try go("t:\(hart)")
      case 6: #expect(try client.ask("vCtrlC") == "OK")
      case 7:
        let place = places.randomElement(using: &random) ?? ""
        #expect(try client.ask("\(Bool.random(using: &random) ? "Z" : "z")0,\(place),4") == "OK")
      default: _ = try counter
      }
      while try drain(within: 0) {}
    }
    try go("t")
    while halted.count < 2 { #expect(try drain(within: 10)) }
    #expect(!board.isRunning)
    for hart in 1...2 { #expect(try register(pcRegister, of: hart) >= Program.base) }
  }

  @Test func theMonitorStopsAllHarts() throws {
    try go("c")
    try eventually(try counter > 100)
    board.machine.stop()
    var told = try notified()
    if told.count < 2 { told += try notified() }
    #expect(Set(told) == ["T02thread:1", "T02thread:2"])
  }
}

extension Client {
  fileprivate func setPC(_ pc: UInt64, of thread: Int) throws {
    #expect(try ask("Hg\(thread)") == "OK")
    try setRegister(pcRegister, pc)
  }
}
