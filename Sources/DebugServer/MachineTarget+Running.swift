// Owns running, stopping and leaving the machine.

import GDBRemote
import Machine
import Monitor
import NIOCore
import Synchronization

/// The way of stops from the machine's thread to the server's.
final class StopObservation: Sendable {
  typealias Receiver = @Sendable (_ run: UInt64, StopReport) -> Void
  /// A type of its own: in a tuple, or bare, Swift would wrap the functions once more at each look under the lock.
  private struct Receivers {
    var stops: Receiver?
    var text: (@Sendable (String) -> Void)?
  }
  private let receivers = Mutex(Receivers())

  func begin(_ stops: @escaping Receiver, text: @escaping @Sendable (String) -> Void) {
    receivers.withLock { $0 = Receivers(stops: stops, text: text) }
  }
  func end() { receivers.withLock { $0 = Receivers() } }
  /// Under the lock, so that nothing is sent after ``end()``.
  func send(_ run: UInt64, _ report: StopReport) { receivers.withLock { $0.stops?(run, report) } }
  /// Text for the client's console.
  func show(_ text: String) { receivers.withLock { $0.text?(text) } }
}

extension MachineTarget {
  /// Calls `receive` on the event loop at each stop from now on, with the number of the run that it ends, and `text` on the
  /// machine's thread with what is printed at the target meanwhile.
  func observeStops(
    _ receive: @escaping @Sendable (UInt64, StopReport) -> Void, text: @escaping @Sendable (String) -> Void
  ) {
    observation.begin({ [loop] number, report in loop.execute { receive(number, report) } }, text: text)
    machine.perform { [side, observation] machine in
      machine.stopObservers.append { [weak machine] event in
        guard let machine else { return }
        let reports = machine.isNonStop ? side.reportAll(event, machine) : [side.report(event, machine)]
        for report in reports { observation.send(side.runNumber, report) }
      }
    }
  }

  func endObservation() { observation.end() }

  /// A client is gone without a word.
  func clientVanished(_ policy: DebugServer.DropPolicy? = nil) {
    let policy = policy ?? options.onDrop
    cancelCommand()
    forgetClient()
    hasSaidStale = false
    machine.perform { [side] machine in
      machine.finishFileCall(.refused)
      side.forget(machine)
      switch policy {
      case .keep: break
      case .resume: machine.resumeIfAlive()
      case .halt: machine.stop()
      }
    }
  }
}

extension MachineTarget {
  /// What the client has chosen ends with it.
  private func forgetClient() {
    usesPhysicalAddresses = false
    isNonStop = false
    hasRun = false
    leftHarts = []
  }
}

extension MachineTarget: MultiprocessTarget {
  func detach(process: UInt32) {
    let harts = taskThreads.harts(ofProcess: process)
    leftHarts.formUnion(harts)
    guard isNonStop else { return }
    haltedHarts.subtract(harts)
    machine.perform { [side] machine in for hart in harts { side.resume(hart, .run, machine) } }
  }

  func attach(process: UInt32) { leftHarts.subtract(taskThreads.harts(ofProcess: process)) }
}

extension MachineTarget: Resumable {
  func resume(_ plan: ResumePlan) throws(TargetError) {
    if isNonStop { return resumeHarts(plan) }
    var running = leftHarts
    var request: RunRequest?
    for thread in threads {
      guard let action = plan.entry(for: thread)?.action, action != .halt else { continue }
      let hart = try hart(thread)
      running.insert(hart)
      switch action {
      case .continue, .halt: break
      case .step: request = request ?? .step(hart: hart)
      case .stepRange(let range): request = request ?? .stepRange(hart: hart, range)
      }
    }
    let held = machine.engine.vcpus.indices.filter { !running.contains($0) }
    runNumber += 1
    hasRun = true
    let starting = plan.startAddress == nil ? [] : running.subtracting(leftHarts).sorted()
    machine.perform { [side, runNumber, held, request] machine in
      // A command of the monitor's may have let it run behind the client's back.
      if machine.isRunning { machine.stop() }
      side.runNumber = runNumber
      if let address = plan.startAddress {
        for hart in starting {
          machine.setRegister(machine.engine.vcpus[hart], machine.guest.programCounter, address)
        }
      }
      side.run(request ?? .run, held: held, machine)
    }
  }

  func interrupt() {
    if isNonStop { return interruptHart() }
    machine.perform { [side, hasRun] machine in side.interrupt(quietly: !hasRun, machine) }
  }

  func detach() {
    forgetClient()
    machine.perform { [side] machine in
      machine.finishFileCall(.refused)
      side.forget(machine)
      machine.resumeIfAlive()
    }
  }
}

extension MachineTarget: ReverseTarget {
  var canReverse: Bool { machine.perform(\.hasTimeline) }

  func reverseContinue() throws(TargetError) { try reverse(.run(includesHere: true)) }

  func reverseStep(_ thread: ThreadID) throws(TargetError) { try reverse(.step(hart: try hart(thread))) }

  private func reverse(_ request: ReverseRequest) throws(TargetError) {
    runNumber += 1
    let failure: String? = machine.perform { [side, runNumber] machine in
      if machine.isRunning { machine.stop() }
      side.runNumber = runNumber
      side.threads.invalidate()
      do throws(MachineError) { try machine.reverse(request) } catch { return error.description }
      return nil
    }
    if let failure { throw TargetError(.notPermitted, failure) }
  }
}

extension MachineTarget: Resettable {
  func restart(arguments: [String]) throws(TargetError) {
    leftHarts = []
    isNonStop = false
    runNumber += 1
    machine.perform { [side, runNumber] machine in
      machine.stop()
      side.runNumber = runNumber
      side.hart = 0
      machine.reset(.debugger, loadsImages: true)
    }
  }

  /// The guest stands at its reset, without the client's breakpoints.
  func kill(mayRestart: Bool) {
    forgetClient()
    runNumber += 1
    machine.perform { [side, runNumber] machine in
      side.forget(machine)
      machine.stop()
      side.runNumber = runNumber
      side.hart = 0
      machine.reset(.debugger, loadsImages: true)
    }
    if !mayRestart { options.onKill?() }
  }
}

extension MachineTarget: MonitorTarget {
  func runCommand(_ command: String, output: CommandOutput) {
    guard let monitor = options.monitor else {
      return output.fail(TargetError(.notPermitted, "this server has no monitor"))
    }
    let bound = NIOLoopBound((output: output, target: self), eventLoop: loop)
    let run = CommandRun(files: options.files) { [loop] text in
      // Waits for the server's thread, so that a long listing does not pile up in front of it.
      try? loop.submit { bound.value.output.write(text) }.wait()
    }
    self.command = run
    commands.submit { [loop, machine] _ in
      let before = machine.perform(\.registersAtRest)
      let text = monitor(command, run)
      let hasChanged = before != nil && before != machine.perform(\.registersAtRest)
      loop.execute {
        let (output, target) = bound.value
        target.machine.perform { [side = target.side] _ in side.threads.invalidate() }
        if !text.isEmpty { output.write(text.hasSuffix("\n") ? text : text + "\n") }
        if hasChanged, !target.hasSaidStale {
          target.hasSaidStale = true
          output.write(Self.staleNote)
        }
        output.finish()
      }
    }
  }

  func cancelCommand() { command?.cancel() }

  /// The protocol has no word by which a client would read registers again that a command has changed.
  private static let staleNote = """
    (registers have changed; GDB shows the old ones until 'maintenance flush register-cache', which gdb/martlet.gdb does \
    after each 'monitor')

    """
}

extension Machine {
  /// The general registers of all harts, one after the other, while the machine stands.
  fileprivate var registersAtRest: [[UInt8]]? {
    guard !isRunning, !waitsForDebugger else { return nil }
    let shown = guest.registerFile.registers.indices.filter { guest.registerFile.registers[$0].group == "general" }
    return engine.vcpus.flatMap { vcpu in shown.map { guest.registerBytes(vcpu.state, $0) } }
  }

  /// Lets the guest run on unless it has come to an end; that end is not to become a new start.
  fileprivate func resumeIfAlive() {
    switch lastStop {
    case .exited, .reset, .failed: break
    default: resume()
    }
  }
}
