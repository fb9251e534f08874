// Owns the tests of flags: how they may be written, and what is said of wrong ones.

import Testing

@Suite(.enabled(if: Program.path != nil, Program.missing))
struct ArgumentTests {
  func dryRun(_ arguments: String...) throws -> [String] { try dryRun(arguments) }

  func dryRun(_ arguments: [String]) throws -> [String] {
    let run = try Program.run(arguments + ["--dry-run"])
    #expect(run.code == 0, "\(run.errors)")
    return run.output.split(separator: "\n").map(String.init)
  }

  @Test func dashesAreInterchangeable() throws {
    let expected = try dryRun("-M", "virt", "-kernel", "/bin/sh", "-m", "2G", "-smp", "2")
    #expect(
      try dryRun("--machine", "virt", "--kernel", "/bin/sh", "-m", "2048M", "--smp", "cpus=2,cores=2") == expected)
    #expect(try dryRun("-machine=virt", "-kernel=/bin/sh", "-m", "2048", "-smp=2") == expected)
    #expect(expected.contains("memory 2147483648"))
    #expect(expected.contains("smp 2"))
  }

  @Test func valuesMayLookLikeFlags() throws {
    #expect(try dryRun("-M", "virt", "-kernel", "/bin/sh", "-append", "-s --quiet").contains("append -s --quiet"))
  }

  @Test func editorsLinesAreUnderstood() throws {
    let lines = try dryRun(
      "-cpu", "rv64", "-machine", "virt", "-nographic", "-semihosting-config", "enable=on,target=native", "-gdb",
      "tcp::50000", "-S", "-kernel", "/bin/sh")
    #expect(lines.contains { $0.hasPrefix("gdb tcp") && $0.contains("50000") })
    #expect(lines.contains("stopped at start"))
    #expect(lines.contains("semihosting /bin/sh"))
  }

  @Test func loadersTakeAddressesAndEntries() throws {
    let lines = try dryRun("-M", "virt", "-device", "loader,file=/bin/sh,addr=0x80001000,force-raw=on,cpu-num=0")
    #expect(lines.contains("load /bin/sh at 0x80001000 raw entry"))
  }

  @Test func boardsTakeDrivesAndSizes() throws {
    let board = ["-M", "lm3s6965evb,flash-size=64K", "-m", "16K", "-kernel", "/bin/sh"]
    let lines = try dryRun(board + ["-drive", "if=sd,format=raw,file=/bin/sh,readonly=on", "-sd", "/bin/ls"])
    #expect(lines.contains("flash 65536") && lines.contains("memory 16384"))
    #expect(lines.contains("drive /bin/sh read-only") && lines.contains("drive /bin/ls"))
  }

  @Test(arguments: [
    (["-kernal", "x"], "unknown flag '-kernal'; did you mean '-kernel'?"),
    (["--semihostign"], "did you mean '-semihosting'?"),
    (["-zzzzzz"], "unknown flag '-zzzzzz'"),
    (["-M", "virt", "-kernel"], "'-kernel' needs a value"),
    (["-M", "virt", "image.bin"], "'image.bin' belongs to no flag"),
    (["-nographic=yes"], "takes no value"),
    (["-kernel", "/bin/sh"], "no board is chosen; add '-M virt'"),
    (["-M", "vitr", "-kernel", "/bin/sh"], "no board is called 'vitr'; did you mean 'virt'?"),
    (["-M", "/nonexistent.dts", "-kernel", "/bin/sh"], "/nonexistent.dts: No such file"),
    (["-M", "virt"], "nothing to run"),
    (["-M", "virt", "-kernel", "/nonexistent"], "-kernel: /nonexistent: No such file"),
    (["-M", "virt", "-bios", "/bin/sh", "-m", "lots"], "-m: 'lots' is not a size"),
    (["-M", "bbc_microbit,flash-size=lots", "-S"], "-M flash-size: 'lots' is not a size"),
    (["-M", "virt,usb=on", "-bios", "/bin/sh"], "'usb=on' is not implemented; there are flash-size=SIZE and irq"),
    (["-M", "mps2_an385,irq-priority-bits=9", "-S"], "9 bits of priority; choose 2 to 8"),
    (["-M", "virt,irq-priority-bits=4", "-S"], "has no irq-priority-bits"),
    (["-M", "virt", "-S", "-sd", "/bin/sh"], "has no slot for it"),
    (["-M", "virt", "-S", "-drive", "if=pflash,file=/bin/sh"], "'if=pflash' is not implemented"),
    (["-M", "virt", "-S", "-drive", "if=sd,file=/nonexistent"], "-drive: /nonexistent: No such file"),
    (["-M", "virt", "-S", "-drive", "if=sd,file=/bin/sh,snapshot=off"], "what the guest writes stays in memory"),
    (["-M", "virt", "-S", "-drive", "if=sd"], "file=… is missing"),
    (["-M", "virt", "-bios", "/bin/sh", "-smp", "0"], "0 CPUs"),
    (["-M", "virt", "-bios", "/bin/sh", "-d", "in_asn"], "no log item 'in_asn'; did you mean 'in_asm'?"),
    (["-M", "virt", "-bios", "/bin/sh", "-serial", "parallel:"], "'parallel:' is not understood"),
    (["-M", "virt", "-bios", "/bin/sh", "-serial", "tcp:x"], "is not HOST:PORT"),
    (["-M", "virt", "-bios", "/bin/sh", "-serial", "stdio", "-monitor", "stdio"], "use '-serial mon:stdio'"),
    (["-M", "virt", "-bios", "/bin/sh", "--interrupts", "unchain", "--record", "r"], "which --record needs; use"),
    (["-M", "virt", "-bios", "/bin/sh", "--interrupts", "flag", "--host", "interpreter"], "use --interrupts budget"),
    (
      ["-M", "virt", "-bios", "/bin/sh", "--interrupts", "magic"], "'magic' does not exist; there are: budget, unchain"
    ),
    (["-M", "virt", "-bios", "/bin/sh", "-device", "e1000"], "only 'loader'"),
    (["-M", "virt", "-bios", "/bin/sh", "-display", "gtk"], "there are no displays"),
    (["-M", "virt", "-bios", "/bin/sh", "--timeout", "soon"], "not a number of seconds"),
    (["-M", "virt", "-bios", "/bin/sh", "-semihosting-config", "target=moon"], "target=moon"),
    (["-M", "virt", "-bios", "/bin/sh", "--host", "jti"], "'jti' does not exist; did you mean 'jit'?"),
    (["-M", "virt", "-bios", "/bin/sh", "--no-pass", "magic"], "'magic' does not exist; there are:"),
    (["-M", "virt", "-cpu", "z80", "-bios", "/bin/sh"], "z80"),
    (["-M", "virt", "-kernel", "/bin/sh"], "/bin/sh"),
  ])
  func wrongFlagsAreNamed(arguments: [String], expected: String) throws {
    let run = try Program.run(arguments)
    #expect(run.code == 2, "\(run.errors)")
    #expect(run.errors.contains(expected), "\(run.errors)")
  }

  @Test(arguments: [
    (["-M", "help"], "virt"), (["-cpu", "help"], "rv64"), (["-d", "help"], "out_asm"), (["-help"], "--kernel"),
    (["-h"], "Exit codes"), (["--version"], "martlet"),
  ])
  func helpSucceeds(arguments: [String], expected: String) throws {
    let run = try Program.run(arguments)
    #expect(run.code == 0)
    #expect(run.output.contains(expected))
  }

  @Test func brokenTreesAreRefused() throws {
    let tree = try Program.file(Array("/dts-v1/; / { memory".utf8), "broken.dts")
    let run = try Program.run(["-M", tree, "-bios", "/bin/sh"])
    #expect(run.code == 2)
    #expect(run.errors.contains("broken.dts"), "\(run.errors)")
  }

  @Test func foreignFilesAreRefused() throws {
    var header = [UInt8](repeating: 0, count: 64)
    header.replaceSubrange(0..<7, with: [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1])
    let run = try Program.run(["-M", "virt", "-bios", try Program.file(header, "cut.elf")])
    #expect(run.code == 2)
    #expect(run.errors.contains("cut.elf"), "\(run.errors)")
  }

  /// Time is the user's where one looks, unless the flag says otherwise.
  @Test(
    arguments: [
      ([], nil), (["--realtime", "on"], 1), (["--realtime", "2.5"], 2.5), (["-serial", "pty"], 1),
      (["-serial", "tcp:127.0.0.1:0,server,nowait"], 1), (["-serial", "pty", "--realtime", "off"], nil),
      (["-serial", "file:x"], nil), (["-serial", "pty", "--replay", "x"], nil), (["--interrupts", "unchain"], 1),
      (["--interrupts", "flag", "--realtime", "off"], nil), (["--interrupts", "page", "--realtime", "1"], 1),
    ] as [([String], Double?)])
  func timeIsTheUsersWhereOneLooks(flags: [String], factor: Double?) throws {
    let run = try Program.run(["-M", "virt", "-kernel", "/bin/sh", "--dry-run"] + flags)
    let line = run.output.split(separator: "\n").first { $0.hasPrefix("realtime ") }
    #expect(line.flatMap { Double($0.dropFirst("realtime ".count)) } == factor, "\(run.output)\(run.errors)")
  }

  @Test(arguments: [["0"], ["-1"], ["fast"], ["nan"], ["1e9"], ["2", "--interrupts", "unchain"]])
  func wrongSpeedsAreRefused(flags: [String]) throws {
    let run = try Program.run(["-M", "virt", "-kernel", "/bin/sh", "--dry-run", "--realtime"] + flags)
    #expect(run.code == 2 && run.errors.contains("--realtime"), "\(run.errors)")
  }
}
