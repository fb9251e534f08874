// Owns the debug server's start.

import DebugServer
import Machine
import Monitor

enum Attachments {
  /// A server for GDB at a port, with the monitor behind its `monitor …`.
  static func gdbServer(
    _ machine: Machine, _ monitor: Monitor, _ port: Port, _ verdict: Verdict
  ) throws(Failure) -> DebugServer {
    let address: DebugServer.Address
    switch port {
    case .tcp(let host, let port, _, _): address = .tcp(host: host, port: Int(port))
    case .unix(let path, _, _): address = .unix(path: path)
    default: throw .usage("-gdb: use tcp::PORT or unix:PATH")
    }
    var options = DebugServer.Options()
    options.monitor = { line, run in
      let result = monitor.execute(line, run)
      if result.wantsQuit { verdict.reach(.quit) }
      return result.text.isEmpty ? "" : result.text + "\n"
    }
    options.files = .belowWorkingFolder
    options.onKill = { verdict.reach(.quit) }
    options.onLeave = { [unowned machine] in
      // The guest came to its end before, and was kept for a client that could have started it again.
      let (isRunning, event) = machine.perform { ($0.isRunning, $0.lastStop) }
      if !isRunning, let ending = Ending(event) { verdict.reach(ending) }
    }
    return DebugServer(machine, address: address, options: options)
  }

  /// - Parameter isAwaited: the guest does not run before a debugger lets it, which the user is told.
  static func start(_ server: DebugServer, isAwaited: Bool) throws(Failure) {
    do throws(DebugServerError) { try server.start() } catch { throw .usage("-gdb: \(error)") }
    guard isAwaited, let address = server.address else { return }
    let target: String
    switch address {
    case .tcp(let host, let port): target = host == "localhost" ? ":\(port)" : "\(host):\(port)"
    case .unix(let path): target = path
    }
    Log.note("waiting for GDB at \(address) (-S); in GDB: target extended-remote \(target)")
  }
}
