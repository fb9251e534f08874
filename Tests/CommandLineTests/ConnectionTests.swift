// A thousand debuggers that come and vanish at any point: what they have cost the program is given back.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Program.path != nil, Program.missing)) struct ConnectionTests {
  /// What a process holds.
  private struct Holdings {
    var threads: Int
    var descriptors: Int
    /// Resident, in bytes.
    var memory: Int

    init(_ process: Int32) throws {
      func count(_ folder: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/\(folder)").count
      }
      threads = try count("task")
      descriptors = try count("fd")
      let pages = try String(contentsOfFile: "/proc/\(process)/statm", encoding: .utf8).split(separator: " ")[1]
      memory = (Int(pages) ?? 0) * 4096
    }
  }

  /// What a session may be about when it ends; the last packet is cut off somewhere.
  private static let packets = [
    "qSupported:multiprocess+;swbreak+;error-message+", "QStartNoAckMode", "!", "QNonStop:1", "?", "vStopped",
    "qXfer:features:read:target.xml:0,20000", "qXfer:threads:read::0,1000", "g", "Hg1", "Z0,80000000,4",
    "Z2,80000100,8",
    "m80000000,10000", "vCont;c", "vCont;s:1", "vCont;t", "vCtrlC", "qRcmd,696e666f2063707573", "QTinit",
    "qCRC:80000000,100000",
    "QTDP:1:80000000:E:0:0", "QTStart", "Qbtrace:bts", "D;1", "vAttach;1", "vRun;", "X80000100,4:abcd",
  ]

  /// Lets the trace buffer take all the memory that it may: how much of it a session fills depends on the machine's load.
  private static func fillTraceBuffer(of server: Server, _ port: Int) throws {
    var (memory, unchanged) = (0, 0)
    for _ in 0..<100 where unchanged < 5 {
      let debugger = try RawDebugger(port)
      for packet in ["QTinit", "QTDP:1:80000000:E:0:0", "QTStart", "vCont;c"] { debugger.send(packet) }
      usleep(100_000)
      debugger.hangUp()
      let now = try Holdings(server.identifier).memory
      unchanged = now < memory + 1 << 18 ? unchanged + 1 : 0
      memory = max(memory, now)
    }
    #expect(unchanged == 5, "the trace buffer grows on and on")
  }

  @Test func aThousandLeaveNothingBehind() throws {
    let port = try Server.freePort()
    let server = try Server(
      [
        "-M", "virt", "-smp", "2", "-m", "16M", "-bios", try Program.file(Guest.bytes(Guest.loop)), "-nographic",
        "-serial", "none", "-S", "-gdb",
      ]
        + ["tcp::\(port)"])
    var random = SplitMix(seed: 1000)
    func come() throws {
      let debugger = try RawDebugger(port)
      for _ in 0..<Int.random(in: 0..<6, using: &random) {
        debugger.send(Self.packets.randomElement(using: &random) ?? "?")
        if Bool.random(using: &random) { debugger.readSome() }
      }
      let frame = "$" + (Self.packets.randomElement(using: &random) ?? "?") + "#00"
      debugger.send(raw: frame.prefix(Int.random(in: 0...frame.count, using: &random)))
      debugger.hangUp()
    }
    try Self.fillTraceBuffer(of: server, port)
    for _ in 0..<100 { try come() }
    let before = try Holdings(server.identifier)
    for _ in 0..<1000 { try come() }
    var after = try Holdings(server.identifier)
    for _ in 0..<200 where after.descriptors > before.descriptors || after.threads > before.threads {
      usleep(10_000)
      after = try Holdings(server.identifier)
    }
    #expect(after.threads <= before.threads)
    #expect(after.descriptors <= before.descriptors)
    #expect(after.memory - before.memory < 16 << 20, "\(before.memory) bytes, then \(after.memory)")
    let debugger = try RawDebugger(port)
    debugger.send("qSupported")
    debugger.await("PacketSize")
    debugger.send("?")
    debugger.await("$T")
    debugger.send("vKill;1")
    debugger.await("$OK#")
    #expect(server.end() == 0)
  }
}
