// What debuggers see of devices, and of what a Cortex-M has for them.

import DebugServer
import GDBRemote
import Machine
import Testing

@Suite struct DeviceReadTests {
  /// One rule for every client: registers one by one, by their own widths, up to the first that reading would change.
  @Test func registersAreReadUpToTheFirstWithSideEffects() throws {
    let board = try serialBoard()
    let client = try attach(board)
    #expect(try client.ask("m4000c018,4").count == 8)
    #expect(try client.ask("m4000c000,4").hasPrefix("E."), "the data register")
    #expect(try client.ask("m4000c000,10").hasPrefix("E."))
    #expect(try client.ask("x4000c000,10").hasPrefix("E."))
    board.machine.perform { $0.allowsDeviceReads = true }
    #expect(try client.ask("m4000c000,4") == "00000000")
    #expect(try client.ask("m4000c000,8").count == 16)
    let uart = try attach(try TestBoard())
    // Registers of a byte: each by itself, whatever the length of the packet.
    let all = try uart.ask("m10000000,8")
    let each = try (0..<8).map { try uart.ask("m1000000\($0),1") }
    #expect(all == each.joined())
    #expect(all.dropFirst(10).prefix(2) == "60", "LSR")
  }

  /// GDB has to put both back together after calls and `return`.
  @Test func bankedStackPointersAreRestored() throws {
    let text = try attach(try serialBoard()).ask("qXfer:features:read:target.xml:0,1ffff")
    for name in ["msp", "psp"] {
      let line = text.split(separator: "\n").first { $0.contains("name=\"\(name)\"") }
      #expect(line?.contains("save-restore") == false)
    }
    #expect(text.split(separator: "\n").contains { $0.contains("\"primask\"") && $0.contains("save-restore=\"no\"") })
  }

  @Test func aCortexMKnowsItsDebugger() throws {
    let board = try serialBoard()
    #expect(board.machine.perform { $0.space.peek(0xE000_EDF0, size: 4) } == 0)
    let client = try attach(board)
    #expect(try client.ask("me000edf0,4") == "01000000")
    #expect(brief(try client.ask("vRun;")) == "T05thread:1")
    #expect(try client.ask("me000edf0,4") == "01000000", "after a reset too")
    client.disconnect()
    try eventually(board.machine.perform { $0.space.peek(0xE000_EDF0, size: 4) } == 0)
  }

  @Test func aClientIsToldOnceThatRegistersHaveChanged() throws {
    let client = try attach(try serialBoard())
    func output(_ command: String) throws -> String {
      var text = ""
      var reply = try client.ask("qRcmd," + Hex.encode(command.utf8).map { String(UnicodeScalar($0)) }.joined())
      while reply.hasPrefix("O"), reply != "OK" {
        text += String(decoding: Hex.decode(Array(reply.dropFirst().utf8)) ?? [], as: UTF8.self)
        reply = try client.receive()
      }
      return text
    }
    #expect(try !output("info status").contains("flush register-cache"))
    #expect(brief(try client.ask("s")) == "T05thread:1")
    #expect(try client.ask("P0=11000000") == "OK")
    #expect(try output("reset halt").contains("flush register-cache"))
    #expect(try client.ask("p0") == "00000000")
    #expect(try client.ask("P0=11000000") == "OK")
    #expect(try !output("reset halt").contains("flush register-cache"))
  }
}
