// What a client sees of tracing on a real machine: harts, the place it stands at, and what stays when it leaves.

import Foundation
import Testing

@Suite struct TracingTests {
  /// A tracepoint at the loop's load that collects the counter and t0.
  private static func define(_ client: Client) throws {
    let address = Program.load
    #expect(try client.ask("QTinit") == "OK")
    #expect(try client.ask("QTDP:1:\(hex(address)):E:0:0-") == "OK")
    #expect(try client.ask("QTDP:-1:\(hex(address)):R20-") == "OK")
    #expect(try client.ask("QTDP:-1:\(hex(address)):M-1,\(hex(Program.counter)),8") == "OK")
  }

  /// Lets the guest run to a breakpoint at an address.
  private static func run(_ client: Client, to address: UInt64) throws {
    #expect(try client.ask("Z0,\(hex(address)),4") == "OK")
    #expect(try client.ask("vCont;c").hasPrefix("T05"))
    #expect(try client.ask("z0,\(hex(address)),4") == "OK")
  }

  /// A breakpoint beside a tracepoint, a step away from it, and going on where it stands: each visit counts once.
  @Test(arguments: ["jit", "interpreter"]) func eachVisitCountsOnce(host: String) throws {
    let board = try TestBoard(host: host)
    let client = try attach(board)
    try Self.define(client)
    #expect(try client.ask("QTStart") == "OK")
    try Self.run(client, to: Program.load)
    #expect(try client.ask("qTP:1:\(hex(Program.load))").hasPrefix("V1:"))
    #expect(try client.ask("vCont;s:1").hasPrefix("T05"))
    try Self.run(client, to: Program.store)
    #expect(try client.ask("qTP:1:\(hex(Program.load))").hasPrefix("V1:"))
    // Stepped to, which is no visit yet, and gone on from.
    #expect(try client.ask("vCont;s:1").hasPrefix("T05"))
    #expect(try client.ask("qTP:1:\(hex(Program.load))").hasPrefix("V1:"))
    try Self.run(client, to: Program.call)
    #expect(try client.ask("qTP:1:\(hex(Program.load))").hasPrefix("V2:"))
    #expect(try client.ask("QTStop") == "OK")
    try Self.run(client, to: Program.store)
    try Self.run(client, to: Program.call)
    #expect(try client.ask("qTP:1:\(hex(Program.load))").hasPrefix("V2:"))
    #expect(try client.ask("QTFrame:1") == "F1T1")
    #expect(try client.ask("p5") == "0200000000000000")
    #expect(try client.ask("m\(hex(Program.counter)),8") == "0200000000000000")
    #expect(try client.ask("p20") == "1800008000000000")
    #expect(try client.ask("QTFrame:ffffffff") == "OK")
    #expect(try client.ask("p5") == "0300000000000000")
  }

  @Test func everyHartIsTraced() throws {
    let board = try TestBoard(harts: 2)
    let client = try attach(board)
    #expect(try client.ask("QTDP:1:\(hex(Program.wait)):E:0:0-") == "OK")
    #expect(try client.ask("QTDP:-1:\(hex(Program.wait)):R80") == "OK")
    #expect(try client.ask("QTStart") == "OK")
    for _ in 0..<10 where try client.ask("qTStatus").contains(";tframes:0;") {
      try Self.run(client, to: Program.function)
    }
    // t2 is the hart's number.
    #expect(try client.ask("QTFrame:0") == "F0T1")
    #expect(try client.ask("p7") == "0100000000000000")
  }

  @Test func tracingEndsWithItsClientUnlessItIsToldOtherwise() throws {
    let board = try TestBoard()
    for isDisconnected in [false, true] {
      let client = try attach(board)
      try Self.define(client)
      #expect(try client.ask("QTDisconnected:\(isDisconnected ? 1 : 0)") == "OK")
      #expect(try client.ask("QTBuffer:circular:1") == "OK")
      #expect(try client.ask("QTStart") == "OK")
      #expect(try client.ask("Qbtrace:bts") == "OK")
      try Self.run(client, to: Program.call)
      #expect(try client.ask("D") == "OK")
      client.disconnect()
      let before = board.counter
      while board.counter < before + 1000 { usleep(1000) }
      let follows = board.machine.perform { $0.engine.vcpus[0].follower != nil }
      #expect(!follows)
      let next = try attach(board)
      let status = try next.ask("qTStatus")
      #expect(status.hasPrefix(isDisconnected ? "T1;" : "T0;tdisconnected:0;tframes:1;"), "\(status)")
      #expect(try next.ask("qTfP") == "T1:\(hex(Program.load)):E:0:0")
      #expect(try next.ask("QTStop") == "OK")
      #expect(try next.ask("QTFrame:tdp:1").hasPrefix("F0T1"))
      #expect(try next.ask("D") == "OK")
      next.disconnect()
    }
  }

  /// The path through the loop, and no more of it once it is off.
  @Test func branchesAreRecorded() throws {
    let board = try TestBoard()
    let client = try attach(board)
    try Self.run(client, to: Program.loop)
    #expect(try client.ask("Qbtrace:bts") == "OK")
    try Self.run(client, to: Program.call)
    try Self.run(client, to: Program.loop)
    let text = try client.ask("qXfer:btrace:read:all:0,1000")
    let blocks = text.matches(of: /begin="0x([0-9a-f]+)" end="0x([0-9a-f]+)"/).map { "\($0.1)-\($0.2)" }
    #expect(
      blocks == [
        "\(hex(Program.loop))-\(hex(Program.loop))", "80000020-80000020",
        "\(hex(Program.function))-\(hex(Program.function + 4))", "\(hex(Program.loop))-\(hex(Program.call))",
      ])
    #expect(try client.ask("Qbtrace:off") == "OK")
    #expect(try client.ask("qXfer:btrace:read:all:0,1000").hasPrefix("E"))
    let follows = board.machine.perform { $0.engine.vcpus[0].follower != nil }
    #expect(!follows)
  }
}
