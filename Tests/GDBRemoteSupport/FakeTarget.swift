// Owns the targets of the GDB tests: a bare one, and one that adopts every capability and keeps a log of what it is asked.

import GDBRemote

/// Two threads of four 4-byte registers each, 4 KiB of RAM at 0x1000 and 16 bytes at the very end of memory.
package class BareTarget: Target {
  static let ramStart: UInt64 = 0x1000
  static let topStart = UInt64.max - 15

  package var threads = [ThreadID(thread: 1), ThreadID(thread: 2)]
  package var haltReason: StopReason? = .stopped(Stop(thread: ThreadID(thread: 1), signal: .trap))
  package var registers: [UInt32: [[UInt8]]] = [:]
  package var ram = [UInt8](repeating: 0, count: 0x1000)
  package var top = [UInt8](repeating: 0xee, count: 16)
  package var log: [String] = []

  package init() {
    for thread in threads {
      registers[thread.thread] = (0..<4).map { [UInt8(thread.thread), UInt8($0), 0, 0] }
    }
    for index in 0..<256 { ram[index] = UInt8(index) }
  }

  package func readRegisters(of thread: ThreadID) throws(TargetError) -> [RegisterValue] {
    guard let file = registers[thread.thread] else { throw .noSuchThread }
    return file.map(RegisterValue.bytes)
  }

  package func writeRegisters(_ bytes: [UInt8], of thread: ThreadID) throws(TargetError) {
    guard bytes.count <= 16, bytes.count.isMultiple(of: 4) else { throw .invalid("16 bytes expected") }
    for index in 0..<bytes.count / 4 { registers[thread.thread]?[index] = Array(bytes[index * 4..<index * 4 + 4]) }
  }

  package func readRegister(_ number: Int, of thread: ThreadID) throws(TargetError) -> RegisterValue {
    if number == 5 { return .unavailable(byteCount: 4) }
    guard let file = registers[thread.thread], number < 4 else { throw .invalid("no such register") }
    return .bytes(file[number])
  }

  package func writeRegister(_ number: Int, _ bytes: [UInt8], of thread: ThreadID) throws(TargetError) {
    guard number < 4, bytes.count == 4 else { throw .invalid("no such register") }
    registers[thread.thread]?[number] = bytes
  }

  package func readMemory(at address: UInt64, count: Int, thread: ThreadID) throws(TargetError) -> [UInt8] {
    if let offset = Self.offset(of: address, from: Self.ramStart, size: ram.count) {
      return Array(ram[offset...].prefix(count))
    }
    guard let offset = Self.offset(of: address, from: Self.topStart, size: 16) else { throw .badAddress(address) }
    precondition(offset + count <= 16, "a range that wraps")
    return Array(top[offset..<offset + count])
  }

  package func writeMemory(_ bytes: [UInt8], at address: UInt64, thread: ThreadID) throws(TargetError) {
    guard let offset = Self.offset(of: address, from: Self.ramStart, size: ram.count), bytes.count <= ram.count - offset
    else { throw .badAddress(address) }
    ram.replaceSubrange(offset..<offset + bytes.count, with: bytes)
  }

  private static func offset(of address: UInt64, from start: UInt64, size: Int) -> Int? {
    address >= start && address - start < size ? Int(address - start) : nil
  }
}

package final class FullTarget: BareTarget, ReverseTarget, NonStopTarget, Resettable, ConditionalBreakpointTarget,
  TargetDescription, FlashTarget, ThreadNaming, HostDescribing, ExecutableNaming, MonitorTarget, FileIOTarget,
  TraceTarget, BranchTraceTarget,
  SymbolSeeking
{
  package weak var session: Session?
  /// Reported from within `resume`, as a target that steps synchronously does.
  package var immediateStop: StopReason?
  package var pendingCommand: CommandOutput?

  package var isNonStop = false
  /// In non-stop.
  package var runningThreads: Set<ThreadID> = []

  package func setNonStop(_ isOn: Bool) throws(TargetError) {
    log.append(isOn ? "non-stop" : "all-stop")
    isNonStop = isOn
    runningThreads = []
  }

  package func stop(of thread: ThreadID) -> Stop? { runningThreads.contains(thread) ? nil : Stop(thread: thread) }

  package func halt(_ reason: StopReason) {
    haltReason = reason
    if case .stopped(let stop) = reason { runningThreads.remove(stop.thread) }
    session?.stopped(reason)
  }

  private func start(_ what: String) {
    log.append(what)
    haltReason = nil
    if let immediateStop { halt(immediateStop) }
  }

  package func resume(_ plan: ResumePlan) throws(TargetError) {
    if plan.startAddress == 0xbad { throw .badAddress(0xbad) }
    var line = "resume"
    for thread in threads {
      guard let entry = isNonStop ? plan.entries.first(where: { $0.threads.matches(thread) }) : plan.entry(for: thread)
      else { continue }
      if entry.action != .halt { runningThreads.insert(thread) }
      line += " \(thread.thread):"
      switch entry.action {
      case .continue: line += "continue"
      case .step: line += "step"
      case .stepRange(let range): line += "range(\(hex(range.lowerBound))-\(hex(range.upperBound)))"
      case .halt: line += "halt"
      }
      if let signal = entry.signal { line += "+signal\(signal.rawValue)" }
    }
    if let address = plan.startAddress { line += " at \(hex(address))" }
    start(line)
  }

  package func interrupt() { log.append("interrupt") }
  package func detach() { log.append("detach") }
  package var canReverse: Bool { true }
  package func reverseContinue() throws(TargetError) { start("reverse-continue") }
  package func reverseStep(_ thread: ThreadID) throws(TargetError) { start("reverse-step \(thread.thread)") }

  package func restart(arguments: [String]) throws(TargetError) {
    log.append("restart \(arguments)")
    haltReason = .stopped(Stop(thread: threads[0], signal: .trap))
  }

  package func kill(mayRestart: Bool) { log.append(mayRestart ? "kill, may restart" : "kill") }

  package func insert(_ breakpoint: Breakpoint) throws(TargetError) {
    if breakpoint.kind == .readWatchpoint { throw .unsupported() }
    log.append("insert \(breakpoint.kind) \(hex(breakpoint.address)) \(breakpoint.length)")
  }

  package func insert(_ breakpoint: Breakpoint, _ program: BreakpointProgram) throws(TargetError) {
    try insert(breakpoint)
    guard !program.isEmpty else { return }
    log[log.count - 1] += ", \(program.conditions.count) conditions, \(program.commands.count) commands"
    if program.persists { log[log.count - 1] += " that persist" }
  }

  package func remove(_ breakpoint: Breakpoint) throws(TargetError) {
    log.append("remove \(breakpoint.kind) \(hex(breakpoint.address)) \(breakpoint.length)")
  }

  package func targetDescription(_ annex: String) -> String? {
    annex == "target.xml" ? "<target version=\"1.0\"><architecture>riscv:rv32</architecture></target>" : nil
  }

  package let memoryMap = [
    MemoryRegion(.ram, start: 0x1000, length: 0x1000),
    MemoryRegion(.flash(blockSize: 0x100), start: 0x8000, length: 512),
  ]

  package func eraseFlash(at address: UInt64, length: UInt64) throws(TargetError) {
    log.append("erase \(hex(address)) \(length)")
  }
  package func writeFlash(_ bytes: [UInt8], at address: UInt64) throws(TargetError) {
    log.append("flash \(hex(address)) \(bytes)")
  }
  package func flashDone() throws(TargetError) { log.append("flash done") }

  package func describe(_ thread: ThreadID) -> ThreadDescription {
    ThreadDescription(name: "core<\(thread.thread)>", state: "halted", core: Int(thread.thread) - 1)
  }

  package let hostDescription = HostDescription(triple: "riscv32", pointerSize: 4, programCounter: 3)

  package func executablePath(process: UInt32) -> String? { process == 1 ? "/firmware.elf" : nil }

  package func runCommand(_ command: String, output: CommandOutput) {
    log.append("command \(command)")
    switch command {
    case "slow": pendingCommand = output
    case "wrong": output.fail(.invalid("unknown command: wrong"))
    default:
      output.write("you said \(command)\n")
      output.finish()
    }
  }

  package func firstSymbol() -> String? { "current" }

  package func symbol(_ name: String, isAt address: UInt64?) -> String? {
    log.append("symbol \(name) \(address.map(hex) ?? "unknown")")
    return name == "current" ? "count" : nil
  }

  package func cancelCommand() { log.append("cancel command") }

  package func fileCallFinished(_ result: FileCallResult) {
    log.append("file call \(result.value) \(result.errorNumber)\(result.interrupted ? " interrupted" : "")")
  }

  package var trace = Trace()
  package var branches: [ThreadID: BranchTrace] = [:]
  package let traceTime: UInt64 = 7
  package let generalRegisters = (0..<4).map { (number: $0, byteCount: 4) }
  package let isBigEndian = false

  package func withTrace<Answer: Sendable>(
    _ body: @escaping @Sendable (inout Trace) throws(TargetError) -> Answer
  ) throws(TargetError) -> Answer { try body(&trace) }

  package func programCounterRegister(_ value: UInt64) -> (number: Int, bytes: [UInt8]) {
    (3, (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) })
  }

  package func startBranchTrace(of thread: ThreadID, size: Int) throws(TargetError) {
    branches[thread] = BranchTrace(size: size)
  }

  package func stopBranchTrace(of thread: ThreadID) throws(TargetError) { branches[thread] = nil }

  package func branchTraceSize(of thread: ThreadID) throws(TargetError) -> Int? { branches[thread]?.size }

  package func readBranchTrace(of thread: ThreadID, _ part: BranchTrace.Part) throws(TargetError) -> [BranchTrace
    .Block]?
  {
    branches[thread]?.read(part, at: 0x1010)
  }

  /// Thread 1 comes to the tracepoints at an address, and steps behind them.
  package func comeTo(_ address: UInt64) {
    let context = FakeContext(target: self, programCounter: address)
    for index in trace.active where trace.tracepoints[index].address == address {
      let steps = min(trace.hit(index, in: context), 4)
      for step in 0..<steps {
        context.programCounter += 2
        trace.step(index, isLast: step == steps - 1, in: context)
      }
    }
  }

  private func hex(_ number: UInt64) -> String { "0x" + String(number, radix: 16) }
}

/// Thread 1 of the fake target.
package final class FakeContext: TraceContext {
  package let target: BareTarget
  package var programCounter: UInt64
  package let time: UInt64 = 9
  package let frame = TraceFrameWriter()

  package init(target: BareTarget, programCounter: UInt64) {
    self.target = target
    self.programCounter = programCounter
  }

  package func register(_ number: Int) -> UInt64? {
    target.registers[1].flatMap { number < $0.count ? $0[number] : nil }?.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  package func memory(at address: UInt64, size: Int) -> UInt64? {
    guard UInt64(size - 1) <= .max - address else { return nil }
    let bytes = (try? target.readMemory(at: address, count: size, thread: target.threads[0])) ?? []
    return bytes.count == size ? bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } : nil
  }

  package func show(_ text: String) { target.log.append("shows \(text)") }

  package func appendRegister(_ number: Int) -> Bool {
    guard let file = target.registers[1], number < file.count else { return false }
    frame.append(file[number])
    return true
  }

  package func appendMemory(at address: UInt64, count: Int) {
    let last = min(UInt64(count - 1), .max - address)
    frame.append((try? target.readMemory(at: address, count: Int(last) + 1, thread: target.threads[0])) ?? [])
  }
}
