// What a client sees of the machine: registers, memory, stops.

import DebugServer
import Foundation
import Machine
import Testing

func attach(_ board: TestBoard) throws -> Client {
  let client = try Client(port: board.port)
  try client.begin()
  _ = try client.ask("?")
  client.owner = board
  return client
}

@Suite struct DescriptionTests {
  @Test func everyRegisterIsDescribed() throws {
    let board = try TestBoard()
    let client = try attach(board)
    let text = try client.ask("qXfer:features:read:target.xml:0,1ffff")
    #expect(text.hasPrefix("l<?xml"))
    #expect(text.contains("<architecture>riscv:rv64</architecture>\n<osabi>none</osabi>"))
    #expect(
      text.contains(
        "<reg name=\"pc\" bitsize=\"64\" regnum=\"32\" type=\"code_ptr\" group=\"general\" generic=\"pc\"/>"))
    #expect(text.contains("altname=\"sp\" generic=\"sp\" dwarf_regnum=\"2\" ehframe_regnum=\"2\"/>"))
    for name in ["x31", "f31", "fcsr", "mstatus", "satp", "mcycle", "pmpaddr15", "sie", "priv"] {
      #expect(text.contains("<reg name=\"\(name)\" "))
    }
    let numbers = text.matches(of: /\sregnum="([0-9]+)"/).compactMap { Int($0.1) }
    #expect(Set(numbers).count == numbers.count)
    for number in numbers { #expect(try client.ask("p" + String(number, radix: 16)).count == 16, "register \(number)") }
    #expect(try client.ask("pffff").hasPrefix("E"))
  }

  @Test func narrowGuestsHaveNarrowRegisters() throws {
    let board = try TestBoard(cpu: "rv32")
    let client = try attach(board)
    let text = try client.ask("qXfer:features:read:target.xml:0,1ffff")
    #expect(text.contains("<architecture>riscv:rv32</architecture>"))
    #expect(try client.ask("p20") == "00000080")
    #expect(try client.ask("m80000000,4") == "f32340f1")
    #expect(try client.ask("mfffffffe,4").hasPrefix("E"))
  }

  @Test func theMemoryMapCoversEverything() throws {
    let board = try TestBoard()
    let text = try attach(board).ask("qXfer:memory-map:read::0,1ffff")
    #expect(text.contains("<memory type=\"flash\" start=\"0x20000000\""))
    #expect(text.contains("<memory type=\"ram\" start=\"0x24000000\" length=\"0xffffffffdc000000\"/>"))
  }

  /// Erasing goes by the blocks the board has, and programming clears bits.
  @Test func flashIsProgrammedByBlocks() throws {
    let board = try TestBoard()
    let client = try attach(board)
    #expect(try client.ask("qXfer:memory-map:read::0,1ffff").contains("<property name=\"blocksize\">0x40000<"))
    #expect(try client.ask("vFlashErase:20000000,40000") == "OK")
    #expect(try client.ask("m20000000,4") == "ffffffff")
    #expect(try client.ask("vFlashWrite:20000002:abc") == "OK")
    #expect(try client.ask("vFlashWrite:20000003:~") == "OK")
    #expect(try client.ask("vFlashDone") == "OK")
    #expect(try client.ask("m20000000,6") == "ffff616263ff")
    #expect(try client.ask("vFlashErase:20000000,1000").contains("no border of the flash's blocks"))
    #expect(try client.ask("vFlashWrite:80000000:a").contains("no flash memory at 0x80000000"))
    #expect(try client.ask("vFlashWrite:23ffffff:ab").contains("no flash memory at 0x24000000"))
  }

  @Test func hartsAreThreads() throws {
    let board = try TestBoard(harts: 3)
    let client = try attach(board)
    #expect(try client.ask("qfThreadInfo") == "m1,2,3")
    #expect(try client.ask("qXfer:threads:read::0,1fff").contains("<thread id=\"2\" core=\"1\" name=\"hart 1\">halted"))
    #expect(try client.ask("Hg3") == "OK")
    #expect(try client.ask("p\(hex(65 + 0xF14))") == "0200000000000000")
  }
}

@Suite struct DataTests {
  @Test func registersAreReadAndWritten() throws {
    let client = try attach(try TestBoard())
    let all = try client.ask("g")
    #expect(all.count == 33 * 16)
    #expect(all.hasSuffix("0000008000000000"))
    try client.setRegister(10, 0x0123_4567_89AB_CDEF)
    #expect(try client.register(10) == 0x0123_4567_89AB_CDEF)
    #expect(try client.ask("G" + String(repeating: "11", count: 16)) == "OK")
    #expect(try client.register(0) == 0)
    #expect(try client.register(1) == 0x1111_1111_1111_1111)
    #expect(try client.register(10) == 0x0123_4567_89AB_CDEF)
    let mscratch = 65 + 0x340
    try client.setRegister(mscratch, 77)
    #expect(try client.register(mscratch) == 77)
  }

  @Test func memoryIsReadAndWritten() throws {
    let client = try attach(try TestBoard())
    #expect(try client.ask("M80002ffe,4:0badcafe") == "OK")
    #expect(try client.ask("m80002ffe,4") == "0badcafe")
    #expect(try client.ask("m70000000,4").hasPrefix("E."))
    #expect(try client.ask("Qqemu.PhyMemMode:1") == "OK")
    #expect(try client.ask("qqemu.PhyMemMode") == "1")
    #expect(try client.ask("m80002ffe,4") == "0badcafe")
    #expect(try client.ask("m83fffffe,4") == "0000", "the last bytes of memory")
    #expect(try client.ask("M83fffffe,4:00000000").hasPrefix("E."))
  }

  /// A debugger's write replaces code that has run.
  @Test(arguments: ["jit", "interpreter"]) func codeIsReplaced(_ host: String) throws {
    let client = try attach(try TestBoard(host: host))
    #expect(try client.ask("Z0,\(hex(Program.loop)),4") == "OK")
    for _ in 0..<3 { #expect(brief(try client.ask("c")) == "T05thread:1;swbreak:"); _ = try client.ask("s") }
    let before = try client.register(10)
    #expect(try client.ask("M\(hex(Program.function)),4:13055506") == "OK", "addi a0, a0, 101")
    #expect(brief(try client.ask("c")) == "T05thread:1;swbreak:")
    #expect(try client.register(10) == before + 101)
  }

  /// The UART's receive buffer is emptied by a read of the guest, not by one of the debugger.
  @Test func deviceRegistersAreReadWithoutSideEffects() throws {
    let board = try TestBoard()
    let client = try attach(board)
    #expect(try client.ask("M10000002,1:01") == "OK")
    let path = try #require(board.machine.devices.first { $0.path.contains("serial") }).path
    board.machine.inject([0x41], to: path)
    client.send("c")
    try eventually(board.counter > 1000)
    client.interrupt()
    #expect(brief(try client.receive()) == "T02thread:1")
    for _ in 0..<3 { #expect(try client.ask("m10000000,1") == "41") }
    #expect(try client.ask("m10000005,1") == "61")
  }
}

@Suite struct RunningTests {
  @Test(arguments: ["jit", "interpreter"]) func breakpointsAndSteps(_ host: String) throws {
    let client = try attach(try TestBoard(host: host))
    #expect(try client.ask("Z0,\(hex(Program.function)),4") == "OK")
    #expect(try client.ask("Z1,\(hex(Program.call)),4") == "OK")
    #expect(brief(try client.ask("vCont;c")) == "T05thread:1;hwbreak:")
    #expect(try client.register(pcRegister) == Program.call)
    let stepped = try client.ask("vCont;s:1")
    #expect(brief(stepped) == "T05thread:1")
    #expect(stepped.contains("20:2400008000000000;"), "the PC is in the stop reply")
    #expect(brief(try client.ask("vCont;c")) == "T05thread:1;swbreak:", "not passed over: it was not reported before")
    #expect(try client.register(pcRegister) == Program.function)
    #expect(brief(try client.ask("vCont;c")) == "T05thread:1;swbreak:", "the client steps over breakpoints itself")
    #expect(try client.ask("z0,\(hex(Program.function)),4") == "OK")
    #expect(brief(try client.ask("vCont;r\(hex(Program.function)),\(hex(Program.busy)):1")) == "T05thread:1")
    #expect(try client.register(pcRegister) == Program.base + 0x20)
    #expect(try client.ask("z1,\(hex(Program.call)),4") == "OK")
    #expect(try client.ask("Z0,\(hex(Program.loop)),2") == "OK")
    #expect(try client.ask("Z0,\(hex(Program.loop)),4") == "OK")
    #expect(try client.ask("z0,\(hex(Program.loop)),2") == "OK")
    #expect(brief(try client.ask("c")) == "T05thread:1;swbreak:")
  }

  @Test(arguments: ["jit", "interpreter"]) func watchpoints(_ host: String) throws {
    let board = try TestBoard(host: host)
    let client = try attach(board)
    // One byte in the middle of the doubleword that is stored.
    let address = hex(Program.counter + 1)
    #expect(try client.ask("Z2,\(address),1") == "OK")
    #expect(brief(try client.ask("c")) == "T05thread:1;watch:\(address)")
    #expect(try client.register(pcRegister) == Program.store, "before the store")
    #expect(board.counter == 0)
    #expect(brief(try client.ask("c")) == "T05thread:1;watch:\(address)", "not again by the store it stands at")
    #expect(board.counter == 1)
    #expect(brief(try client.ask("vCont;s:1")) == "T05thread:1")
    #expect(try client.register(pcRegister) == Program.load)
    #expect(board.counter == 2)
    #expect(try client.ask("Z0,\(hex(Program.load)),4") == "OK")
    #expect(brief(try client.ask("c")) == "T05thread:1;swbreak:")
    #expect(try client.ask("z0,\(hex(Program.load)),4") == "OK")
    #expect(brief(try client.ask("c")) == "T05thread:1;watch:\(address)")
    #expect(try client.ask("Z0,\(hex(Program.load)),4") == "OK")
    #expect(brief(try client.ask("c")) == "T05thread:1;swbreak:", "the breakpoint behind the store counts")
    #expect(try client.ask("z0,\(hex(Program.load)),4") == "OK")
    #expect(try client.ask("z2,\(address),1") == "OK")
    #expect(try client.ask("Z3,\(hex(Program.counter)),8") == "OK")
    #expect(brief(try client.ask("c")) == "T05thread:1;rwatch:\(hex(Program.counter))")
    #expect(try client.register(pcRegister) == Program.load)
    #expect(try client.ask("z3,\(hex(Program.counter)),8") == "OK")
    #expect(try client.ask("Z4,80000800,1000000") == "OK", "a large object")
    #expect(brief(try client.ask("c")) == "T05thread:1;awatch:\(hex(Program.counter))")
    #expect(try client.register(pcRegister) == Program.store)
    #expect(brief(try client.ask("c")) == "T05thread:1;awatch:\(hex(Program.counter))")
    #expect(try client.register(pcRegister) == Program.load)
  }

  /// Stops wherever the guest is: in a busy loop, in code that runs through, waiting with nothing to wait for. The limit
  /// (2 s) is far above the 50 ms that are meant: the machines are shared, and what is ignored never comes.
  @Test(arguments: [Program.busy, Program.loop, Program.wait], ["jit", "interpreter"])
  func interrupts(_ pc: UInt64, _ host: String) throws {
    let board = try TestBoard(host: host)
    let client = try attach(board)
    try client.setRegister(9, Program.counter)
    try client.setRegister(pcRegister, pc)
    var times: [Double] = []
    for _ in 0..<5 {
      client.send("c")
      usleep(30_000)
      let start = Date()
      client.interrupt()
      #expect(brief(try client.receive()) == "T02thread:1")
      times.append(-start.timeIntervalSinceNow)
    }
    #expect(times.sorted()[2] < 2, "\(times)")
    if pc == Program.wait {
      // A waiting hart that is sent elsewhere runs there.
      try client.setRegister(pcRegister, Program.loop)
      #expect(try client.ask("Z0,\(hex(Program.function)),4") == "OK")
      #expect(brief(try client.ask("c")) == "T05thread:1;swbreak:")
    }
  }

  /// Between the stops that GDB does not show its user, Ctrl-C comes while the guest is halted.
  @Test func anInterruptWhileHaltedIsForTheNextRun() throws {
    let client = try attach(try TestBoard())
    client.interrupt()
    #expect(brief(try client.ask("vCont;c")) == "T02thread:1")
    #expect(try client.ask("Z0,\(hex(Program.function)),4") == "OK")
    #expect(brief(try client.ask("vCont;c")) == "T05thread:1;swbreak:", "answered once")
    client.interrupt()
    let stepped = brief(try client.ask("vCont;s:1"))
    if stepped == "T05thread:1" {
      // The step was done before: then it is for the run after it.
      #expect(try client.ask("z0,\(hex(Program.function)),4") == "OK")
      #expect(brief(try client.ask("vCont;c")) == "T02thread:1")
    } else {
      #expect(stepped == "T02thread:1")
    }
  }

  /// A hart that stops often keeps the others from nothing: as in GDB's `break function thread 1`.
  @Test func hartsStopByTurns() throws {
    let client = try attach(try TestBoard(harts: 2))
    #expect(try client.ask("Hg2") == "OK")
    try client.setRegister(9, Program.counter + 64)
    try client.setRegister(pcRegister, Program.loop)
    var stops: [Substring: Int] = [:]
    for _ in 0..<20 {
      #expect(try client.ask("Z0,\(hex(Program.function)),4") == "OK")
      let reply = brief(try client.ask("vCont;c"))
      let thread = reply.dropFirst("T05thread:".count).prefix { $0 != ";" }
      stops[thread, default: 0] += 1
      #expect(try client.ask("z0,\(hex(Program.function)),4") == "OK")
      #expect(brief(try client.ask("vCont;s:\(thread)")).hasPrefix("T05thread:\(thread)"))
    }
    #expect(stops["1", default: 0] >= 8 && stops["2", default: 0] >= 8, "\(stops)")
  }

  @Test func aLockUpIsReportedOnceAndTheOthersRunOn() throws {
    let board = try TestBoard(harts: 2)
    let client = try attach(board)
    try client.setRegister(pcRegister, Program.jumpToNothing)
    #expect(try client.ask("Hg2") == "OK")
    try client.setRegister(9, Program.counter)
    try client.setRegister(pcRegister, Program.loop)
    client.send("vCont;c")
    #expect(try client.receive().hasPrefix("O"))
    #expect(brief(try client.receive()) == "T06thread:1")
    let before = board.counter
    client.send("vCont;c")
    try eventually(board.counter > before + 1000)
    #expect(board.isRunning)
    client.interrupt()
    #expect(brief(try client.receive()) == "T02thread:1")
    // Sent elsewhere it runs, and a new lock-up is news again.
    #expect(try client.ask("Hg1") == "OK")
    try client.setRegister(9, Program.counter)
    try client.setRegister(pcRegister, Program.loop)
    #expect(try client.ask("Z0,\(hex(Program.function)),4") == "OK")
    #expect(brief(try client.ask("vCont;c:1")) == "T05thread:1;swbreak:")
    #expect(try client.ask("z0,\(hex(Program.function)),4") == "OK")
    try client.setRegister(pcRegister, Program.jumpToNothing)
    client.send("vCont;c")
    #expect(try client.receive().hasPrefix("O"))
    #expect(brief(try client.receive()) == "T06thread:1")
  }

  @Test func aCortexMThatIsLockedUpStays() throws {
    let board = try lockingBoard()
    let client = try attach(board)
    client.send("c")
    #expect(try client.receive().hasPrefix("O"))
    #expect(brief(try client.receive()) == "T06thread:1")
    client.send("c")
    #expect(throws: ClientError.self) { try client.receive(within: 0.2) }
    client.interrupt()
    #expect(brief(try client.receive()) == "T02thread:1")
    client.send("s")
    #expect(try client.receive().hasPrefix("O"), "a step says why it cannot be made")
    #expect(brief(try client.receive()) == "T06thread:1")
    #expect(try client.ask("Pf=42000000") == "OK")
    #expect(brief(try client.ask("s")) == "T05thread:1")
    #expect(try client.ask("pf") == "44000000")
  }

  @Test func haltedMeansThatCountersStandStill() throws {
    let client = try attach(try TestBoard())
    #expect(try client.ask("Z0,\(hex(Program.function)),4") == "OK")
    _ = try client.ask("c")
    let counters = [0xB00, 0xB02, 0xC00, 0xC01, 0xC02].map { 65 + $0 }
    let before = try counters.map { try client.register($0) } + [try clint(client)]
    usleep(50_000)
    #expect(try counters.map { try client.register($0) } + [try clint(client)] == before)
    #expect(before[1] == 8, "instructions before the function")
    _ = try client.ask("s")
    #expect(try client.register(counters[1]) == 9)
  }

  private func clint(_ client: Client) throws -> UInt64 {
    UInt64(try client.ask("m200bff8,8"), radix: 16) ?? .max
  }

  @Test func harts() throws {
    let board = try TestBoard(harts: 2)
    let client = try attach(board)
    #expect(try client.ask("Z0,\(hex(Program.wait)),4") == "OK")
    #expect(brief(try client.ask("vCont;c")) == "T05thread:2;swbreak:")
    #expect(try client.ask("z0,\(hex(Program.wait)),4") == "OK")
    #expect(try client.ask("Hg1") == "OK")
    let pc = try client.register(pcRegister)
    // Only the second hart runs, and waits.
    client.send("vCont;c:2")
    usleep(20_000)
    client.interrupt()
    #expect(brief(try client.receive()) == "T02thread:2")
    #expect(try client.ask("Hg1") == "OK")
    #expect(try client.register(pcRegister) == pc)
    #expect(brief(try client.ask("vCont;s:1")) == "T05thread:1")
    #expect(try client.register(pcRegister) != pc)
    client.send("vCont;c")
    try eventually(board.counter > 100)
    #expect(board.machine.perform { !$0.isHeld(0) })
  }

  @Test func exitIsReported() throws {
    let board = try TestBoard()
    let client = try attach(board)
    try client.setRegister(pcRegister, Program.off)
    #expect(try client.ask("c") == "W00")
    #expect(try client.ask("g").hasPrefix("E"))
    #expect(try client.ask("?") == "W00")
    client.disconnect()
    let again = try attach(board)
    #expect(try again.register(pcRegister) >= Program.off, "the machine can be looked at after its end")
    #expect(brief(try again.ask("vRun;")) == "T05thread:1")
    #expect(try again.register(pcRegister) == Program.base)
    #expect(try again.ask("Z0,\(hex(Program.function)),4") == "OK")
    #expect(brief(try again.ask("c")) == "T05thread:1;swbreak:")
  }

  @Test func lockUpIsReported() throws {
    let client = try attach(try TestBoard())
    try client.setRegister(pcRegister, Program.jumpToNothing)
    client.send("c")
    let text = try client.receive()
    #expect(text.hasPrefix("O"))
    #expect(brief(try client.receive()) == "T06thread:1")
    #expect(try client.register(pcRegister) == 0)
  }

  @Test func restart() throws {
    let board = try TestBoard()
    let client = try attach(board)
    client.send("c")
    try eventually(board.counter > 100)
    client.send("R00")
    #expect(brief(try client.ask("?")) == "T05thread:1")
    #expect(try client.register(pcRegister) == Program.base)
  }

  @Test func monitorCommands() throws {
    var options = DebugServer.Options()
    options.monitor = { line, run in
      guard line == "wait" else { return "you said \(line)" }
      while !run.isCancelled { usleep(1000) }
      return "waited\n"
    }
    let client = try attach(try TestBoard(options: options))
    #expect(try client.ask("qRcmd," + digits("help")) == "O" + digits("you said help\n"))
    #expect(try client.receive() == "OK")
    client.send("qRcmd," + digits("wait"))
    client.interrupt()
    #expect(try client.receive() == "O" + digits("waited\n"))
    #expect(try client.receive() == "OK")
    // GDB sends no interrupt: it asks for something else, and wants no more of the command.
    client.send("qRcmd," + digits("wait"))
    #expect(try client.ask("qC") == "QC1")
    let bare = try attach(try TestBoard())
    #expect(try bare.ask("qRcmd," + digits("help")).hasPrefix("E."))
  }

  private func digits(_ text: String) -> String {
    text.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// A condition that the target decides costs well below a microsecond each time; here it may cost ten.
  @Test func missesAreQuick() throws {
    let client = try attach(try TestBoard())
    try client.setRegister(5, 0)
    // t0 == 300000
    #expect(try client.ask("Z0,\(hex(Program.function)),4;Xa,26000524000493e01327") == "OK")
    let start = Date()
    #expect(brief(try client.ask("vCont;c")) == "T05thread:1;swbreak:")
    #expect(-start.timeIntervalSinceNow < 3)
    #expect(try client.register(5) == 300_000)
  }

  /// Whatever a stop leaves behind on its way to the client, a hundred thousand of them would fill the stack.
  @Test func stopsLeaveNothingBehind() throws {
    let client = try attach(try TestBoard())
    for _ in 0..<100_000 {
      client.send("vCont;s:1")
      _ = try client.receive()
    }
    #expect(brief(try client.ask("vCont;s:1")) == "T05thread:1")
  }

  /// At least 2,000 single steps a second through the socket, in debug builds too.
  @Test func stepsAreQuick() throws {
    let client = try attach(try TestBoard())
    let start = Date()
    for _ in 0..<1000 { client.send("vCont;s:1"); _ = try client.receive() }
    #expect(-start.timeIntervalSinceNow < 0.5)
  }
}
