// Owns what each flag means to the parser and what help says of it.

import ArgumentParser

struct Options: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "martlet",
    abstract: "Runs firmware and kernels on an emulated board, with GDB and a monitor at hand.",
    usage: """
      martlet demo
      martlet -M virt -bios FILE [-kernel FILE] [flag …]
      \(Replay.usage)
      """,
    discussion: """
      Long flags are understood with one dash or two. The serial console and the monitor share the terminal: Ctrl-A c \
      goes from one to the other, Ctrl-A x quits, Ctrl-A h helps.

      Exit codes:
      \(ExitCode.allCases.map { "  \($0.rawValue)  \($0.meaning)" }.joined(separator: "\n"))
      """,
    version: "martlet 0.1.0")

  @Option(
    name: [.customShort("M"), .long], parsing: .unconditional, help: "Board by name, or a path to a .dts or .dtb.")
  var machine: String?
  @Option(parsing: .unconditional, help: "CPU model.")
  var cpu: String?
  @Option(parsing: .unconditional, help: "Number of CPUs.")
  var smp: String?
  @Option(name: .customShort("m"), parsing: .unconditional, help: "Memory size: 512M, 2G; a bare number is in MiB.")
  var memory: String?
  @Option(
    parsing: .unconditional,
    help: """
      Firmware, started first in the most privileged mode; none, or default for what is installed (OpenSBI), which a \
      Linux kernel is given anyway.
      """)
  var bios: String?
  @Option(parsing: .unconditional, help: "Kernel or payload; started itself if there is no firmware.")
  var kernel: String?
  @Option(parsing: .unconditional, help: "Initial RAM disk.")
  var initrd: String?
  @Option(parsing: .unconditional, help: "Kernel command line.")
  var append: String?
  @Option(parsing: .unconditional, help: "Devicetree (.dts or .dtb) to use as the board.")
  var dtb: String?
  @Option(parsing: .unconditionalSingleValue, help: "loader,file=F[,addr=A][,cpu-num=N][,force-raw=on]: load a file.")
  var device: [String] = []

  @Option(
    parsing: .unconditionalSingleValue,
    help: """
      if=sd,file=F[,readonly=on]: the image of an SD card. What the guest writes stays in memory; F is never changed.
      """)
  var drive: [String] = []
  @Option(parsing: .unconditionalSingleValue, help: "Same as -drive if=sd,file=….")
  var sd: [String] = []
  @Flag(help: "Run images that were built for another CPU or begin with nonsense.")
  var force = false

  @Flag(name: .customShort("s"), help: "Same as -gdb tcp::1234.")
  var gdbShort = false
  @Flag(name: .customShort("S"), help: "Do not start the guest: wait for GDB or the monitor.")
  var startStopped = false
  @Option(parsing: .unconditional, help: "Serve GDB at tcp::PORT, tcp:HOST:PORT or unix:PATH.")
  var gdb: String?

  @Option(
    parsing: .unconditional,
    help: "What GDB's threads are: cpu, or rtos, the tasks of the guest's kernel (FreeRTOS, Zephyr, ThreadX, NuttX).")
  var threads: String?

  @Option(
    parsing: .unconditionalSingleValue,
    help:
      "stdio, mon:stdio, pty, tcp:HOST:PORT[,server[,nowait]], unix:PATH[,server[,nowait]], pipe:PATH, file:PATH, none."
  )
  var serial: [String] = []
  @Option(parsing: .unconditional, help: "stdio, tcp:…, unix:… or none.")
  var monitor: String?
  @Flag(help: "Serial console and monitor on the terminal; the default.")
  var nographic = false

  @Option(name: .customShort("d"), parsing: .unconditional, help: "Log these items, separated by commas; -d help.")
  var logItems: String?
  @Option(
    parsing: .unconditional,
    help: "START..LAST, START+SIZE or START-SIZE, separated by commas: of code, log only what is there.")
  var dfilter: String?
  @Option(name: .customShort("D"), parsing: .unconditional, help: "Log to this file.")
  var logFile: String?

  @Flag(help: "Serve semihosting calls.")
  var semihosting = false
  @Flag(help: "Channel 0 of SEGGER RTT is the console; a UART that was it writes there too.")
  var rtt = false
  @Option(
    parsing: .unconditionalSingleValue,
    help: "enable=on|off,target=native|gdb|auto,root=DIR,chardev=NAME,arg=WORD…: semihosting in detail.")
  var semihostingConfig: [String] = []

  @Option(
    parsing: .unconditional,
    help: """
      Where software trace (Arm's ITM) goes: console (port 0 as text, others a line a write) or a file (SWO's packets). \
      The ports are on from reset, as with a debug probe; without this flag they are off.
      """)
  var itm: String?

  @Flag(help: "End when the guest resets the machine.")
  var noReboot = false
  @Flag(help: "Stand still, to be looked at, when the guest has switched the machine off.")
  var noShutdown = false

  @Option(parsing: .unconditional, help: "jit or interpreter.")
  var host: String?
  @Option(parsing: .unconditional, help: "End with exit code 3 after so many seconds.")
  var timeout: String?
  @Option(
    parsing: .unconditionalSingleValue,
    help: "End with exit code 0 once a console has printed this; of several, all, one after another.")
  var expect: [String] = []
  @Flag(help: "Give the exit code with which the guest switches itself off.")
  var exitCodeFromGuest = false
  @Option(
    parsing: .unconditional,
    help: """
      How running code is stopped: budget (deterministic; the default), or unchain, flag, page, which are faster but let \
      virtual time follow the host's clock.
      """)
  var interrupts: String?
  @Option(
    parsing: .unconditional,
    help: """
      on, off or a FACTOR: wait so that virtual time does not run ahead of the user's clock, or FACTOR times it. On by \
      default where somebody looks: a console at a terminal, a pty or a socket.
      """)
  var realtime: String?
  @Option(
    parsing: .unconditional,
    help: "Keep so much of the past, such as 256M, for going back in it, or none: off, the default.")
  var timeline: String?
  @Option(parsing: .unconditionalSingleValue, help: "Switch an optimiser pass off.")
  var noPass: [String] = []
  @Option(parsing: .unconditional, help: "How code is translated: quick, thorough, or adaptive (hot code again).")
  var tiers: String?
  @Flag(help: "Count the executions of every block.")
  var countBlocks = false
  @Flag(help: "Name translated code in the map file of Linux perf.")
  var perfMap = false
  @Option(parsing: .unconditional, help: "Write jit-PID.dump for 'perf inject --jit' to this folder.")
  var jitdump: String?
  @Option(parsing: .unconditional, help: "Record the run to a file, for 'martlet replay FILE'.")
  var record: String?
  @Option(parsing: .unconditional, help: "The same, but only if the run ends with another exit code than 0.")
  var recordOnFailure: String?
  @Flag(help: "Put the images that the guest is made of into the recording, for replay on another machine.")
  var recordImages = false
  @Option(parsing: .unconditional, help: "Give the guest the input of a recording instead.")
  var replay: String?
  @Option(parsing: .unconditional, help: "With 'martlet replay': begin there; a tick, a time such as 2.5ms, or end.")
  var goto: String?
  @Option(parsing: .unconditional, help: "Run the monitor commands of a file, a pipe or - before the guest starts.")
  var monitorScript: String?
  @Option(parsing: .unconditional, help: "Run the monitor commands of a file when the run ends.")
  var endScript: String?
  @Option(parsing: .unconditional, help: "End with exit code 7 after so many instructions.")
  var maxInstructions: String?
  @Flag(help: "Show what the flags come to, and run nothing.")
  var dryRun = false

  @Option(parsing: .unconditional, help: "A CMSIS-SVD file: names for registers in logs and in the monitor.")
  var svd: String?
  @Option(parsing: .unconditional, help: "Write the registers that the board models as an SVD file, and end.")
  var exportSvd: String?
  @Option(parsing: .unconditional, help: "Write the number of the process to a file.")
  var pidfile: String?
  @Option(
    parsing: .unconditionalSingleValue,
    help: "stdio|pty|null|pipe|file|socket,id=NAME[,path=…][,mux=on]: a connection for -serial chardev:NAME.")
  var chardev: [String] = []
  @Option(parsing: .unconditionalSingleValue, help: "chardev=NAME: connect the monitor.")
  var mon: [String] = []

  @Flag(help: "No console unless -serial or -nographic asks for one.")
  var nodefaults = false
}
