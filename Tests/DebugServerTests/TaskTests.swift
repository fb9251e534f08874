// Owns the tests of tasks as threads: what packets and the monitor say, and what broken structures come to.

import Foundation
import GDBRemote
import Machine
import TestSupport
import Testing

@Suite(.enabled(if: SchedulerFirmware.canBuild, "the toolchain's clang and lld are not installed"))
struct TaskTests {
  /// A board whose tasks have all run, stopped where they give the CPU up, and a client of it.
  private static func started(
    _ guest: SchedulerFirmware.Guest, harts: Int = 1, _ monitor: MonitorBox = MonitorBox()
  ) throws -> (board: TestBoard, client: Client) {
    let board = try SchedulerFirmware(guest).testBoard(harts: harts, monitor: monitor)
    let client = try Client(port: board.port)
    client.owner = board
    try client.begin()
    let place = try #require(board.machine.perform { $0.symbols.named("count_one").first?.address })
    #expect(try client.ask("Z1,\(hex(place)),4") == "OK")
    for _ in 0..<8 { #expect(try goOn(client, "").hasPrefix("T05")) }
    return (board, client)
  }

  /// From a breakpoint to the next one.
  private static func goOn(_ client: Client, _ thread: String) throws -> String {
    #expect(try client.ask("vCont;s" + thread).hasPrefix("T05"))
    return brief(try client.ask("vCont;c" + thread))
  }

  /// What the client is shown before the answer.
  private static func monitor(_ command: String, _ client: Client) throws -> String {
    client.send("qRcmd," + command.utf8.map { String(format: "%02x", $0) }.joined())
    var text = ""
    while true {
      let packet = try client.receive()
      guard packet.hasPrefix("O"), packet != "OK" else { return text }
      text += String(decoding: Hex.decode(Array(packet.dropFirst().utf8)) ?? [], as: UTF8.self)
    }
  }

  @Test(arguments: SchedulerFirmware.Guest.allCases) func tasksAreThreads(_ guest: SchedulerFirmware.Guest) throws {
    let (_, client) = try Self.started(guest)
    #expect(try client.ask("qfThreadInfo") == "m1")
    #expect(try Self.monitor("threads rtos", client) == "threads  tasks\nkernel   FreeRTOS\n")
    #expect(try client.ask("qfThreadInfo") == "m1,2,3,4,5")
    let document = try client.ask("qXfer:threads:read::0,2000")
    for name in ["count 0", "count 1", "sleeper", "waiter", "parked"] {
      #expect(document.contains("name=\"\(name)\""), "\(document)")
    }
    #expect(document.contains(">blocked, priority 3, stack "))
    // The thread that runs has the CPU's registers, others have theirs.
    #expect(try client.ask("Hg1") == "OK")
    let running = try client.ask("g")
    #expect(!running.contains("x"))
    #expect(try client.ask("Hg3") == "OK")
    let waiting = try client.ask("g")
    #expect(waiting.count == running.count && waiting != running)
    #expect(try client.ask("T5") == "OK")
    #expect(try client.ask("T6").hasPrefix("E"))
    // Whichever is let go on, the machine does, and the stop is the running task's.
    let stops = try (0..<4).map { _ in try Self.goOn(client, ":3") }
    #expect(Set(stops) == ["T05thread:1;hwbreak:", "T05thread:2;hwbreak:"])
    #expect(brief(try client.ask("vCont;s:4")).hasPrefix("T05thread:"))
    #expect(try Self.monitor("threads cpu", client).hasPrefix("threads  CPUs\n"))
    #expect(try client.ask("qfThreadInfo") == "m1")
  }

  /// Registers of a task that does not run are changed where it has saved them.
  @Test func savedRegistersAreWritten() throws {
    let (board, client) = try Self.started(.arm)
    _ = try Self.monitor("threads rtos", client)
    let tasks = try board.machine.perform { machine in Result { try machine.kernelTasks().tasks } }.get()
    let waiter = try #require(tasks.tasks.first { $0.name == "waiter" })
    guard case .saved(let context) = waiter.context else { throw ClientError("\(waiter)") }
    guard case .memory(let place, _)? = context.registers["r11"] else { throw ClientError("\(context)") }
    let numbers = try client.ask("qfThreadInfo").dropFirst().split(separator: ",")
    let thread = try #require(
      try numbers.first { number in
        let answer = try client.ask("qThreadExtraInfo,\(number)")
        return String(decoding: Hex.decode(Array(answer.utf8)) ?? [], as: UTF8.self).hasPrefix("waiter")
      })
    #expect(try client.ask("Hg\(thread)") == "OK")
    #expect(try client.ask("Pb=78563412") == "OK")
    #expect(try client.ask("pb") == "78563412")
    #expect(board.machine.perform { $0.space.peek(place, size: 4) } == 0x1234_5678)
    #expect(
      try client.ask("Pd=00000020") == "E.the task does not run, and has saved no sp that could be changed")
  }

  @Test func otherHartsStayThreads() throws {
    let (_, client) = try Self.started(.riscv64, harts: 2)
    _ = try Self.monitor("threads rtos", client)
    #expect(try client.ask("qfThreadInfo") == "m1,3,4,5,6,2")
    let document = try client.ask("qXfer:threads:read::0,2000")
    #expect(document.contains("<thread id=\"2\" core=\"1\" name=\"hart 1\">"))
  }

  @Test func theMonitorListsTasks() throws {
    let monitor = MonitorBox()
    let (_, client) = try Self.started(.riscv32, monitor)
    let listing = try Self.monitor("info tasks", client)
    #expect(listing.hasPrefix("FreeRTOS, 5 tasks\n"))
    let lines = listing.split(separator: "\n")
    let waiter = try #require(lines.first { $0.contains("waiter") })
    #expect(waiter.contains("blocked"))
    #expect(waiter.hasSuffix("switch_task+0x4"))
    let json = try Self.monitor("info tasks --json", client)
    let value = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
    #expect(value["kernel"] as? String == "FreeRTOS")
    let tasks = try #require(value["tasks"] as? [[String: Any]])
    #expect(Set(tasks.compactMap { $0["state"] as? String }) == ["running", "ready", "blocked", "suspended"])
  }

  /// Structures that make no sense: the CPUs are the threads, and the client is told why, once.
  @Test func brokenStructures() throws {
    let (board, client) = try Self.started(.riscv32)
    _ = try Self.monitor("threads rtos", client)
    let lists = try #require(board.machine.perform { $0.symbols.named("pxReadyTasksLists").first?.address })
    #expect(try client.ask("M\(hex(lists)),50:" + String(repeating: "ee", count: 0x50)) == "OK")
    #expect(try client.ask("qfThreadInfo") == "m1")
    #expect(
      try Self.monitor("info tasks", client)
        == "FreeRTOS: its lists (pxReadyTasksLists at 0x\(hex(lists))) are laid out in a way that is not understood\n")
    client.send("vCont;s:1")
    let text = try client.receive()
    #expect(
      String(decoding: Hex.decode(Array(text.dropFirst().utf8)) ?? [], as: UTF8.self).contains("CPUs are the threads"))
    #expect(brief(try client.receive()) == "T05thread:1")
    #expect(brief(try client.ask("vCont;s:1")) == "T05thread:1")
  }

  @Test func withoutAKernelThereAreNoTasks() throws {
    let monitor = MonitorBox()
    let board = try SchedulerFirmware(.riscv32).testBoard(isStripped: true, monitor: monitor)
    let client = try Client(port: board.port)
    client.owner = board
    try client.begin()
    let answer = try Self.monitor("threads rtos", client)
    #expect(answer == "no symbols are known: load an ELF file that has them, or give it to GDB\n")
  }
}
