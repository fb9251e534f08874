// Owns one run: the machine, its connections, and the way to its end.

import Bus
import DebugServer
import Glibc
import Machine
import Monitor
import SVD

final class Session {
  private let plan: Plan
  private let verdict: Verdict
  private let loop: EventLoop
  private let machine: Machine
  private let lines: [SerialLine]
  private let recordFile: Int32?
  private var server: DebugServer?
  private var console: TerminalConsole?

  init(_ plan: Plan) throws(Failure) {
    self.plan = plan
    let verdict = try Verdict()
    self.verdict = verdict
    // First of all: threads inherit the mask.
    Terminal.catchSignals { verdict.reach(.signal($0)) }
    loop = EventLoop(verdict)
    // A board without any serial port still gets a line, for what semihosting writes.
    lines = (0..<max(1, plan.serial.count)).map { _ in SerialLine(expected: plan.expect, verdict) }
    let log = try Log.sink(plan.logItems, file: plan.logFile)
    let inputs = if let path = plan.replay { try InputRecord.load(path) } else { [RecordedInput]() }
    recordFile = if let path = plan.record { try Descriptors.open(path, of: "--record") } else { nil }
    do throws(MachineError) {
      // RTT shares the first line with the device that was the console.
      let backends = plan.configuration.rtt ? [lines[0]] + lines : lines
      machine = try Machine.make(plan.configuration, registry: Parts.registry, backends: backends, log: log)
    } catch {
      switch error {
      case .badInput(let text): throw .usage(text)
      case .setup(let text): throw Failure(code: .internalError, message: text)
      }
    }
    for note in machine.notes { Log.note(note) }
    do throws(MachineError) {
      if plan.perfMap { try machine.writePerfMap() }
      if let folder = plan.jitDump { try machine.writeJITDump(inFolder: folder) }
    } catch { throw .usage("\(plan.perfMap ? "--perf-map" : "--jitdump"): \(error)") }
    if let place = plan.itm {
      let sink: any TraceSink =
        place == "console" ? ConsoleTrace(lines[0]) : FileTrace(try Descriptors.open(place, of: "--itm"))
      guard machine.connect(trace: sink) else {
        throw .usage("--itm: the board has no ITM; only Arm's Cortex-M3 and above have one")
      }
    }
    machine.engine.log.items = plan.logItems.sorted { $0.rawValue < $1.rawValue }
    if !inputs.isEmpty { machine.setReplay(inputs) }
  }

  /// Runs the machine to its end, and returns the exit code.
  func run() throws(Failure) -> Int32 {
    if let path = plan.exportSVD {
      let text = machine.modelledRegisters.svd(addressBits: machine.guest.addressBits)
      Descriptors.write(Array(text.utf8), to: path == "-" ? 1 : try Descriptors.open(path, of: "--export-svd"))
      return ExitCode.success.rawValue
    }
    if let path = plan.pidFile {
      let file = try Descriptors.open(path, of: "-pidfile")
      Descriptors.write(Array("\(getpid())\n".utf8), to: file)
      close(file)
    }
    machine.start()
    let monitor = Monitor(machine)
    server = try plan.gdb.map { gdb throws(Failure) in try Attachments.gdbServer(machine, monitor, gdb, verdict) }
    observe()
    let isWaiting = try connect(monitor)
    if let server { try Attachments.start(server) }
    let deadline = plan.timeout.map { EventLoop.now + $0 }
    loop.run(until: deadline) { isWaiting.contains { $0() } }
    if verdict.reached == nil, let path = plan.monitorScript { try runScript(path, of: "--monitor-script", monitor) }
    if verdict.reached == nil, !machine.perform({ $0.isRunning }), !plan.startStopped { machine.resume() }
    loop.run(until: deadline)
    if let path = plan.endScript { try runScript(path, of: "--end-script", monitor) }
    return finish()
  }

  private func observe() {
    let limit = plan.configuration.instructionLimit
    let staysForGDB = plan.gdb != nil
    let observer: @Sendable (StopEvent) -> Void = { [verdict, server, unowned machine] event in
      switch event {
      case .exited, .reset:
        // A debugger that may start the guest again keeps it until it leaves.
        if server?.mayRestart != true, let ending = Ending(event) { verdict.reach(ending) }
      case .lockedUp(_, let text):
        if staysForGDB {
          Log.note("the guest is locked up: \(text); it stands for GDB to look at")
        } else {
          verdict.reach(.lockedUp(text))
        }
      case .failed(let text): verdict.reach(.failed(text))
      case .requested:
        if let limit, machine.engine.vcpus.allSatisfy({ $0.ticks >= limit }) { verdict.reach(.instructionLimit) }
      case .breakpoint, .watchpoint, .caught, .stepped: break
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
    let connections = Connections(loop)
    var conditions: [() -> Bool] = []
    var terminalInput: (([UInt8]) -> Void)?
    var terminalLine: SerialLine?
    var isShared = false
    for (index, port) in plan.serial.enumerated() {
      let path = paths.indices.contains(index) ? paths[index] : nil
      let isLive = plan.replay == nil
      // Only calls of semihosting can tell that the input is at its end.
      let hasEnd = plan.configuration.semihosting
      let input = { [machine] (bytes: [UInt8]) in
        if let path, isLive, hasEnd || !bytes.isEmpty { machine.inject(bytes, to: path) }
      }
      if case .terminal(let shared) = port {
        lines[index].connect(1)
        terminalLine = lines[index]
        terminalInput = input
        isShared = shared
      }
      conditions.append(
        try connections.connect(
          lines[index], to: port, flag: "-serial", label: "serial \(index) (\(path ?? "no device"))", input: input))
    }
    if plan.monitor.isTerminal || terminalInput != nil {
      let prompt = terminalPrompt(monitor, isWanted: plan.monitor.isTerminal || isShared)
      let console = TerminalConsole(
        serial: terminalInput, terminalLine, prompt: prompt, isShared: isShared, loop, verdict)
      console.start()
      self.console = console
    }
    if !plan.monitor.isTerminal, plan.monitor != .none {
      conditions.append(try serveMonitor(monitor, connections))
    }
    return conditions
  }

  private func terminalPrompt(_ monitor: Monitor, isWanted: Bool) -> TerminalConsole.Prompt {
    guard isWanted else { return .none }
    let quit = { [verdict] in verdict.reach(.quit) }
    if Terminal.isTerminal { return .terminal(MonitorPrompt(monitor, quit: quit)) }
    return .lines(MonitorConsole(monitor, output: { Descriptors.write($0, to: 1) }, quit: quit))
  }

  private func serveMonitor(_ monitor: Monitor, _ connections: Connections) throws(Failure) -> () -> Bool {
    let line = SerialLine(expected: nil, verdict)
    let console = MonitorConsole(
      monitor, output: { line.write($0) }, quit: { [verdict] in verdict.reach(.quit) })
    return try connections.connect(line, to: plan.monitor, flag: "-monitor", label: "the monitor") { bytes in
      console.feed(bytes)
    }
  }

  private func runScript(_ path: String, of flag: String, _ monitor: Monitor) throws(Failure) {
    let bytes: [UInt8]
    do throws(MachineError) { bytes = try HostFile.read(path) } catch { throw .usage("\(flag): \(error)") }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() {
      let result = monitor.execute(String(line))
      if result.isError { throw .usage("\(flag): \(path): line \(index + 1): \(result.text)") }
      if !result.text.isEmpty { Descriptors.write(Array((result.text + "\n").utf8), to: 1) }
      if result.wantsQuit { return verdict.reach(.quit) }
    }
  }

  // MARK: The end

  private func finish() -> Int32 {
    let ending = verdict.reached ?? .quit
    server?.finish(ending.asDebuggersHear)
    if let recordFile {
      InputRecord.save(machine.perform { $0.recorded }, to: recordFile)
      close(recordFile)
    }
    console?.end()
    if case .signal(let number) = ending { Terminal.die(of: number) }
    let (code, message) = ending.conclusion(plan)
    if let message { Log.note(message) }
    return code
  }
}
