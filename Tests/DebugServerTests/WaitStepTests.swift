// Owns the tests of steps over instructions that wait: they end behind them, and say what time passed.

import GDBRemote
import Machine
import Monitor
import Testing

@Suite struct WaitStepTests {
  private func steps(_ client: Client, _ packet: String) throws -> (text: String, reply: String) {
    client.send(packet)
    var text = ""
    while true {
      let reply = try client.receive()
      guard reply.hasPrefix("O"), reply != "OK" else { return (text, brief(reply)) }
      let digits = Array(reply.dropFirst())
      for index in stride(from: 0, to: digits.count - 1, by: 2) {
        text += UInt8(String(digits[index...index + 1]), radix: 16).map { String(UnicodeScalar($0)) } ?? "?"
      }
    }
  }

  /// Nothing will ever wake the hart: the instruction ends all the same, as the architecture allows.
  @Test(arguments: ["jit", "interpreter"]) func waitsWithoutEndAreEnded(_ host: String) throws {
    let board = try TestBoard(host: host)
    let client = try attach(board)
    try client.setRegister(pcRegister, Program.wait)
    let (text, reply) = try steps(client, "vCont;s:1")
    #expect(reply == "T05thread:1")
    #expect(text.contains("the step ended"), "\(text)")
    #expect(try client.register(pcRegister) == Program.wait + 4)
    #expect(try steps(client, "vCont;s:1") == ("", "T05thread:1"))
    #expect(try client.register(pcRegister) == Program.wait)
    #expect(try steps(client, "vCont;r\(hex(Program.wait)),\(hex(Program.wait + 4)):1").reply == "T05thread:1")
    #expect(try client.register(pcRegister) == Program.wait + 4)
  }

  /// The timer comes while the hart is stepped over `wfi`, with interrupts let through and without.
  @Test(arguments: ["jit", "interpreter"], [false, true]) func theStepEndsBehindTheWait(
    _ host: String, isTaken: Bool
  ) throws {
    let board = try TestBoard(host: host)
    let client = try attach(board)
    try client.setRegister(pcRegister, Program.wait)
    board.machine.perform { machine in
      let (guest, state) = (machine.guest, machine.engine.vcpus[0].state)
      func set(_ name: String, _ value: UInt64) {
        if let number = guest.registerFile.index(of: name) { guest.writeRegister(state, number, value) }
      }
      set("mie", 0x80)
      set("mtvec", Program.busy)
      set("mstatus", isTaken ? 8 : 0)
      // The CLINT counts at 10 MHz.
      _ = try? machine.space.write(0x200_4000, size: 8, 80_000)
    }
    let (text, reply) = try steps(client, "vCont;s:1")
    #expect(reply == "T05thread:1")
    #expect(text.contains("0.00") && text.contains("virtual time passed"), "\(text)")
    #expect(try client.register(pcRegister) == Program.wait + 4)
    #expect(try steps(client, "vCont;s:1") == ("", "T05thread:1"))
    #expect(try client.register(pcRegister) == (isTaken ? Program.busy : Program.wait))
  }
}
