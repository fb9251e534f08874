// Has LLDB debug both guests: breakpoints, steps, registers, memory, watchpoints.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: LLDB.path != nil, "LLDB is not installed")) struct LLDBTests {
  @Test func debugsRISCV() throws {
    let board = try TestBoard(harts: 2)
    try LLDB.run(
      port: board.port,
      [
        ("thread list", ["thread #1: tid = 0x0001, 0x0000000080000000, name = 'hart 0'", "name = 'hart 1'"]),
        ("breakpoint set -a \(address(Program.function))", ["Breakpoint 1: address = 0x0000000080000024"]),
        ("continue", ["stop reason = breakpoint 1.1", "->  0x80000024: addi"]),
        ("register read pc mhartid", ["pc = 0x0000000080000024", "mhartid = 0x0000000000000000"]),
        ("thread step-inst", ["stop reason = instruction step into", "->  0x80000028"]),
        ("thread step-inst", ["->  0x80000020"]),
        ("register write x5 7", []),
        ("register read x5", ["x5 = 0x0000000000000007"]),
        ("memory write -s 8 \(address(Program.counter + 8)) 0x1122", []),
        ("memory read -s 8 -f x -c 2 \(address(Program.counter))", ["0x0000000000000001 0x0000000000001122"]),
        ("breakpoint delete -f", ["1 breakpoint"]),
        ("watchpoint set expression -w write -s 8 -- \(address(Program.counter))", ["Watchpoint created"]),
        ("continue", ["Watchpoint 1 hit", "old value: 1", "new value: 8", "stop reason = watchpoint 1"]),
        ("register read pc", ["pc = 0x0000000080000018"]),
        ("watchpoint delete -f", ["1 watchpoint"]),
        ("memory region \(address(Program.base))", ["rwx"]),
        ("detach", ["detached"]),
      ])
    try eventually(board.isRunning)
  }

  @Test func debugsCortexM() throws {
    let board = try floatBoard("mps2_an386")
    try LLDB.run(
      port: board.port,
      [
        ("register read pc sp", ["pc = 0x00000040", "sp = 0x20008000"]),
        ("thread step-inst", ["stop reason = instruction step into", "frame #0: 0x00000042"]),
        ("register read r0", ["r0 = 0xe000ed88"]),
        ("breakpoint set -a 0x50", ["Breakpoint 1: address = 0x00000050"]),
        ("continue", ["stop reason = breakpoint 1.1", "frame #0: 0x00000050"]),
        ("register write r1 0x20001000", []),
        ("register read r1", ["r1 = 0x20001000"]),
        ("memory write -s 4 0x20001000 0xcafe", []),
        ("memory read -s 4 -f x -c 1 0x20001000", ["0x0000cafe"]),
        ("memory read -s 4 -f x -c 1 0xe000ed88", ["0x00f00000"]),
        ("register write pc 0x46", []),
        ("register write r0 0x20001000", []),
        ("watchpoint set expression -w write -s 4 -- 0x20001000", ["Watchpoint created"]),
        ("continue", ["Watchpoint 1 hit", "stop reason = watchpoint 1"]),
        ("memory read -s 4 -f x -c 1 0x20001000", ["0x20001000"]),
        ("detach", ["detached"]),
      ])
  }

  private func address(_ value: UInt64) -> String { "0x" + hex(value) }
}

private enum LLDB {
  static let path = ["/usr/bin/lldb-14", "/usr/bin/lldb"].first { FileManager.default.isExecutableFile(atPath: $0) }

  /// Carries out commands; what each prints must contain its texts, in their order.
  static func run(port: Int, _ commands: [(line: String, texts: [String])]) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/timeout")
    process.arguments =
      ["-k", "5", "120", path ?? "", "--no-lldbinit", "--batch", "-o", "gdb-remote \(port)"]
      + commands.flatMap { ["-o", $0.line] }
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let all = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    var rest = all[...]
    for (line, texts) in commands {
      for text in ["(lldb) " + line + "\n"] + texts {
        guard let range = rest.range(of: text) else {
          Issue.record("\(line): '\(text)' is missing in\n\(all)")
          return
        }
        rest = rest[range.upperBound...]
      }
    }
  }
}
