// Owns the tests that no part of a command line is ignored in silence: what is given twice, what is empty, what is
// unknown, and what scripts for QEMU carry.

import Foundation
import Testing

@Suite(.enabled(if: Program.path != nil, Program.missing))
struct OptionTests {
  private static let base = ["-M", "virt", "-bios", "/bin/sh"]

  @Test(arguments: [
    (["-s", "-gdb", "tcp::1"], "-gdb tcp::1 and -s both say where"),
    (["-kernel", ""], "flag '-kernel' has an empty value"), (["-m="], "flag '-m=' has an empty value"),
    (["--expect", ""], "--expect: the text is empty"),
    (["-d", "in_asm,"], "no log item ''"), (["-d", "in_asm,,exec"], "no log item ''"),
    (["-dfilter", "main"], "'main' is no range"), (["-dfilter", "0x10..0x0f"], "'0x10..0x0f' is no range"),
    (["-dfilter", "0+0"], "'0+0' is no range"), (["-dfilter", "1..x"], "'x' is not a number"),
    (["-smp", "2,junk=3"], "'junk=3' is not understood; there are: cpus, maxcpus"),
    (["-smp", "4,cores=2"], "'4,cores=2' is at odds with itself"), (["-smp", "4,maxcpus=2"], "at odds with itself"),
    (["-smp", "cores=999"], "999 CPUs"), (["-smp", "cores=99,sockets=99"], "no number of CPUs from 1 to 512"),
    (["-device", "loader,file=/bin/sh,file=/bin/ls"], "'file' is given twice"),
    (["-device", "loader,file=/bin/sh,data=1"], "'data' in 'loader,file=/bin/sh,data=1' is not understood"),
    (["-device", "loader"], "file=… is missing"),
    (["-chardev", "stdio,id=a,colour=red"], "'colour' in 'stdio,id=a,colour=red' is not understood"),
    (["-chardev", "stdio"], "lacks its name; add id=NAME"),
    (["-chardev", "vc,id=a"], "'vc' does not exist; there are: stdio, pty"),
    (["-chardev", "stdio,id=a", "-chardev", "null,id=a"], "two are called 'a'"),
    (["-chardev", "file,id=a,path=x,append=on"], "'append' in"),
    (["-chardev", "socket,id=a,path=x,server=maybe"], "neither on nor off"),
    (["-chardev", "null,id=a", "-mon", "a,mode=control"], "there is no QMP; use mode=readline"),
    (["-chardev", "pty,id=a", "-mon", "a", "-monitor", "stdio"], "-monitor and -mon choose several places"),
    (["-semihosting-config", "enable=on,,arg=x"], "'' is not understood"),
    (["-M", "virt,dumpdtb=x"], "'dumpdtb=x' is not implemented"),
  ])
  func nothingIsIgnored(arguments: [String], expected: String) throws {
    let machine = arguments.first == "-M" ? [] : Self.base
    let run = try Program.run(machine + arguments + ["--dry-run"])
    #expect(run.code == 2, "\(run.output)\(run.errors)")
    #expect(run.errors.contains(expected), "\(run.errors)")
  }

  @Test(arguments: [
    (["-m", "1G", "-m", "1G"], "memory 1073741824"), (["-M", "virt"], "bios /bin/sh"),
    (["-append", ""], "append "), (["-smp", "cores=2,threads=2"], "smp 4"), (["-smp", "sockets=1,maxcpus=8"], nil),
    (["-smp", "cpus=4,maxcpus=4,cores=4"], "smp 4"), (["-smp", "2,maxcpus=8"], "smp 2"),
    (["--expect", "a", "--expect", "b"], "expect b"),
    (
      ["-semihosting-config", "enable=on,target=native", "-semihosting-config", "arg=x,arg=y z"], "semihosting x y z"
    ),
    (["-chardev", "stdio,id=c,mux=on,signal=off", "-serial", "chardev:c", "-mon", "chardev=c,mode=readline"], nil),
  ])
  func whatMeansSomethingIsTaken(arguments: [String], expected: String?) throws {
    let run = try Program.run(Self.base + arguments + ["--dry-run"])
    if arguments.contains("sockets=1,maxcpus=8") {
      #expect(run.code == 2)
    } else {
      #expect(run.code == 0 && run.errors.isEmpty, "\(run.errors)")
    }
    if let expected { #expect(run.output.split(separator: "\n").contains { $0 == expected }, "\(run.output)") }
  }

  @Test(arguments: [
    (["-m", "1G", "-m", "2G"], "-m is given twice: '2G' counts, not '1G'", "memory 2147483648"),
    (["-machine", "spike"], "-machine is given twice: 'spike' counts, not 'virt'", "spike.dts"),
    (["--timeout", "1", "-timeout=2"], "-timeout is given twice: '2' counts, not '1'", ""),
  ])
  func theLastCounts(arguments: [String], note: String, expected: String) throws {
    let run = try Program.run(Self.base + arguments + ["--dry-run"])
    #expect(run.code == 0 && run.errors.contains(note), "\(run.errors)")
    #expect(expected.isEmpty || run.output.contains(expected), "\(run.output)")
  }

  // MARK: QEMU's command lines

  /// What changes nothing goes by, some with a word.
  @Test(arguments: [
    (["-accel", "tcg,thread=multi"], ""), (["-M", "type=virt,accel=tcg,usb=off"], ""), (["-name", "guest"], ""),
    (["-net", "none", "-nic", "none", "-vga", "none", "-parallel", "none", "-display", "none"], ""),
    (["-vnc", "none", "-audiodev", "none,id=snd0", "-no-user-config", "-nodefaults"], ""),
    (["-icount", "shift=auto"], "-icount is ignored: Martlet always counts"),
    (["-rtc", "base=utc"], "-rtc is ignored"),
    (["-singlestep"], "-singlestep is ignored"), (["-boot", "d"], "-boot is ignored"), (["-cpu", "max"], ""),
    (["-no-shutdown", "-no-reboot"], ""),
  ])
  func qemusFlagsGoBy(arguments: [String], note: String) throws {
    let machine = arguments.first == "-M" ? ["-bios", "/bin/sh"] : Self.base
    let run = try Program.run(machine + arguments + ["--dry-run"])
    #expect(run.code == 0, "\(run.errors)")
    #expect(note.isEmpty ? run.errors.isEmpty : run.errors.contains(note), "\(run.errors)")
    #expect(run.output.contains("virt.dts"))
  }

  /// What would change something is refused, by name, with what to use.
  @Test(arguments: [
    (["-accel", "kvm"], "--host jit"), (["-enable-kvm"], "--host jit"), (["-net", "user"], "use none"),
    (["-netdev", "user,id=n"], "no networks"), (["-vnc", ":1"], "-nographic"), (["-display", "gtk"], "no displays"),
    (["-audiodev", "pa,id=a"], "no sound"), (["-global", "x.y=z"], "devicetree"), (["-trace", "exec"], "-d ITEM"),
    (["-qmp", "unix:q,server"], "there is no QMP; programs may drive the monitor at -monitor unix:PATH"),
    (["-hda", "x"], "no disks"), (["-fw_cfg", "x"], "leave it out"),
    (["-loadvm", "x"], "'restore' in the monitor"), (["-snapshot"], "leave it out"), (["-daemonize"], "-pidfile"),
    (["-action", "reboot=shutdown"], "-no-reboot"), (["-plugin", "x"], "'profile'"), (["-echr", "2"], "Ctrl-A"),
  ])
  func qemusFlagsAreRefusedByName(arguments: [String], advice: String) throws {
    let run = try Program.run(Self.base + arguments + ["--dry-run"])
    #expect(run.code == 2)
    #expect(run.errors.contains("\(arguments[0])"), "\(run.errors)")
    #expect(run.errors.contains("is not implemented: ") && run.errors.contains(advice), "\(run.errors)")
  }

  @Test(arguments: ["-vnc", "-global", "-qmp"]) func qemusFlagsWantTheirValues(flag: String) throws {
    let run = try Program.run(Self.base + [flag])
    #expect(run.code == 2 && run.errors.contains("'\(flag)' needs a value"), "\(run.errors)")
  }

  // MARK: Lists

  @Test(arguments: [
    (["-M", "help"], "virt              The RISC-V `virt` board"),
    (["-M", "help"], "bbc_microbit      The BBC micro:bit, version 1"),
    (["-device", "help"], "loader,file=FILE"), (["-device", "help"], "ns16550a, ns16550, snps,dw-apb-uart"),
    (["-device", "help"], "arm,v7m-nvic"), (["-serial", "help"], "pipe:PATH"), (["-chardev", "help"], "socket"),
  ])
  func listsNeedNoBoard(arguments: [String], expected: String) throws {
    let run = try Program.run(arguments)
    #expect(run.code == 0 && run.errors.isEmpty, "\(run.errors)")
    #expect(run.output.contains(expected), "\(run.output)")
  }

  // MARK: Meanings

  private func run(_ words: [UInt32], _ flags: String...) throws -> Run {
    let image = try Program.file(Guest.bytes(words))
    return try Program.run(["-M", "virt", "-m", "16M", "-bios", image, "-nographic", "--timeout", "20"] + flags)
  }

  /// All expected texts must come, one after another; what comes too early does not count.
  @Test func expectedTextsComeInOrder() throws {
    let words = Guest.say("onetwothree") + Guest.loop
    #expect(try run(words, "--expect", "one", "--expect", "two", "--expect", "three").code == 0)
    #expect(try run(words, "--expect", "etw", "--expect", "oth").code == 0)
    let ended = try run(Guest.say("twoone") + Guest.finish(0x5555), "--expect", "one", "--expect", "two")
    #expect(ended.code == 1)
    #expect(ended.errors.contains("never printed 'two'"), "\(ended.errors)")
  }

  @Test(arguments: ["2", "4"]) func microcontrollersKeepTheirCPUs(count: String) throws {
    let ended = try Program.run(["-M", "mps2_an385", "-smp", count, "-kernel", "/bin/sh"])
    #expect(ended.code == 2)
    #expect(ended.errors.contains("-smp \(count): the board has 1 CPU (armv7-m)"), "\(ended.errors)")
  }

  /// `-no-shutdown`: the guest is there to be looked at until somebody has seen enough.
  @Test func theMachineStandsStillAfterItsEnd() throws {
    let image = try Program.file(Guest.bytes(Guest.say("bye") + Guest.finish(0x7_3333)))
    let ended = try Program.shell(
      "(sleep 4; printf '\\001cinfo registers\\nquit\\n') | \"$0\" \"$@\"",
      ["-M", "virt", "-m", "16M", "-bios", image, "-nographic", "-no-shutdown", "--timeout", "20"])
    #expect(ended.code == 0, "\(ended.errors)")
    #expect(ended.errors.contains("(-no-shutdown)") && ended.output.contains("t6"), "\(ended.errors)\(ended.output)")
  }

  /// A line that leads nowhere is said once the guest sends something there.
  @Test func aSecondUARTWithoutALineIsSaid() throws {
    let code: [UInt16] = [
      // movs r0, 0x40; lsls r0, r0, 24; movs r1, 0x50; lsls r1, r1, 8; adds r0, r0, r1: UART1 of the MPS2 at 0x40005000
      0x2040, 0x0600, 0x2150, 0x0209, 0x1840,
      // movs r1, 1; str r1, [r0, 8]; movs r1, 'x'; str r1, [r0]; str r1, [r0]; b .
      0x2101, 0x6081, 0x2178, 0x6001, 0x6001, 0xE7FE, 0,
    ]
    let halves = stride(from: 0, to: code.count, by: 2).map { UInt32(code[$0]) | UInt32(code[$0 + 1]) << 16 }
    let image = try Program.file(Guest.bytes([0x2000_8000, 0x41] + [UInt32](repeating: 0, count: 14) + halves))
    let flags = ["-M", "mps2_an385", "-kernel", image, "--max-instructions", "10000", "--timeout", "20"]
    let silent = try Program.run(flags)
    #expect(silent.errors.split(separator: "\n").filter { $0.contains("connected to nothing") }.count == 1)
    #expect(silent.errors.contains("serial 1 (/"), "\(silent.errors)")
    for lines in [["-serial", "stdio", "-serial", "null"], ["-nodefaults"]] {
      let ended = try Program.run(flags + lines)
      #expect(!ended.errors.contains("connected to nothing"), "\(ended.errors)")
    }
  }

  // MARK: Scripts

  @Test(arguments: ["-", "/dev/stdin"]) func scriptsComeThroughStandardInput(path: String) throws {
    let image = try Program.file(Guest.bytes(Guest.say("started") + Guest.loop))
    let ended = try Program.run(
      ["-M", "virt", "-m", "16M", "-bios", image, "-nographic", "--timeout", "20", "--monitor-script", path],
      input: "info registers\nquit\n")
    #expect(ended.code == 0, "\(ended.errors)")
    #expect(ended.output.contains("t6") && !ended.output.contains("started"), "\(ended.output)")
  }

  /// The reader may be there before the writer, and --timeout ends the wait for one that never comes.
  @Test func scriptsComeThroughNamedPipes() throws {
    let image = try Program.file(Guest.bytes(Guest.loop))
    let pipe = (image as NSString).deletingLastPathComponent + "/pipe"
    #expect(unsafe mkfifo(pipe, 0o600) == 0)
    let flags = ["-M", "virt", "-m", "16M", "-bios", image, "-nographic", "--monitor-script", pipe]
    let ended = try Program.shell(
      "(sleep 1; printf 'info registers\\nquit\\n' > \(pipe)) & \"$0\" \"$@\"", flags + ["--timeout", "20"])
    #expect(ended.code == 0 && ended.output.contains("t6"), "\(ended.errors)")
    #expect(try Program.run(flags + ["--timeout", "1"]).code == 3)
    let folder = try Program.run(Array(flags.dropLast()) + ["/tmp", "--timeout", "5"])
    #expect(folder.code == 2 && folder.errors.contains("this is a folder"), "\(folder.errors)")
  }

  // MARK: Editors

  /// The line that says that GDB may come, and that editors wait for.
  @Test func theWaitForGDBIsSaid() throws {
    let image = try Program.file(Guest.bytes(Guest.loop))
    let flags = ["-M", "virt", "-m", "16M", "-bios", image, "-nographic", "-S", "-gdb", "tcp::0", "--timeout", "5"]
    let waiting = try Program.run(flags)
    #expect(waiting.code == 3)
    let line = try #require(waiting.errors.split(separator: "\n").first { $0.contains("waiting for GDB") })
    #expect(
      line.wholeMatch(of: /martlet: waiting for GDB at localhost:\d+ \(-S\); in GDB: target extended-remote :\d+/)
        != nil)
    let failing = try Program.run(flags + ["-initrd", "/nonexistent"])
    let tasks = try String(contentsOfFile: Self.repository + "/gdb/vscode/tasks.json", encoding: .utf8)
    let text = tasks.split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("//") }.joined(separator: "\n")
    let json = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let matchers = (json["tasks"] as? [[String: Any]] ?? []).compactMap { $0["problemMatcher"] as? [String: Any] }
    let matcher = try #require(matchers.first)
    let problem = try Regex((matcher["pattern"] as? [String: Any])?["regexp"] as? String ?? "")
    let ends = try Regex((matcher["background"] as? [String: Any])?["endsPattern"] as? String ?? "")
    #expect(try ends.firstMatch(in: String(line)) != nil && problem.firstMatch(in: String(line)) == nil)
    let error = try #require(failing.errors.split(separator: "\n").first)
    #expect(try problem.firstMatch(in: String(error)) != nil, "\(error)")
  }

  private static let repository = String(#filePath.dropLast("/Tests/CommandLineTests/OptionTests.swift".count))
}
