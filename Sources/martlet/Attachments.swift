// Owns the debug server's start.

import DebugServer
import Machine
import Monitor

enum Attachments {
  /// Serves GDB at a port, with the monitor behind its `monitor …`.
  static func serveGDB(
    _ machine: Machine, _ monitor: Monitor, _ port: Port, _ verdict: Verdict
  ) throws(Failure) -> DebugServer {
    let address: DebugServer.Address
    switch port {
    case .tcp(let host, let port, _, _): address = .tcp(host: host, port: Int(port))
    case .unix(let path, _, _): address = .unix(path: path)
    default: throw .usage("-gdb: use tcp::PORT or unix:PATH")
    }
    var options = DebugServer.Options()
    options.monitor = { line in
      let result = monitor.execute(line)
      if result.wantsQuit { verdict.reach(.quit) }
      return result.text.isEmpty ? "" : result.text + "\n"
    }
    options.onKill = { verdict.reach(.quit) }
    let server = DebugServer(machine, address: address, options: options)
    do throws(DebugServerError) { try server.start() } catch { throw .usage("-gdb: \(error)") }
    return server
  }
}
