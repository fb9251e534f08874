// Owns the commands that go back in time: reverse step, reverse cont, goto, timeline.

import Bits
import Machine

extension Command {
  static let reverseStep = Command(
    "reverse step", aliases: ["rsi"], [.count.optional], .run, "Go back COUNT instructions of the chosen hart.",
    .control { monitor, arguments, run throws(MonitorError) in
      var event = StopEvent.requested
      for _ in 0..<arguments.count(else: 1) {
        event = try monitor.reverse(run) { .step(hart: monitor.hart($0)) }
        guard case .stepped = event else { break }
      }
      return CommandResult(listing: try monitor.perform { [event] in monitor.describe(event, $0) })
    })

  static let reverseContinue = Command(
    "reverse cont", aliases: ["rc"], [], .run, "Go back to the last breakpoint, or to the beginning.",
    .control { monitor, _, run throws(MonitorError) in
      let event = try monitor.reverse(run) { _ in .run }
      return CommandResult(listing: try monitor.perform { monitor.describe(event, $0) })
    })
}

extension Monitor {
  /// Goes back, and waits until the machine stands.
  fileprivate func reverse(
    _ run: CommandRun, _ request: @escaping @Sendable (Machine) -> ReverseRequest
  ) throws(MonitorError) -> StopEvent {
    try needsStopped()
    let before = stops.expectStop()
    let failure: String? = machine.perform { machine in
      do throws(MachineError) { try machine.reverse(request(machine)) } catch { return error.description }
      return nil
    }
    if let failure {
      stops.giveUp()
      throw .refused(failure)
    }
    return awaitStop(after: before, run)
  }
}
