// What editors and build systems say to a server, word by word: cortex-debug over a real GDB, Zephyr's CMake targets.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Program.path != nil, Program.missing))
struct EditorTests {
  /// cortex-debug's `qemu` server type with Martlet as `serverpath`: its command line, then what it sends to GDB.
  @Test(.enabled(if: MachineInterface.isInstalled, "gdb-multiarch is not installed"))
  func cortexDebugLaunchesAndRestarts() throws {
    let firmware = try EmbeddedFirmware("mps2_an386")
    let port = try Server.freePort()
    let server = try Server([
      "-cpu", "cortex-m4", "-machine", "mps2-an386", "-nographic", "-semihosting-config", "enable=on,target=native",
      "-gdb", "tcp::\(port)", "-S", "-kernel", firmware.path,
    ])
    let gdb = try MachineInterface()
    try gdb.ask("-gdb-set mi-async on")
    try gdb.ask("-file-exec-and-symbols \"\(firmware.path)\"")
    try gdb.ask("-enable-pretty-printing")
    let helper = EmbeddedFirmware.folder.appending(path: "../../gdb/swift.py").standardized.path()
    try gdb.ask("-interpreter-exec console \"source \(helper)\"")
    try gdb.ask("-interpreter-exec console \"swift-symbols\"")
    try connect(gdb, port)
    try gdb.ask("-interpreter-exec console \"monitor stop\"")
    try gdb.ask("-interpreter-exec console \"monitor system_reset\"")
    let breakpoint = try gdb.ask("-break-insert -f Crossing::onTimerInterrupt")
    #expect(breakpoint.contains("number=\"1\""))
    try gdb.ask("-exec-continue", expecting: "running")
    let stop = try gdb.next("*stopped")
    #expect(stop.contains("reason=\"breakpoint-hit\"") && stop.contains("Firmware.swift"))
    let frames = try gdb.ask("-stack-list-frames")
    #expect(frames.contains("<signal handler called>") && frames.contains("wait_for_interrupt"))
    #expect(try gdb.ask("-data-list-register-names").contains("\"primask\""))
    #expect(try gdb.ask("-data-read-memory-bytes 0x20000000 16").contains("contents=\"2c010000"))
    try gdb.ask("-break-delete 1")
    try gdb.ask("-exec-continue", expecting: "running")
    #expect(server.wait(for: "[3 s] red and amber").contains("Hello from Embedded Swift"))
    // While it runs: the pause button, then restart.
    try gdb.ask("-exec-interrupt")
    #expect(try gdb.next("*stopped").contains("SIGINT"))
    try gdb.ask("-interpreter-exec console \"monitor stop\"")
    try gdb.ask("-interpreter-exec console \"monitor system_reset\"")
    try gdb.ask("-interpreter-exec console \"maintenance flush register-cache\"")
    #expect(try gdb.ask("-data-evaluate-expression $pc").contains("reset_handler"))
    // The words of its `external` server type.
    try gdb.ask("-interpreter-exec console \"monitor halt\"")
    try gdb.ask("-interpreter-exec console \"monitor reset halt\"")
    try gdb.ask("-exec-continue", expecting: "running")
    #expect(server.wait(for: "Hello from Embedded Swift").contains("Hello"))
    try server.send("quit\r")
    #expect(server.wait(for: "bye").contains("bye"))
    #expect(server.end() == 0)
  }

  private func connect(_ gdb: MachineInterface, _ port: Int) throws {
    for attempt in 0... {
      let record = try gdb.ask("-target-select extended-remote localhost:\(port)", expecting: "")
      if record.hasPrefix("^connected") { return }
      try #require(attempt < 20, "\(record)")
      usleep(200_000)
    }
  }

  @Test(arguments: [
    ("mps2-an385", "mps2_an385"), ("lm3s6965evb", "lm3s6965evb"), ("microbit", "bbc_microbit"), ("virt", "virt"),
  ])
  func machinesHaveTheirNamesInQEMU(machine: String, board: String) throws {
    let run = try Program.run(["-machine", machine, "-kernel", "/bin/sh", "--dry-run"])
    #expect(run.output.split(separator: "\n").first?.hasSuffix("/\(board).dts") == true, "\(run.output)\(run.errors)")
  }

  @Test(arguments: [
    ("rv32", "rv32"), ("rv32,pmp=on,u=on", "rv32"),
    ("rv32i,i=on,m=on,a=on,c=on,zicsr=on,pmp=on,u=on", "rv32imac_zicsr"),
    ("cortex-m3", "cortex-m3"),
  ])
  func processorsMayBeWrittenWithTheirProperties(text: String, model: String) throws {
    let run = try Program.run(["-M", "virt", "-cpu", text, "-kernel", "/bin/sh", "--dry-run"])
    #expect(run.output.contains("cpu \(model)\n"), "\(run.output)\(run.errors)")
  }

  /// The lines of `west build -t run` and `-t debugserver`, of Zephyr's cmake/emu/qemu.cmake, through the wrapper that
  /// QEMU_BIN_PATH leads to.
  @Test(arguments: [
    ("mps2_an386", "qemu-system-arm", ["-cpu", "cortex-m4", "-machine", "mps2-an386", "-nographic", "-vga", "none"]),
    (
      "virt", "qemu-system-riscv32",
      ["-machine", "virt", "-bios", "none", "-m", "256", "-cpu", "rv32i,i=on,m=on,a=on,c=on,zicsr=on,pmp=on,u=on"]
    ),
  ])
  func zephyrRunsThroughItsWrapper(board: String, name: String, flags: [String]) throws {
    let firmware = try EmbeddedFirmware(board)
    let wrapper = EmbeddedFirmware.folder.appending(path: "../../gdb/zephyr/\(name)").standardized.path()
    let pid = try Program.file([], "qemu.pid")
    let server = try Server(
      flags + ["-pidfile", pid, "-serial", "mon:stdio", "-rtc", "clock=vm", "-kernel", firmware.path],
      launcher: wrapper, environment: ["MARTLET": Program.path ?? ""])
    #expect(server.wait(for: "[3 s] red and amber").contains("Hello from Embedded Swift"))
    #expect(Int32(try String(contentsOfFile: pid, encoding: .utf8).split(separator: "\n")[0]) ?? 0 > 0)
    try server.send("\u{1}x")
    #expect(server.end() == 0)
    let older = try Program.run(
      flags + [
        "-chardev", "stdio,id=con,mux=on", "-serial", "chardev:con", "-mon", "chardev=con,mode=readline", "-icount",
        "shift=6,align=off,sleep=off", "-net", "none", "-kernel", firmware.path, "--dry-run",
      ])
    #expect(older.output.contains("serial mon:stdio"), "\(older.output)\(older.errors)")
  }

  /// Zephyr's test runner talks to a machine by named pipes.
  @Test func serialLinesMayBePipes() throws {
    let firmware = try EmbeddedFirmware("virt")
    let pipe = try Program.file([], "console")
    for end in [".in", ".out"] {
      let status = unsafe mkfifo(pipe + end, 0o600)
      try #require(status == 0)
    }
    let server = try Server([
      "-M", "virt", "-cpu", "rv32", "-bios", "none", "--timeout", "50", "-serial", "pipe:" + pipe, "-kernel",
      firmware.path,
    ])
    let output = try #require(FileHandle(forReadingAtPath: pipe + ".out"))
    let input = try #require(FileHandle(forWritingAtPath: pipe + ".in"))
    var text = ""
    while !text.contains("> "), let chunk = try output.read(upToCount: 64) {
      text += String(decoding: chunk, as: UTF8.self)
    }
    #expect(text.contains("Hello from Embedded Swift"))
    try input.write(contentsOf: Data("quit\r".utf8))
    #expect(server.end() == 0)
  }
}
