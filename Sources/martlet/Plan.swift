// Owns what a command line comes to: the machine's configuration, its connections, and when the run ends.

import Boards
import Engine
import Glibc
import GuestKit
import HostKit
import Machine
import Optimizer

struct Plan {
  var configuration: MachineConfiguration
  /// One for each serial device, the console's first.
  var serial: [Port] = []
  var monitor: Port = .none
  /// Where semihosting's console is; nil: at the host's.
  var semihostingConsole: Port?
  /// `tcp:HOST:PORT` or `unix:PATH`.
  var gdb: Port?
  var startStopped = false
  /// Stand still when the guest has switched the machine off.
  var noShutdown = false
  var logFile: String?
  var timeout: Double?
  /// Texts that consoles print, one after another.
  var expect: [String] = []
  var exitCodeFromGuest = false
  var record: String?
  var recordOnFailure: String?
  var recordsImages = false
  var replay: String?
  /// What is gone through again.
  var recording: Recording?
  /// Where to begin in it.
  var goto: String?
  /// The words that decide what the machine is.
  var guestWords: [String] = []
  /// Where they are if not where the command line says.
  let files: GuestFiles
  var monitorScript: String?
  var endScript: String?
  /// `console` or a file for software trace.
  var itm: String?
  var perfMap = false
  var jitDump: String?
  var pidFile: String?
  /// Where to write the registers of the board; nothing is run.
  var exportSVD: String?
  /// Things the user should know before the run.
  var notes: [String] = []

  /// - Parameter notes: what there is to say about flags that do nothing.
  init(_ options: Options, notes: [String], files: GuestFiles = GuestFiles()) throws(Failure) {
    self.notes = notes
    self.files = files
    let board = if let path = files.board { path } else { try Self.board(options, &self.notes) }
    configuration = MachineConfiguration(board: board)
    try setMachine(options)
    try setConnections(options)
    try setRun(options)
    takeFiles()
  }

  /// Takes the guest's files where they are.
  private mutating func takeFiles() {
    func move(_ path: inout String?) { if let old = path { path = files.places[old] ?? old } }
    move(&configuration.kernel)
    move(&configuration.bios)
    move(&configuration.initrd)
    for index in configuration.loads.indices {
      configuration.loads[index].path = files.place(configuration.loads[index].path)
    }
    for index in configuration.drives.indices {
      configuration.drives[index].path = files.place(configuration.drives[index].path)
    }
  }

  // MARK: Board

  private static func board(_ options: Options, _ notes: inout [String]) throws(Failure) -> String {
    let chosen: String? = if let text = options.machine { try MachineName.chosen(text).name } else { nil }
    if let tree = options.dtb {
      if let chosen { notes.append("-M \(chosen) gives way to -dtb: the board is what the tree describes") }
      return try readable(tree, of: "-dtb")
    }
    guard let machine = chosen.map(MachineName.board) else {
      throw .usage("no board is chosen; add '-M virt', see '-M help' for the others")
    }
    if machine.contains("/") || machine.hasSuffix(".dts") || machine.hasSuffix(".dtb") {
      return try readable(machine, of: "-M")
    }
    guard let path = Boards.path(machine) else {
      let names = try Listings.boardNames()
      let hint = ArgumentVector.nearest(machine, among: names).map { "; did you mean '\($0)'?" } ?? ";"
      throw .usage(
        "-M: no board is called '\(machine)'\(hint) there are: \(names.joined(separator: ", ")), or give the path of"
          + " a .dts or .dtb")
    }
    return path
  }

  /// Takes the properties behind the board's name.
  private mutating func setBoardProperties(_ options: Options) throws(Failure) {
    guard let text = options.machine else { return }
    let properties = try MachineName.chosen(text).properties
    if let value = properties["flash-size"] { configuration.flashSize = try Value.size(value, of: "-M flash-size") }
    if let value = properties["irq-priority-bits"] {
      configuration.priorityBits = try Value.number(value, of: "-M irq-priority-bits")
    }
  }

  /// The path, if the file can be read.
  private static func readable(_ path: String, of flag: String) throws(Failure) -> String {
    guard unsafe access(path, R_OK) == 0 else {
      throw .usage("\(flag): \(path): \(HostFile.reason(errno)); check the path")
    }
    return path
  }

  private static func known(_ word: String, _ words: [String], _ flag: String) throws(Failure) -> String {
    guard !words.contains(word) else { return word }
    let hint = ArgumentVector.nearest(word, among: words).map { "; did you mean '\($0)'?" } ?? ";"
    throw .usage("\(flag): '\(word)' does not exist\(hint) there are: \(words.joined(separator: ", "))")
  }

  private mutating func setMachine(_ options: Options) throws(Failure) {
    configuration.cpuModel = if let cpu = options.cpu { try CPUName.model(cpu) } else { nil }
    try setBoardProperties(options)
    if let text = options.smp { configuration.cpuCount = try Value.cpuCount(text) }
    if let text = options.memory { configuration.memorySize = try Value.size(text, of: "-m") }
    configuration.bios = options.bios
    configuration.force = options.force
    configuration.kernel = options.kernel
    configuration.initrd = options.initrd
    configuration.bootArguments = options.append
    for text in options.device { configuration.loads.append(try Value.loader(text)) }
    for text in options.drive { configuration.drives.append(try Value.drive(text)) }
    configuration.drives += options.sd.map { DriveFile(path: $0) }
    for drive in configuration.drives { _ = try Self.readable(files.place(drive.path), of: "-drive") }
    for (flag, path) in [("-bios", biosFile), ("-kernel", options.kernel), ("-initrd", options.initrd)] {
      if let path { _ = try Self.readable(files.place(path), of: flag) }
    }
    if let host = options.host { configuration.host = try Self.known(host, Parts.registry.hosts.map(\.name), "--host") }
    configuration.noReboot = options.noReboot
    for pass in options.noPass {
      configuration.engine.disabledPasses.insert(try Self.known(pass, Pass.allCases.map(\.name), "--no-pass"))
    }
    configuration.engine.countsExecutions = options.countBlocks
    if let tiers = options.tiers {
      configuration.engine.tiers =
        TierPolicy(rawValue: try Self.known(tiers, TierPolicy.allCases.map(\.rawValue), "--tiers")) ?? .adaptive
    }
    configuration.rtt = options.rtt
    if let text = options.threads {
      configuration.showsTasks = try Self.known(text, ["cpu", "rtos"], "--threads") == "rtos"
    }
    try setSemihosting(options)
    try setInterrupts(options)
  }

  /// The path after `-bios`, if it is one.
  private var biosFile: String? { configuration.bios.flatMap { $0 == "none" || $0 == "default" ? nil : $0 } }

  private mutating func setInterrupts(_ options: Options) throws(Failure) {
    guard let word = options.interrupts else { return }
    let strategy = InterruptStrategy(
      rawValue: try Self.known(word, InterruptStrategy.allCases.map(\.rawValue), "--interrupts"))
    guard let strategy, !strategy.isDeterministic else { return }
    configuration.engine.interrupts = strategy
    for (flag, isGiven) in [
      ("--record", options.record != nil), ("--record-on-failure", options.recordOnFailure != nil),
      ("--replay", options.replay != nil),
      ("--max-instructions", options.maxInstructions != nil), ("--host interpreter", options.host == "interpreter"),
    ] where isGiven {
      throw .usage(
        "--interrupts \(word) lets virtual time follow the host's clock and counts no instructions, which \(flag) needs;"
          + " use --interrupts budget")
    }
  }

  private mutating func setSemihosting(_ options: Options) throws(Failure) {
    configuration.semihosting = options.semihosting || !options.semihostingConfig.isEmpty
    for word in options.semihostingConfig.flatMap({ $0.split(separator: ",", omittingEmptySubsequences: false) }) {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let value = parts.count > 1 ? parts[1] : ""
      switch parts[0] {
      case "enable": configuration.semihosting = try Value.isOn(value, of: "-semihosting-config enable")
      case "on", "off": configuration.semihosting = parts[0] == "on"
      case "userspace": break
      case "chardev":
        semihostingConsole = try Value.port(
          "chardev:\(value)", of: "-semihosting-config", backends: Value.characterBackends(options.chardev))
      case "arg": configuration.semihostingArguments.append(String(value))
      case "root": configuration.semihostingRoot = try Self.readable(String(value), of: "-semihosting-config root")
      case "target":
        guard let target = SemihostingTarget(rawValue: String(value)) else {
          throw .usage("-semihosting-config: target=\(value) does not exist; there are: native, gdb, auto")
        }
        configuration.semihostingTarget = target
      default:
        throw .usage(
          "-semihosting-config: '\(parts[0])' is not understood; there are: enable, target, root, chardev, arg,"
            + " userspace")
      }
    }
    if configuration.semihostingArguments.isEmpty {
      configuration.semihostingArguments = [configuration.kernel ?? biosFile, options.append].compactMap {
        $0
      }
    }
  }

  // MARK: Connections

  private mutating func setConnections(_ options: Options) throws(Failure) {
    let backends = try Value.characterBackends(options.chardev)
    for text in options.serial { serial.append(try Value.port(text, of: "-serial", backends: backends)) }
    for text in options.mon {
      let list = try PropertyList(text, of: "-mon", first: "chardev", known: ["mode", "pretty"])
      guard list["mode"] ?? "readline" == "readline" else {
        throw .usage("-mon: '\(text)': there is no QMP; use mode=readline")
      }
      let port = try Value.port("chardev:" + list.first, of: "-mon", backends: backends)
      // A shared terminal has the monitor behind its escape keys already.
      if case .terminal(shared: true) = port { continue }
      try setMonitor(port)
    }
    if let text = options.monitor { try setMonitor(Value.port(text, of: "-monitor", backends: backends)) }
    let asksForNone = options.nodefaults && !options.nographic
    switch (options.serial.isEmpty, options.monitor == nil) {
    case (true, true): if !asksForNone { serial = [.terminal(shared: true)] }
    case (true, false): if !asksForNone, !monitor.isTerminal { serial = [.terminal(shared: false)] }
    case (false, true):
      if options.nographic, !serial.contains(where: \.isTerminal) { monitor = .terminal(shared: false) }
    case (false, false): break
    }
    let users = serial.filter(\.isTerminal).count + (monitor.isTerminal ? 1 : 0)
    guard users <= 1 else {
      throw .usage("-serial and -monitor want the terminal \(users) times; use '-serial mon:stdio' to share it")
    }
    if case .file(let path) = monitor {
      throw .usage("-monitor: file:\(path) cannot give commands; use --monitor-script")
    }
    if let text = options.gdb, options.gdbShort { throw .usage("-gdb \(text) and -s both say where; give one of them") }
    if let text = options.gdb, text != "none" {
      gdb = try Value.port(text, of: "-gdb")
    } else if options.gdbShort {
      gdb = .tcp(host: "localhost", port: 1234, listens: true, waits: false)
    }
    switch gdb {
    case nil, .tcp, .unix: break
    default: throw .usage("-gdb: '\(options.gdb ?? "")' is not implemented; use tcp::PORT or unix:PATH")
    }
  }

  private mutating func setMonitor(_ port: Port) throws(Failure) {
    guard monitor == .none else { throw .usage("-monitor and -mon choose several places; there is one monitor") }
    monitor = port
  }

  // MARK: The run

  private mutating func setRun(_ options: Options) throws(Failure) {
    startStopped = options.startStopped
    noShutdown = options.noShutdown
    configuration.logItems = try options.logItems.map(Listings.items) ?? [.unimp]
    if let text = options.dfilter { configuration.logRanges = try Value.ranges(text, of: "-dfilter") }
    logFile = options.logFile
    if let text = options.timeout { timeout = try Value.seconds(text, of: "--timeout") }
    guard !options.expect.contains("") else { throw .usage("--expect: the text is empty") }
    expect = options.expect
    exitCodeFromGuest = options.exitCodeFromGuest
    itm = options.itm
    replay = options.replay
    goto = options.goto
    setRecording(options)
    monitorScript = options.monitorScript
    endScript = options.endScript
    perfMap = options.perfMap
    jitDump = options.jitdump
    pidFile = options.pidfile
    exportSVD = options.exportSvd
    configuration.svd = if let path = options.svd { try Self.readable(path, of: "--svd") } else { nil }
    if let text = options.maxInstructions {
      configuration.instructionLimit = try Value.number(text, of: "--max-instructions")
    }
    let hasImage =
      configuration.bios ?? "none" != "none" || configuration.kernel != nil || !configuration.loads.isEmpty
      || gdb != nil
      || startStopped || exportSVD != nil
    guard hasImage else {
      throw .usage("there is nothing to run; give -bios, -kernel or -device loader,file=…, or try 'martlet demo'")
    }
    configuration.realtime = try realtime(options)
    if record != nil || recordOnFailure != nil {
      guard options.timeline != "off" else {
        throw .usage("--timeline off: a recording is made of the past that is kept; leave it out")
      }
      configuration.timeline = Self.usualTimeline
    }
    if let text = options.timeline, text != "off" {
      guard configuration.engine.interrupts.isDeterministic else {
        throw .usage("--timeline \(text): runs repeat themselves with --interrupts budget alone")
      }
      configuration.timeline = Int(clamping: try Value.size(text, of: "--timeline"))
    }
  }

  /// Bytes of the past that are kept if nobody says how many: 256 MiB.
  static let usualTimeline = 256 << 20

  private mutating func setRecording(_ options: Options) {
    record = options.record
    recordOnFailure = options.recordOnFailure
    recordsImages = options.recordImages
    if recordsImages, record == nil, recordOnFailure == nil {
      notes.append("--record-images does nothing without --record or --record-on-failure")
    }
  }

  /// Seconds of virtual time to one of the user's; nil: as fast as it goes, which is for those that nobody looks at.
  private func realtime(_ options: Options) throws(Failure) -> Double? {
    let followsHost = !configuration.engine.interrupts.isDeterministic
    if let text = options.realtime {
      let factor = try Value.realtime(text)
      guard !followsHost || factor == nil || factor == 1 else {
        throw .usage(
          "--realtime \(text): with --interrupts \(options.interrupts ?? "") virtual time is the host's; use on")
      }
      return factor
    }
    if followsHost { return 1 }
    let hasUser = ([monitor] + serial).contains { port in
      switch port {
      case .pty, .tcp, .unix: true
      case .terminal: isatty(0) != 0 || isatty(1) != 0
      case .pipe, .file, .none: false
      }
    }
    return hasUser && replay == nil ? 1 : nil
  }

  /// What `--dry-run` prints, one choice a line.
  var summary: [String] {
    let set = configuration
    var lines = ["board \(set.board)"]
    func add(_ name: String, _ value: Any?) { if let value { lines.append("\(name) \(value)") } }
    add("cpu", set.cpuModel)
    add("smp", set.cpuCount)
    add("memory", set.memorySize)
    add("flash", set.flashSize)
    add("bios", set.bios)
    add("kernel", set.kernel)
    add("initrd", set.initrd)
    add("append", set.bootArguments)
    for file in set.loads {
      let address = file.address.map { " at 0x" + String($0, radix: 16) } ?? ""
      lines.append("load \(file.path)\(address)\(file.forceRaw ? " raw" : "")\(file.setsEntry ? " entry" : "")")
    }
    for drive in set.drives { lines.append("drive \(drive.path)\(drive.isReadOnly ? " read-only" : "")") }
    for port in serial { lines.append("serial \(port)") }
    add("monitor", monitor)
    add("gdb", gdb)
    add("host", set.host)
    lines.append("log \(configuration.logItems.map(\.rawValue).sorted().joined(separator: ","))")
    add("itm", itm)
    add("timeout", timeout)
    for text in expect { lines.append("expect \(text)") }
    add("instructions", set.instructionLimit)
    add("realtime", set.realtime)
    add("timeline", set.timeline)
    if set.semihosting { lines.append("semihosting \(set.semihostingArguments.joined(separator: " "))") }
    if set.showsTasks { lines.append("threads are tasks") }
    if startStopped { lines.append("stopped at start") }
    return lines
  }
}

/// Where the files are that a guest is made of, if not where the command line says.
struct GuestFiles {
  /// The board's devicetree.
  var board: String?
  /// By the paths of the command line.
  var places: [String: String] = [:]

  func place(_ path: String) -> String { places[path] ?? path }
}
