// Owns `step` and `step block`: guest instructions one by one.

import Bits
import Engine
import Machine

extension Command {
  static let step = Command(
    "step", aliases: ["s", "si", "stepi"], [.count.optional, .words("TRACE", "trace").optional], .run,
    "Execute COUNT guest instructions of the chosen hart; with 'trace', show each place it comes to.",
    .control { monitor, arguments, run throws(MonitorError) in
      let count = arguments.count(else: 1)
      return CommandResult(
        listing: arguments["TRACE"] == nil
          ? try monitor.show(monitor.steps(count, run)) : try monitor.trace(count, run, asJSON: arguments.wantsJSON))
    })

  static let stepBlock = Command(
    "step block", [], .run, "Execute to the end of the block of straight code at the PC.",
    .control { monitor, _, run throws(MonitorError) in
      // The block's instructions in order: any other PC after a step means that it has been left.
      let lines: [UInt64] = try monitor.perform { machine throws(MonitorError) in
        let vcpu = machine.engine.vcpus[monitor.hart(machine)]
        guard let view = try? machine.engine.preview(vcpu, at: vcpu.state.pc) else {
          throw .refused("no code is mapped at \(vcpu.state.pc.hex0x())")
        }
        return view.guest.map(\.pc)
      }
      for next in lines.dropFirst() {
        var stop = try monitor.steps(1, run)
        guard monitor.mayGoOn(&stop), monitor.pc(of: stop.hart) == next else {
          return CommandResult(listing: try monitor.show(stop))
        }
      }
      return CommandResult(listing: try monitor.show(monitor.steps(1, run)))
    })
}

/// How stepping ended.
private struct StepStop: Sendable {
  var event: StopEvent
  var hart: Int
  /// What is to be said of a wait for an interrupt.
  var wait: StepWait?
}

extension Monitor {
  /// Steps the chosen hart `count` times, or up to a stop.
  fileprivate func steps(_ count: Int, _ run: CommandRun) throws(MonitorError) -> StepStop {
    try needsStopped()
    let hart = machine.perform { self.hart($0) }
    let event = wait(for: .step(hart: hart, count: count), run)
    return StepStop(event: event, hart: hart, wait: machine.perform(\.stepWait))
  }

  /// Where stepping led, after what stopped it, and whether time passed.
  fileprivate func show(_ stop: StepStop) throws(MonitorError) -> Listing {
    try perform { machine in
      let place: Listing
      switch stop.event {
      case .stepped: place = self.position(machine)
      case let event: place = self.describe(event, machine)
      }
      guard let wait = stop.wait, case .object(let fields) = place.value else { return place }
      return .custom(
        [wait.words] + place.textLines,
        .object(
          fields + [
            NamedValue("waited ns", .number(wait.nanoseconds)), NamedValue("wait ended", .truth(wait.wasEnded)),
          ]))
    }
  }

  fileprivate func pc(of hart: Int) -> UInt64 { machine.perform { $0.engine.vcpus[hart].state.pc } }

  /// Whether nothing speaks against another step; a breakpoint becomes the reason of the stop.
  fileprivate func mayGoOn(_ stop: inout StepStop) -> Bool {
    guard case .stepped = stop.event else { return false }
    guard machine.perform({ [hart = stop.hart] in $0.engine.vcpus[hart].stopsAtBreakpoint() }) else { return true }
    stop.event = .breakpoint(hart: stop.hart)
    return false
  }

  /// Steps one by one, and shows each place as it is reached.
  fileprivate func trace(_ count: Int, _ run: CommandRun, asJSON: Bool) throws(MonitorError) -> Listing {
    var left = count
    while true {
      var stop = try steps(1, run)
      left -= 1
      guard left > 0, mayGoOn(&stop) else { return try show(stop) }
      run.show(try show(stop).text(asJSON: asJSON) + "\n")
    }
  }
}
