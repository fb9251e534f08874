// Adapts a machine to what a debugging session asks for: threads and registers here, the rest in extensions.

import GDBRemote
import GuestKit
import Machine
import Monitor
import NIOCore
import NIOPosix

/// A machine as a debugging target: one process, one thread per hart.
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
  /// By hart.
  let threads: [ThreadID]
  /// The file with the guest's symbols.
  let executable: String?
  /// How often a client has let the guest run; stops of earlier runs are no news.
  var runNumber: UInt64 = 0
  /// The present client has let the guest run.
  var hasRun = false
  /// The present client has been told that commands may change what it knows of registers.
  var hasSaidStale = false
  /// Of the file call that the client was asked for last.
  var fileCallNumber: UInt64 = 0
  /// The command of the monitor that is under way, or was last.
  var command: CommandRun?
  /// Memory addresses are physical.
  var usesPhysicalAddresses = false

  init(_ machine: Machine, options: DebugServer.Options, loop: any EventLoop, commands: NIOThreadPool) {
    self.machine = machine
    self.options = options
    self.loop = loop
    self.commands = commands
    layout = RegisterLayout(machine.guest)
    side = MachineSide(layout) { [observation] in observation.show($0) }
    executable = machine.configuration.executablePath
    threads = machine.engine.vcpus.indices.map { ThreadID(thread: UInt32($0) + 1) }
  }

  var haltReason: StopReason? {
    machine.perform { [side, hasRun] machine in
      machine.isRunning || machine.waitsForDebugger ? nil : side.state(of: machine, tellsEnd: hasRun)
    }
  }

  /// The hart behind a thread.
  func hart(_ thread: ThreadID) throws(TargetError) -> Int {
    guard let index = threads.firstIndex(of: thread) else { throw .noSuchThread }
    return index
  }

  // MARK: Registers

  func readRegisters(of thread: ThreadID) throws(TargetError) -> [RegisterValue] {
    let hart = try hart(thread)
    return machine.perform { [layout] machine in
      layout.general.map { layout.read($0, machine.engine.vcpus[hart].state) }
    }
  }

  func writeRegisters(_ bytes: [UInt8], of thread: ThreadID) throws(TargetError) {
    let hart = try hart(thread)
    var writes: [(entry: RegisterLayout.Entry, bytes: [UInt8])] = []
    var rest = bytes[...]
    for entry in layout.general where rest.count >= entry.size {
      writes.append((entry, try layout.bytes(Array(rest.prefix(entry.size)), entry)))
      rest = rest.dropFirst(entry.size)
    }
    machine.perform { [side, writes] machine in
      for (entry, bytes) in writes { side.write(entry, bytes, hart: hart, machine) }
    }
  }

  func readRegister(_ number: Int, of thread: ThreadID) throws(TargetError) -> RegisterValue {
    let hart = try hart(thread)
    let entry = try layout.entry(number)
    return machine.perform { [layout] machine in layout.read(entry, machine.engine.vcpus[hart].state) }
  }

  func writeRegister(_ number: Int, _ bytes: [UInt8], of thread: ThreadID) throws(TargetError) {
    let hart = try hart(thread)
    let entry = try layout.entry(number)
    let bytes = try layout.bytes(bytes, entry)
    machine.perform { [side] machine in side.write(entry, bytes, hart: hart, machine) }
  }
}
