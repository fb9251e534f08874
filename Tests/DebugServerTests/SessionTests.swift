// Replays gdb/sessions/*.gdb with the real GDB. The first line says the machine (`# machine: program[, N harts]`,
// `# machine: clusters`, `# machine: vectors`, `# machine: float BOARD`, `# machine: uboot`, `# machine: kernel GUEST[ on stripped][, N harts]`
// for that of TestSupport/Scheduler, or `# machine: swift FIRMWARE[ on BOARD]` for that of boards/swift, left to GDB to
// load if a board is named); a program or firmware with `, past` behind it keeps its past. What GDB prints must be what FILE.out
// says. There `~` at the start of a line makes the rest a regular expression for the line. BLESS=1 writes the .out files anew,
// but for lines whose expression still fits. A line `# typed` has the commands of a program's session typed one by one, see
// GDBProcess.

import Bus
import DebugServer
import Foundation
import Machine
import Synchronization
import TestSupport
import Testing

private let firmware = "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_jump.bin"
private let bootLoader = "/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin"

/// U-Boot is installed, and this build is not one without optimisation, in which translating it takes minutes.
private var canBoot: Bool {
  #if DEBUG
    false
  #else
    FileManager.default.fileExists(atPath: bootLoader)
  #endif
}

private let sessions: [String] = {
  let folder = repository.appending(path: "gdb/sessions")
  let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path())) ?? []
  return files.filter { $0.hasSuffix(".gdb") }.sorted().map { folder.appending(path: $0).path() }
}()

@Test func sessionsAreFound() {
  #expect(sessions.count >= 3)
}

@Test(
  .enabled(if: GDBProcess.isInstalled, "gdb-multiarch is not installed"),
  arguments: sessions)
func replay(_ path: String) throws {
  let script = try String(contentsOfFile: path, encoding: .utf8)
  let machine = try #require(
    script.firstMatch(of: /^# machine: (\w+)(?: (\w+))?(?: on (\w+))?(?:, (\d+) harts)?(, past)?/))
  if machine.1 == "uboot", !canBoot { return }
  let console = Console()
  let output: String
  switch machine.1 {
  case "swift":
    let firmware = try EmbeddedFirmware(String(machine.2 ?? ""))
    let board = try firmware.testBoard(emptyBoard: machine.3.map(String.init))
    if machine.5 != nil { try keepPast(board) }
    // Addresses are the compiler's business.
    output = try GDBProcess.output(ofScript: path, port: board.port, program: firmware.path)
      .replacing(firmware.path, with: "firmware.elf").replacing(/0x[0-9a-f]+/, with: "0x…")
  case "kernel":
    let firmware = try SchedulerFirmware(try #require(SchedulerFirmware.Guest(rawValue: String(machine.2 ?? ""))))
    let board = try firmware.testBoard(harts: Int(machine.4 ?? "1") ?? 1, isStripped: machine.3 == "stripped")
    output = try GDBProcess.output(ofScript: path, port: board.port, program: firmware.path)
      .replacing(firmware.path, with: "scheduler.elf").replacing(/0x[0-9a-f]+/, with: "0x…")
  case "clusters":
    let board = try clusterBoard()
    output = try GDBProcess.output(ofScript: path, port: board.port).replacing(":\(board.port)", with: ":port")
  case "vectors":
    let board = try vectorsBoard()
    output = try GDBProcess.output(ofScript: path, port: board.port)
  case "float":
    let board = try floatBoard(String(machine.2 ?? ""))
    output = try GDBProcess.output(ofScript: path, port: board.port)
  case "uboot":
    let board = try bootBoard(console)
    output = try GDBProcess.output(ofScript: path, port: board.port)
  default:
    let board = try programBoard(Int(machine.4 ?? "1") ?? 1)
    if machine.5 != nil { try keepPast(board) }
    if script.contains("\n# typed\n") {
      let lines = script.split(separator: "\n").filter { !$0.hasPrefix("# ") }
      output = try GDBProcess.output(
        typing: lines.map { String($0.replacing("$port", with: "\(board.port)")) }, port: board.port
      ).replacing(":\(board.port)", with: ":port")
    } else {
      output = try GDBProcess.output(ofScript: path, port: board.port)
    }
  }
  let expectedPath = path.replacing(/\.gdb$/, with: ".out")
  if ProcessInfo.processInfo.environment["BLESS"] != nil {
    let old = (try? String(contentsOfFile: expectedPath, encoding: .utf8)) ?? ""
    try bless(output, old).write(toFile: expectedPath, atomically: true, encoding: .utf8)
    return
  }
  compare(output, try String(contentsOfFile: expectedPath, encoding: .utf8), path)
}

/// From now on there is a way back.
private func keepPast(_ board: TestBoard) throws {
  let failure: String? = board.machine.perform { machine in
    do { try machine.keepTimeline(limit: 64 << 20) } catch { return "\(error)" }
    return nil
  }
  #expect(failure == nil)
}

private func programBoard(_ harts: Int) throws -> TestBoard {
  var options = DebugServer.Options()
  options.monitor = { line, _ in "monitor: \(line)" }
  return try TestBoard(harts: harts, options: options)
}

/// OpenSBI and U-Boot; a key stops U-Boot's countdown. `monitor await-prompt` lets it run to the prompt.
private func bootBoard(_ console: Console) throws -> TestBoard {
  var options = DebugServer.Options()
  let box = MachineBox()
  options.monitor = { line, _ in
    guard line == "await-prompt", let machine = box.machine else { return "" }
    machine.resume()
    let deadline = Date(timeIntervalSinceNow: 120)
    while !console.contains("\n=> "), Date() < deadline {
      if console.contains("Hit any key"), let path = box.serial { machine.inject([0x20], to: path) }
      usleep(50_000)
    }
    machine.stop()
    return console.contains("\n=> ") ? "there is the prompt" : "no prompt came"
  }
  let board = try TestBoard(options: options, console: console) {
    $0.loads = []
    $0.bios = firmware
    $0.kernel = bootLoader
    $0.memorySize = 128 << 20
  }
  box.set(board.machine)
  return board
}

private final class MachineBox: Sendable {
  private let content = Mutex<Machine?>(nil)
  var machine: Machine? { content.withLock { $0 } }
  var serial: String? { machine?.devices.first { $0.path.contains("serial") }?.path }
  func set(_ machine: Machine) { content.withLock { $0 = machine } }
}

private func fits(_ line: Substring, _ wanted: Substring) -> Bool {
  guard wanted.hasPrefix("~"), let expression = try? Regex(String(wanted.dropFirst())) else { return line == wanted }
  return line.wholeMatch(of: expression) != nil
}

private func bless(_ output: String, _ old: String) -> String {
  let wanted = old.split(separator: "\n", omittingEmptySubsequences: false)
  let lines = output.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map { index, line in
    index < wanted.count && fits(line, wanted[index]) ? wanted[index] : line
  }
  return lines.joined(separator: "\n")
}

private func compare(_ output: String, _ expected: String, _ path: String) {
  let lines = output.split(separator: "\n", omittingEmptySubsequences: false)
  let wanted = expected.split(separator: "\n", omittingEmptySubsequences: false)
  for (index, (line, want)) in zip(lines, wanted).enumerated() {
    guard fits(line, want) else {
      Issue.record("\(path): line \(index + 1) of the output is\n\(line)\ninstead of\n\(want)\n\n\(output)")
      return
    }
  }
  #expect(lines.count == wanted.count, "\(path): the output has \(lines.count) lines\n\(output)")
}
