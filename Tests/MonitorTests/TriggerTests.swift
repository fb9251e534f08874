// The monitor's breakpoints on all that is no address of code, on both guests and both hosts.

import Foundation
import Monitor
import Testing

@Suite(.enabled(if: Setup.canAssemble)) struct TriggerTests {
  // MARK: Exceptions and interrupts

  @Test(arguments: Setup.all) func exceptionsStopAtTheirHandlers(_ setup: Setup) throws {
    let bench = try FirmwareBench(setup)
    let name = setup.callName.prefix(setup.isARM ? 4 : 14).lowercased()
    let number = bench("break exception \(setup.isARM ? name : setup.callName)")
    #expect(number == "1: exception \(setup.callName) (11)")
    let stop = bench.run()
    #expect(stop.hasPrefix("hart 0: breakpoint 1: \(setup.callName) (11), from 0x"), "\(stop)")
    #expect(stop.contains(setup.isARM ? "<call+0x2>" : "<call>") || stop.contains("<call"), "\(stop)")
    #expect(stop.contains("<trap>"), "\(stop)")
    #expect(bench.turn == 1)
    // The next one is the next turn's, whichever way it is waited for.
    #expect(bench("step 100").contains("breakpoint 1"))
    #expect(bench.turn == 2)
    #expect(bench("info status").contains("breakpoint 1"))
  }

  @Test(arguments: Setup.all) func interruptsStopAtTheirHandlers(_ setup: Setup) throws {
    let bench = try FirmwareBench(setup)
    _ = bench("break exception")
    _ = bench("break interrupt")
    #expect(bench.run().contains("breakpoint 1"))
    _ = bench("delete 1")
    if setup.isARM {
      _ = bench("poke 4 0xE000E100 0xFFFFFFFF")
      _ = bench("poke 4 0xE000E200 0x20")
    } else {
      _ = bench("poke 8 0x2004000 0")
      _ = bench("set $mie = 0x80")
      _ = bench("set $mstatus = 0x1880")
    }
    let stop = bench.run()
    #expect(
      stop.hasPrefix("hart 0: breakpoint 2: " + (setup.isARM ? "IRQ 5, from" : "machine timer interrupt (7), from")),
      "\(stop)")
    #expect(stop.contains(setup.isARM ? "<interrupt>" : "<trap>"), "\(stop)")
    #expect(bench.run().contains("<last>"))
  }

  @Test(arguments: Setup.all) func ofOneKindOrNone(_ setup: Setup) throws {
    let bench = try FirmwareBench(setup)
    #expect(
      bench("break exception nonsense").hasPrefix("ERROR: no exception or interrupt is called 'nonsense'; there are: "))
    #expect(bench("break interrupt 3").hasPrefix("1: interrupt "))
    #expect(bench("break exception *fault").contains(", "))
    #expect(
      bench("break exception 11 if \(setup.turnRegister) == 7").hasPrefix("3: exception \(setup.callName) (11), if"))
    #expect(bench.run().contains("breakpoint 3"))
    #expect(bench.turn == 7)
  }

  // MARK: What all of them have

  /// Each kind of breakpoint, with a word of its stops; hit in every turn.
  static func everyTurn(_ setup: Setup) -> [(line: String, words: String)] {
    [
      ("break uart_line", "breakpoint"), ("rbreak uart_lin?", "breakpoint"), ("break exception", setup.callName),
      ("watch counter", "wrote 4 bytes"), ("watch \(setup.register)", "wrote "),
      ("break console /t=[A-Z]/", "the console shows 't="),
      ("watch \(setup.uart).\(setup.data) w if \(setup.a0) == 't'", "wrote 0x74 to"),
    ]
  }

  @Test(arguments: Setup.all) func conditionsIgnoringAndHits(_ setup: Setup) throws {
    for (line, words) in Self.everyTurn(setup) {
      let bench = try FirmwareBench(setup)
      let turn = setup.turnRegister
      let condition = line.contains(" if ") ? " && \(turn) >= 3" : " if \(turn) >= 3"
      #expect(bench(line + condition).hasPrefix("1: "), "\(line)")
      var stop = bench.run()
      #expect(stop.contains(words) && !stop.contains("<last>"), "\(line): \(stop)")
      #expect(bench.turn == 3, "\(line)")
      _ = bench("ignore 1 4")
      stop = bench.run()
      #expect(stop.contains(words), "\(line): \(stop)")
      #expect(bench.turn == 8, "\(line)")
      #expect(bench("info breakpoints").contains("   6  if "), "\(line): \(bench("info breakpoints"))")
      #expect(bench("condition 1 0") == "")
      #expect(bench.run().contains("<last>"), "\(line)")
    }
  }

  @Test(arguments: Setup.all) func logsCommandsAndOnce(_ setup: Setup) throws {
    for (line, words) in Self.everyTurn(setup) {
      let turn = setup.turnRegister
      var bench = try FirmwareBench(setup)
      _ = bench(line + " log \"turn {\(turn)}\"")
      let logged = bench.run().split(separator: "\n").filter { $0.hasPrefix("turn ") }
      #expect(logged == (1...20).map { "turn \($0)" }, "\(line): \(logged)")

      bench = try FirmwareBench(setup)
      _ = bench(line + " do print \(turn)")
      #expect(bench.run().contains("0x14  20"), "\(line)")

      bench = try FirmwareBench(setup)
      #expect(bench("t" + line.replacing("rbreak uart_lin?", with: "break uart_line")).contains("once"), "\(line)")
      #expect(bench.run().contains(words), "\(line)")
      #expect(!bench("info breakpoints").contains("uart"), "\(line)")
      #expect(bench.run().contains("<last>"), "\(line)")

      bench = try FirmwareBench(setup)
      _ = bench(line)
      _ = bench("disable 1")
      #expect(bench("info breakpoints").contains("disabled"))
      #expect(bench.run().contains("<last>"), "\(line)")
      _ = bench("reset halt")
      _ = bench("enable 1")
      #expect(bench.run().contains(words), "\(line)")
    }
  }

  /// A run with breakpoints of all kinds that never stop is the run without them.
  @Test(arguments: Setup.all) func whatDoesNotStopDoesNotShow(_ setup: Setup) throws {
    let plain = try FirmwareBench(setup)
    _ = plain.run()
    let watched = try FirmwareBench(setup)
    for (line, _) in Self.everyTurn(setup) where !line.contains(" if ") { _ = watched(line + " if 0") }
    for line in ["watch \(setup.uart).\(setup.data) rw", "break translation", "break chain", "break op turn 1"] {
      _ = watched(line + " if 0")
    }
    _ = watched("break time every 1us if 0")
    _ = watched("break instructions every 7 log \"{$pc:x}\"")
    #expect(watched.run().contains("<last>"))
    #expect(watched.outcome == plain.outcome)
  }

  @Test(arguments: Setup.all) func deletedWhileTheGuestRuns(_ setup: Setup) throws {
    let bench = try FirmwareBench(setup)
    _ = bench("break last if 0")
    for (line, _) in Self.everyTurn(setup) where !line.contains(" if ") { _ = bench(line + " if 0") }
    _ = bench("break time every 1us if 0")
    _ = bench("cont")
    _ = bench("delete all")
    #expect(bench("info breakpoints") == "No breakpoints or watchpoints.")
    for _ in 0..<2000 where !bench.console.text.hasSuffix("t=U\n") { usleep(2000) }
    #expect(bench.console.text.hasSuffix("t=U\n"))
    _ = bench("stop")
  }

  // MARK: Memory and registers

  @Test(arguments: Setup.all) func memorySaysWhatWasAndIs(_ setup: Setup) throws {
    let bench = try FirmwareBench(setup)
    _ = bench("watch counter if u32(counter) == 5")
    let stop = bench.run()
    #expect(stop.contains("watchpoint 1: wrote 4 bytes at") && stop.contains(": 0x4 -> 0x5"), "\(stop)")
  }

  @Test(arguments: Setup.all) func systemRegistersSayWhatWasAndIs(_ setup: Setup) throws {
    let bench = try FirmwareBench(setup)
    #expect(bench("watch \(setup.register)").hasPrefix("1: \(setup.register.replacing(" ", with: " w "))"))
    let stop = bench.run()
    let name = setup.register.split(separator: " ")[1]
    #expect(
      stop.contains("breakpoint 1: wrote \(name): 0x0 -> \(setup.isARM ? "0x20" : "0x1"), by the instruction at 0x"),
      "\(stop)")
    #expect(bench("watch \(setup.register.prefix(3)) nonsense").contains("is called 'nonsense'"))
    if setup.isARM {
      let bench = try FirmwareBench(setup)
      _ = bench("watch msr PRIMASK rw")
      #expect(bench.run().contains("wrote primask: 0x0 -> 0x1"))
      #expect(bench.run().contains("wrote primask: 0x1 -> 0x0"))
      #expect(bench("watch msr control").contains("exceptions change it too"))
    } else {
      _ = bench("delete all")
      #expect(bench("watch csr mepc rw").contains("traps write it too"))
      #expect(bench.run().contains("read mepc: 0x"))
      #expect(bench.run().contains("wrote mepc: 0x"))
      _ = bench("delete all")
      _ = bench("watch csr mstatus")
      #expect(bench.run().contains("wrote mstatus: 0x"), "by MRET, which names no register")
    }
  }

  @Test(arguments: Setup.all) func deviceRegisters(_ setup: Setup) throws {
    let bench = try FirmwareBench(setup)
    #expect(bench("watch nothing.SR").contains("no symbol 'nothing"))
    #expect(bench("watch \(setup.uart).NONE").contains("has no register 'NONE'; there are: "))
    let status = setup.isARM ? "STATE.RXFULL" : "LSR.DR"
    #expect(
      bench("watch \(setup.uart).\(status.split(separator: ".")[0]).NONE").contains("has no field 'NONE'; there are: "))
    #expect(bench("watch \(setup.uart).\(status)").contains("changes that no instruction makes"))
    // A name without its address will do where it is the only one, and so will another case.
    let node = setup.isARM ? setup.uart : "serial"
    #expect(
      bench("watch \(node).\(setup.data.lowercased()) w if \(setup.a0) == 10").hasPrefix(
        "2: watch w \(node).\(setup.data)"))
    #expect(bench.run().contains("breakpoint 2: the guest wrote 0xa to \(node).\(setup.data)"))
    #expect(bench.turn == 1)
    _ = bench("delete 2")
    if setup.isARM {
      let other = try FirmwareBench(setup)
      _ = other("watch \(setup.uart).CTRL.TXEN")
      #expect(other.run().contains("\(setup.uart).CTRL.TXEN changed: 0x0 -> 0x1, with a write of it"))
      _ = bench("poke 4 0x40004008 3")
    }
    #expect(bench.run().contains("<last>"))
    bench.machine.inject([65], to: bench.machine.perform { $0.consolePath })
    let stop = bench.goOn()
    #expect(stop.contains("breakpoint 1: \(setup.uart).\(status) changed by itself: 0x0 -> 0x1"), "\(stop)")
  }

  // MARK: Counts

  @Test(arguments: Setup.all) func countsAreExact(_ setup: Setup) throws {
    let whole = try FirmwareBench(setup)
    _ = whole.run()
    for count in [1, 2, 17, 100, 500] as [UInt64] {
      let bench = try FirmwareBench(setup)
      #expect(bench("break instructions \(count)").hasPrefix("1: instructions \(count) of hart 0"))
      #expect(bench.run().contains("breakpoint 1: \(count) instructions have retired"))
      #expect(bench.outcome.instructions == count)
      #expect(bench("info breakpoints") == "No breakpoints or watchpoints.")
      let stepped = try FirmwareBench(setup)
      while stepped.outcome.instructions < count { _ = stepped("step") }
      #expect(bench.outcome.registers == stepped.outcome.registers)
      #expect(bench.run().contains("<last>"))
      #expect(bench.outcome == whole.outcome)
    }
    // Far away, where the guest turns in a loop: the distance is run in code that is not followed.
    let far = try FirmwareBench(setup)
    _ = far.run()
    _ = far("break instructions @10000000")
    _ = far.goOn()
    #expect(far.outcome.instructions == 10_000_000)
    _ = far("break time @0.25s")
    _ = far.goOn()
    #expect(far.outcome.ticks == 25_000_000)
    #expect(far("break time 5").contains("write 500ns, 10us"))
    #expect(far("break time @1ms").contains("that is over"))
    #expect(far("break instructions 0").contains("more than 0"))
  }

  /// Time comes while nothing runs, too.
  @Test(arguments: Setup.all) func timeComesInAWait(_ setup: Setup) throws {
    let bench = try FirmwareBench(setup)
    _ = bench.run()
    _ = bench(setup.isARM ? "poke 2 last 0xbf30" : "poke 4 last 0x10500073")
    _ = bench("flush")
    let before = bench.outcome.ticks
    _ = bench("break time 10ms")
    #expect(bench.goOn().contains("breakpoint 1: it is 0.01"))
    #expect(bench.outcome.ticks == before + 1_000_000)
  }

  /// Harts take turns as they do when nobody counts.
  @Test(arguments: UnharmedTests.hosts) func countsOfSeveralHarts(_ host: String) throws {
    let setup = Setup(guest: "riscv", host: host)
    func bench() throws -> FirmwareBench { try FirmwareBench(setup, harts: 3) }
    func state(_ bench: FirmwareBench) throws -> UInt64 {
      _ = bench("delete all")
      _ = bench("break time @2ms")
      #expect(bench.goOn().contains("it is 0.002"))
      return try bench.machine.perform { machine in Result { try machine.digest() } }.get()
    }
    let plain = try state(bench())
    let counted = try bench()
    _ = counted("cpu 1")
    #expect(counted("break instructions 50").contains("50 of hart 1"))
    #expect(counted.goOn().contains("hart 1: breakpoint 1: 50 instructions"))
    #expect(counted.machine.perform { $0.engine.vcpus[1].retired } == 50)
    _ = counted("break time @5us")
    #expect(counted.goOn().contains("breakpoint 2: it is 0.000005"))
    _ = counted("break exception if $mhartid == 2")
    #expect(counted.goOn().contains("hart 2: breakpoint 3: "))
    #expect(try state(counted) == plain)
  }

  // MARK: Translated code

  @Test(arguments: Setup.all) func translation(_ setup: Setup) throws {
    let bench = try FirmwareBench(setup)
    _ = bench("tbreak translation uart_putc")
    let stop = bench.run()
    #expect(stop.contains("<uart_putc> was translated ("), "\(stop)")
    #expect(bench.console.text.isEmpty)
    #expect(bench("break op turn 2").hasPrefix("2: op 2 of the block at"))
    let inside = bench.run()
    #expect(inside.contains("breakpoint 2: before op 2 of block") || inside.contains("before op 3"), "\(inside)")
    #expect(bench("step op").contains("=>"))
    #expect(bench("info breakpoints").split(separator: "\n").count == 2)
    #expect(bench("condition 2 \(setup.turnRegister) == 6") == "")
    #expect(bench.run().contains("breakpoint 2: before op"))
    #expect(bench.turn == 6)
    // Of two at a place, that for the place is the nearer.
    _ = bench("condition 2")
    _ = bench("break turn if \(setup.turnRegister) == 8")
    _ = bench("ignore 2 1")
    #expect(bench.run().hasPrefix("hart 0: breakpoint 3\n"))
    #expect(bench.turn == 8)
    #expect(bench("break op turn 5000").contains("ops, from 0 on"))
    _ = bench("delete all")
    #expect(bench.run().contains("<last>"))
  }

  @Test(arguments: ["riscv", "arm"]) func chaining(_ guest: String) throws {
    let bench = try FirmwareBench(Setup(guest: guest, host: "jit"), tiers: .thorough)
    _ = bench("tbreak chain uart_line")
    let stop = bench.run()
    #expect(stop.contains("was chained to #"), "\(stop)")
    #expect(bench.run().contains("<last>"))
  }
}
