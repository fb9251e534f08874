// Owns one run: the machine, its connections, and the way to its end.

import Bits
import Bus
import DebugServer
import Glibc
import Machine
import Monitor
import SVD

final class EmulatorRun {
  private let plan: Plan
  private let verdict: Verdict
  private let loading: LoadingWatch
  private let loop: EventLoop
  private let machine: Machine
  private let outputs: Outputs
  private let expectation: Expectation
  private let lines: [SerialLine]
  private let unconnected: [UnconnectedLine]
  /// The host's own console: the serial line at the terminal, or one that belongs to no device.
  private let hostLine: SerialLine
  private let connections: Connections
  private var recorder: RunRecorder
  private let replayEnd: ReplayEnd?
  private var server: DebugServer?
  private var console: TerminalConsole?
  private let start = HostClock.seconds

  /// Serial devices of the largest board.
  private static let mostUnconnected = 32

  init(_ plan: Plan) throws(Failure) {
    self.plan = plan
    let verdict = try Verdict()
    self.verdict = verdict
    // First of all: threads inherit the mask.
    loading = LoadingWatch(timeout: plan.timeout)
    Terminal.catchSignals { [loading] number in
      if !loading.hear(number) { verdict.reach(.signal(number)) }
    }
    loop = EventLoop(verdict)
    outputs = Outputs(verdict)
    connections = Connections(loop, outputs)
    unconnected = (0..<Self.mostUnconnected).map { _ in UnconnectedLine() }
    let expectation = Expectation(plan.expect, verdict)
    self.expectation = expectation
    lines = plan.serial.map { _ in SerialLine(expectation) }
    let atTerminal = plan.serial.firstIndex(where: \.isTerminal)
    hostLine = if let atTerminal { lines[atTerminal] } else { SerialLine(expectation) }
    hostLine.connect(outputs.standard)
    let log = try Log.sink(file: plan.logFile, outputs)
    let inputs = if let path = plan.replay { try Self.record(path) } else { [RecordedInput]() }
    do throws(MachineError) {
      // RTT shares the first line with the device that was the console.
      let backends: [any CharacterBackend] = plan.configuration.rtt ? lines.prefix(1) + lines : lines
      machine = try Machine.make(
        plan.configuration, registry: Parts.registry, backends: backends + unconnected, log: log)
    } catch {
      switch error {
      case .badInput(let text): throw .usage(text)
      case .setup(let text): throw Failure(code: .internalError, message: text)
      }
    }
    for note in machine.notes { Log.note(note) }
    machine.gate = outputs.gate
    do throws(MachineError) {
      if plan.perfMap { try machine.writePerfMap { verdict.reach(.outputFailed("--perf-map: \($0)")) } }
      if let folder = plan.jitDump {
        try machine.writeJITDump(inFolder: folder) { verdict.reach(.outputFailed("--jitdump: \($0)")) }
      }
    } catch { throw .usage("\(plan.perfMap ? "--perf-map" : "--jitdump"): \(error)") }
    if let place = plan.itm {
      let sink: any TraceSink =
        place == "console" ? ConsoleTrace(hostLine) : FileTrace(try outputs.file(place, of: "--itm"))
      guard machine.connect(trace: sink) else {
        throw .usage("--itm: the board has no ITM; only Arm's Cortex-M3 and above have one")
      }
    }
    recorder = RunRecorder(machine, plan, verdict)
    replayEnd = plan.recording.map { ReplayEnd($0, stays: plan.noShutdown) }
    if !inputs.isEmpty { machine.setReplay(inputs) }
  }

  /// What the guest was given in the run of a recording.
  private static func record(_ path: String) throws(Failure) -> [RecordedInput] {
    do throws(MachineError) { return try Recording(HostFile.read(path), name: path).inputs } catch {
      throw .usage("--replay: \(error)")
    }
  }

  /// Runs the machine to its end, and returns the exit code.
  func run() throws(Failure) -> Int32 {
    do throws(Failure) { try runToEnd() } catch {
      _ = recorder.end(code: error.code.rawValue, message: error.message)
      _ = outputs.settle(isUrgent: { true }, look: {})
      throw error
    }
    return finish(verdict.reached ?? .quit)
  }

  private func runToEnd() throws(Failure) {
    if let path = plan.exportSVD {
      let text = machine.modelledRegisters.svd(addressBits: machine.guest.addressBits)
      (path == "-" ? outputs.standard : try outputs.file(path, of: "--export-svd")).write(text)
      return verdict.reach(.exited(0))
    }
    let monitor = Monitor(machine)
    server = try plan.gdb.map { gdb throws(Failure) in try Attachments.gdbServer(machine, monitor, gdb, verdict) }
    observe()
    let isWaiting = try connect(monitor)
    if let limit = plan.configuration.timeline {
      do throws(MachineError) { try machine.keepTimeline(limit: limit) } catch { throw .usage("--timeline: \(error)") }
    }
    if let recording = plan.recording {
      do throws(MachineError) { try machine.open(recording) } catch { throw .usage("replay: \(error)") }
    }
    machine.start()
    if let server { try Attachments.start(server, isAwaited: plan.startStopped) }
    try beginFiles()
    let deadline = plan.timeout.map { start + $0 }
    loading.end()
    loop.run(until: deadline) { isWaiting.contains { $0() } }
    if verdict.reached == nil, let place = plan.goto {
      try Script(line: "goto \(place)", of: "--goto").run(monitor, loop, verdict, outputs.standard, until: deadline)
    }
    if verdict.reached == nil, let path = plan.monitorScript {
      try runScript(path, of: "--monitor-script", monitor, until: deadline)
    }
    if verdict.reached == nil, !machine.perform({ $0.isRunning }), !plan.startStopped, plan.goto == nil {
      let isOver = machine.perform { [replayEnd, verdict] in replayEnd?.takes(.historyEnds(hart: 0), $0, verdict) }
      if isOver != true { machine.resume() }
    }
    loop.run(until: deadline)
    if let path = plan.endScript {
      try runScript(path, of: "--end-script", monitor, until: plan.timeout.map { HostClock.seconds + $0 })
    }
  }

  private func runScript(
    _ path: String, of flag: String, _ monitor: Monitor, until deadline: Double?
  ) throws(Failure) {
    let script = try Script(path, of: flag, loop, until: deadline, isAfterEnd: verdict.reached != nil)
    try script.run(monitor, loop, verdict, outputs.standard, until: deadline)
  }

  /// Begins what a run leaves behind, now that nothing else can keep it from running.
  private func beginFiles() throws(Failure) {
    if let path = plan.pidFile {
      let file = try Descriptors.open(path, of: "-pidfile")
      let number = Descriptors.write(Array("\(getpid())\n".utf8), to: file)
      close(file)
      guard number == 0 else {
        throw Failure(code: .outputFailed, message: "-pidfile: \(path): \(HostFile.reason(number))")
      }
    }
    try recorder.begin()
  }

  private func observe() {
    let limit = plan.configuration.instructionLimit
    let staysForGDB = plan.gdb != nil
    let staysStopped = plan.noShutdown
    let observer: @Sendable (StopEvent) -> Void = { [verdict, server, replayEnd, unowned machine] event in
      if let replayEnd, replayEnd.takes(event, machine, verdict) { return }
      switch event {
      case .exited, .reset:
        if staysStopped {
          Log.note("the guest has switched the machine off; it stands still to be looked at (-no-shutdown)")
        } else if server?.mayRestart == true {
          Log.note("the guest has ended; GDB, which started it, may do so again; Martlet ends when GDB leaves")
        } else if let ending = Ending(event) {
          verdict.reach(ending)
        }
      case .lockedUp(_, let text):
        if staysForGDB {
          Log.note("the guest is locked up: \(text); it stands for GDB to look at")
        } else {
          verdict.reach(.lockedUp(text))
        }
      case .failed(let text): verdict.reach(.failed(text))
      case .requested:
        if let limit, machine.engine.vcpus.allSatisfy({ $0.ticks >= limit }) { verdict.reach(.instructionLimit) }
      case .breakpoint, .watchpoint, .caught, .stepped, .historyBegins, .historyEnds: break
      }
    }
    machine.perform { $0.stopObservers.append(observer) }
  }

  // MARK: Connections

  /// Connects serial lines and the monitor. Returns conditions that hold while peers are waited for.
  private func connect(_ monitor: Monitor) throws(Failure) -> [() -> Bool] {
    var paths = machine.devices.filter { $0.device is any CharacterDevice }.map(\.path)
    if plan.configuration.rtt, paths.count > 1 { paths.remove(at: 1) }
    if paths.isEmpty { paths = [machine.consolePath] }
    if plan.serial.count > paths.count, plan.serial.contains(where: { $0 != .none }) {
      Log.note("the board has \(paths.count) serial devices; the connections after those go nowhere")
    }
    // Without any -serial the user has said that nothing is wanted.
    if !plan.serial.isEmpty {
      for (line, index) in zip(unconnected, plan.serial.count..<max(plan.serial.count, paths.count)) {
        line.watch("serial \(index) (\(paths[index]))")
      }
    }
    var conditions: [() -> Bool] = []
    for (index, port) in plan.serial.enumerated() {
      let path = inputPath(ofLine: index, paths)
      conditions.append(
        try connections.connect(
          lines[index], to: port, flag: "-serial", label: "serial \(index) (\(path ?? "no device"))",
          input: { [self] in inject($0, to: path) }))
    }
    if plan.configuration.semihosting { conditions.append(try connectSemihosting(paths)) }
    if let path = plan.recording?.header.console { machine.semihostingConsole?.path = path }
    openTerminal(monitor, paths)
    if !plan.monitor.isTerminal, plan.monitor != .none {
      conditions.append(try serveMonitor(monitor))
    }
    return conditions
  }

  /// Where input of a serial line goes: to its device, or without one to semihosting.
  private func inputPath(ofLine index: Int, _ paths: [String]) -> String? {
    if paths.indices.contains(index) { return paths[index] }
    return plan.configuration.semihosting ? HostConsole.ownPath : nil
  }

  /// Gives what the host's user sends to the guest; nothing is the end of it.
  private func inject(_ bytes: [UInt8], to path: String?) {
    // Only calls of semihosting can tell that the input is at its end.
    guard let path, plan.replay == nil, !bytes.isEmpty || plan.configuration.semihosting else { return }
    machine.inject(bytes, to: path)
  }

  /// Puts semihosting's console to the host's, or to the connection that was chosen for it.
  private func connectSemihosting(_ paths: [String]) throws(Failure) -> () -> Bool {
    let port = plan.semihostingConsole ?? .terminal(shared: false)
    let shared = plan.serial.firstIndex { $0 == port || $0.isTerminal && port.isTerminal }
    if let shared {
      let path = inputPath(ofLine: shared, paths) ?? HostConsole.ownPath
      machine.semihostingConsole = HostConsole(output: lines[shared], path: path)
      return { false }
    }
    let line = port.isTerminal ? hostLine : SerialLine(expectation)
    machine.semihostingConsole = HostConsole(output: line)
    // What nobody can type is at its end.
    if port.isTerminal ? plan.monitor.isTerminal : !port.hasInput { inject([], to: HostConsole.ownPath) }
    return try connections.connect(line, to: port, flag: "-semihosting-config", label: "semihosting's console") {
      [self] in inject($0, to: HostConsole.ownPath)
    }
  }

  /// Lets the terminal be the console of a serial device or of semihosting, and the monitor's.
  private func openTerminal(_ monitor: Monitor, _ paths: [String]) {
    var path: String?
    var isShared = false
    if let index = plan.serial.firstIndex(where: \.isTerminal) {
      path = inputPath(ofLine: index, paths)
      isShared = plan.serial[index] == .terminal(shared: true)
    } else if plan.configuration.semihosting, plan.semihostingConsole?.isTerminal ?? true, !plan.monitor.isTerminal {
      path = HostConsole.ownPath
      isShared = plan.semihostingConsole == .terminal(shared: true)
    } else if !plan.monitor.isTerminal {
      return
    }
    let readsScript = [plan.monitorScript, plan.endScript].contains { $0.map(Script.isStandardInput) ?? false }
    let prompt = terminalPrompt(monitor, isWanted: plan.monitor.isTerminal || isShared)
    let console = TerminalConsole(
      serial: plan.monitor.isTerminal ? nil : { [self] in inject($0, to: path) }, hostLine, prompt: prompt,
      isShared: isShared, loop, outputs.standard, verdict)
    console.start(readsInput: !readsScript)
    self.console = console
  }

  private func terminalPrompt(_ monitor: Monitor, isWanted: Bool) -> TerminalConsole.Prompt {
    guard isWanted else { return .none }
    let quit: @Sendable () -> Void = { [verdict] in verdict.reach(.quit) }
    let output = outputs.standard
    let show: @Sendable ([UInt8]) -> Void = { output.write($0) }
    let showInTime: @Sendable ([UInt8]) -> Void = { output.writeInTime($0) }
    if Terminal.isTerminal {
      return .terminal(MonitorPrompt(monitor, show: show, output: showInTime, quit: quit))
    }
    return .lines(MonitorConsole(monitor, prompts: show, output: showInTime, quit: quit))
  }

  private func serveMonitor(_ monitor: Monitor) throws(Failure) -> () -> Bool {
    let line = SerialLine(nil, isGuests: false)
    let console = MonitorConsole(
      monitor, prompts: { line.write($0) }, output: { line.writeInTime($0) },
      quit: { [verdict] in verdict.reach(.quit) })
    return try connections.connect(line, to: plan.monitor, flag: "-monitor", label: "the monitor") { bytes in
      console.feed(bytes)
    }
  }

  // MARK: The end

  private func finish(_ ending: Ending) -> Int32 {
    server?.finish(ending.asDebuggersHear)
    var (code, message) = ending.conclusion(plan, missing: expectation.missing)
    let unrecorded = recorder.end(code: code, message: message)
    let deadline = plan.timeout.map { start + $0 } ?? .infinity
    let lost = outputs.settle(isUrgent: { verdict.isUrgent || HostClock.seconds > deadline }) { loop.turn(until: 0) }
    console?.end()
    connections.end()
    for (name, count) in lost { Log.note("\(name): \(count) bytes were not read") }
    if case .signal(let number) = ending { Terminal.die(of: number) }
    if let failure = verdict.outputFailure ?? unrecorded { (code, message) = (ExitCode.outputFailed.rawValue, failure) }
    if let message { Log.note(message) }
    return code == ExitCode.success.rawValue && !lost.isEmpty && ending != .quit ? ExitCode.outputFailed.rawValue : code
  }
}
