// Adapts a machine to what a debugging session asks for: threads and registers here, the rest in extensions.

import GDBRemote
import GuestKit
import Machine
import Monitor
import NIOCore
import NIOPosix

/// A machine as a debugging target: one process, one thread per hart, or per task of the guest's kernel.
///
/// It lives on the server's event loop. What it does to the machine, and ``MachineSide``, happens on the machine's thread.
final class MachineTarget: Target, PhysicalMemoryTarget {
  let machine: Machine
  let options: DebugServer.Options
  let loop: any EventLoop
  /// The thread of monitor commands.
  let commands: NIOThreadPool
  let layout: RegisterLayout
  let side: MachineSide
  let observation = StopObservation()
  let taskThreads: TaskThreads
  /// Harts of clusters that the client has left while it stayed with others.
  var leftHarts: Set<Int> = []
  /// The file with the guest's symbols.
  let executable: String?
  /// How often a client has let the guest run; stops of earlier runs are no news.
  var runNumber: UInt64 = 0
  /// Harts run and halt each for itself.
  var isNonStop = false
  /// In non-stop, harts whose stop has come here. To the client all others run, and are not to be let run again.
  var haltedHarts: Set<Int> = []
  /// The present client has let the guest run.
  var hasRun = false
  /// The present client has been told that commands may change what it knows of registers.
  var hasSaidStale = false
  /// Of the file call that the client was asked for last.
  var fileCallNumber: UInt64 = 0
  /// The command of the monitor that is under way, or was last.
  var command: CommandRun?
  /// Symbols that the client is still to be asked for.
  var soughtSymbols: ArraySlice<String> = []
  /// Memory addresses are physical.
  var usesPhysicalAddresses = false

  init(_ machine: Machine, options: DebugServer.Options, loop: any EventLoop, commands: NIOThreadPool) {
    self.machine = machine
    self.options = options
    self.loop = loop
    self.commands = commands
    layout = RegisterLayout(machine.guest)
    taskThreads = TaskThreads(clusters: machine.perform(\.clusters))
    side = MachineSide(layout, taskThreads) { [observation] in observation.show($0) }
    executable = machine.configuration.executablePath
  }

  var haltReason: StopReason? {
    machine.perform { [side, hasRun] machine in
      machine.isRunning || machine.waitsForDebugger ? nil : side.state(of: machine, tellsEnd: hasRun)
    }
  }

  var threads: [ThreadID] {
    guard taskThreads.areTasks(machine) else { return taskThreads.harts }
    return machine.perform { [side] machine in side.threads.threads(machine) }
  }

  /// What is behind a thread.
  func subject(of thread: ThreadID) throws(TargetError) -> TaskThreads.Subject {
    guard taskThreads.areTasks(machine) else {
      guard let hart = taskThreads.harts.firstIndex(of: thread) else { throw .noSuchThread }
      return .hart(hart)
    }
    guard let subject = machine.perform({ [side] machine in side.threads.subject(of: thread, machine) }) else {
      throw .noSuchThread
    }
    return subject
  }

  /// The hart that executes a thread, when it does.
  func hart(_ thread: ThreadID) throws(TargetError) -> Int { try subject(of: thread).hart }

  // MARK: Registers

  func readRegisters(of thread: ThreadID) throws(TargetError) -> [RegisterValue] {
    let subject = try subject(of: thread)
    return machine.perform { [layout] machine in layout.general.map { layout.read($0, of: subject, machine) } }
  }

  func writeRegisters(_ bytes: [UInt8], of thread: ThreadID) throws(TargetError) {
    var writes: [(entry: RegisterLayout.Entry, bytes: [UInt8])] = []
    var rest = bytes[...]
    for entry in layout.general where rest.count >= entry.size {
      writes.append((entry, try layout.bytes(Array(rest.prefix(entry.size)), entry)))
      rest = rest.dropFirst(entry.size)
    }
    try write(writes, of: thread)
  }

  func readRegister(_ number: Int, of thread: ThreadID) throws(TargetError) -> RegisterValue {
    let subject = try subject(of: thread)
    let entry = try layout.entry(number)
    return machine.perform { [layout] machine in layout.read(entry, of: subject, machine) }
  }

  func writeRegister(_ number: Int, _ bytes: [UInt8], of thread: ThreadID) throws(TargetError) {
    let entry = try layout.entry(number)
    try write([(entry, try layout.bytes(bytes, entry))], of: thread)
  }

  private func write(
    _ writes: [(entry: RegisterLayout.Entry, bytes: [UInt8])], of thread: ThreadID
  ) throws(TargetError) {
    let subject = try subject(of: thread)
    let failed = machine.perform { [side, writes] machine in
      writes.filter { !side.write($0.entry, $0.bytes, of: subject, machine) }.map(\.entry.name)
    }
    guard failed.isEmpty else {
      throw TargetError(
        .notPermitted, "the task does not run, and has saved no \(failed.joined(separator: ", ")) that could be changed"
      )
    }
  }
}
