// Owns `finish`: on to where the present function returns to.

import Bits
import Engine
import GuestKit
import Machine

extension Command {
  static let finish = Command(
    "finish", aliases: ["fin"], [], .run, "Run until the function of the chosen frame has returned to its caller.",
    .control { monitor, _, run throws(MonitorError) in
      try monitor.needsStopped()
      let caller = try monitor.perform { machine throws(MonitorError) in
        try monitor.caller(machine.engine.vcpus[monitor.hart(machine)], machine)
      }
      let event = monitor.run(until: caller, run)
      return CommandResult(listing: try monitor.perform { monitor.describe(event, $0, quiet: [caller.pc]) })
    })
}

/// A place of a frame: an address and, so that the same place of another call is not taken for it, the stack there.
struct FramePlace: Sendable, Equatable {
  var hart: Int
  var pc: UInt64
  var stackPointer: UInt64
}

/// Stops where a frame goes on, in that frame alone.
private final class FrameFilter: BreakpointFilter, Sendable {
  private let place: FramePlace
  private let guest: any Guest

  init(_ place: FramePlace, _ guest: any Guest) {
    self.place = place
    self.guest = guest
  }

  func stops(_ vcpu: VCPU) -> Bool {
    vcpu.number == place.hart && guest.readRegister(vcpu.state, guest.stackPointer) == place.stackPointer
  }
}

extension Monitor {
  /// Where the function, or the exception handler, of the chosen frame returns to.
  fileprivate func caller(_ vcpu: VCPU, _ machine: Machine) throws(MonitorError) -> FramePlace {
    guard let unwinder = Unwinder(machine, vcpu) else {
      throw .refused("nothing is known of the stack frames of \(machine.guest.architecture)")
    }
    let chosen = chosenFrame(of: vcpu)?.number ?? 0
    let trace = unwinder.backtrace(limit: chosen + 3)
    guard let frame = trace.frames.dropFirst(chosen + 1).first(where: { !$0.isMarker }) else {
      throw .refused("there is no caller to run to: \(trace.end ?? "the stack ends here")")
    }
    return FramePlace(hart: vcpu.number, pc: frame.pc, stackPointer: frame.stackPointer)
  }

  /// Runs until a frame goes on at its place, or something else stops the machine.
  func run(until place: FramePlace, _ run: CommandRun) -> StopEvent {
    let filter = FrameFilter(place, machine.guest)
    machine.perform { $0.engine.insertBreakpoint(place.pc, filter: filter) }
    defer { machine.perform { $0.engine.removeBreakpoint(place.pc, filter: filter) } }
    return wait(for: .run, run)
  }
}
