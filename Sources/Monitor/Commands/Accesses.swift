// Owns the commands that go to an access to memory, on the way back or forward: last-write, last-access, next-write,
// next-access.

import Engine
import Machine

extension Command {
  static let lastWrite = accessCommand(
    "last-write", "Go back behind the last instruction that wrote to the LENGTH bytes (8) at ADDR.", onRead: false,
    goes: .back)

  static let lastAccess = accessCommand(
    "last-access", "Go back behind the last instruction that read or wrote the LENGTH bytes (8) at ADDR.", onRead: true,
    goes: .back)

  static let nextWrite = accessCommand(
    "next-write", "Run until the LENGTH bytes (8) at ADDR have been written to.", onRead: false, goes: .on)

  static let nextAccess = accessCommand(
    "next-access", "Run until the LENGTH bytes (8) at ADDR have been read or written.", onRead: true, goes: .on)

  private enum Way { case back, on }

  private static func accessCommand(_ name: String, _ help: String, onRead: Bool, goes way: Way) -> Command {
    Command(
      name, [.address, .number("LENGTH").optional], .run, help,
      .control { monitor, arguments, run throws(MonitorError) in
        guard let address = arguments.address else { throw arguments.usage }
        let length = arguments.number("LENGTH") ?? 8
        guard (1...1 << 20).contains(length) else {
          throw .refused("1 to 1048576 bytes are looked after, not \(length)")
        }
        let watchpoint = Watchpoint(address: address, length: length, onRead: onRead, onWrite: true, stopsBehind: true)
        let event =
          switch way {
          case .back: try monitor.reverse(run) { _ in .access(watchpoint) }
          case .on: try monitor.run(to: watchpoint, run)
          }
        return CommandResult(listing: try monitor.perform { monitor.describe(event, $0) })
      })
  }
}

extension Monitor {
  /// Runs until a watchpoint of the command's own, or something else, stops the machine.
  fileprivate func run(to watchpoint: Watchpoint, _ run: CommandRun) throws(MonitorError) -> StopEvent {
    try needsStopped()
    machine.perform { $0.engine.insert(watchpoint) }
    defer { machine.perform { $0.engine.remove(watchpoint) } }
    return wait(for: .run, run)
  }
}
