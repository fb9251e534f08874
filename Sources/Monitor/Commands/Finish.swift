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
      return CommandResult(listing: try monitor.perform { monitor.describe(event, $0, quiet: caller.pcs) })
    })
}

/// A place of a frame: an address and, so that the same place of another call is not taken for it, the stack there.
struct FramePlace: Sendable, Equatable {
  var hart: Int
  var pc: UInt64
  var stackPointer: UInt64
  /// Behind the instruction there, where that raised an exception: its handler may go on at either.
  var next: UInt64?

  /// - Parameter isInterrupted: an exception came there.
  init(_ frame: StackFrame, isInterrupted: Bool, _ machine: Machine, _ vcpu: VCPU) {
    (hart, pc, stackPointer) = (vcpu.number, frame.pc, frame.stackPointer)
    guard isInterrupted, let (_, bytes) = DebugMemory(machine: machine, vcpu: vcpu).instruction(pc) else { return }
    next = pc &+ UInt64(bytes.count)
  }

  var pcs: [UInt64] { [pc] + (next.map { [$0] } ?? []) }

  /// Where the frame may have been left for what it waits for: at a call of any length before its place, or where it was
  /// interrupted, which may be there too.
  func origins(_ guest: any Guest) -> [UInt64] {
    let unit = guest.instructionAlignment
    let calls = stride(from: unit, through: UInt64(guest.longestInstruction), by: UInt64.Stride(unit)).map { pc &- $0 }
    return next == nil ? calls : calls + [pc]
  }
}

/// Stops where a frame goes on, in that frame alone.
final class FrameFilter: BreakpointFilter, Sendable {
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
  func caller(_ vcpu: VCPU, _ machine: Machine) throws(MonitorError) -> FramePlace {
    guard let unwinder = Unwinder(machine, vcpu) else {
      throw .refused("nothing is known of the stack frames of \(machine.guest.architecture)")
    }
    let chosen = chosenFrame(of: vcpu)?.number ?? 0
    let trace = unwinder.backtrace(limit: chosen + 3)
    guard let index = trace.frames.indices.dropFirst(chosen + 1).first(where: { !trace.frames[$0].isMarker }) else {
      throw .refused("there is no caller to run to: \(trace.end ?? "the stack ends here")")
    }
    let isInterrupted = trace.frames[..<index].suffix(1).contains { $0.exception != nil }
    return FramePlace(trace.frames[index], isInterrupted: isInterrupted, machine, vcpu)
  }

  /// Runs until a frame goes on at its place, or something else stops the machine.
  func run(until place: FramePlace, _ run: CommandRun) -> StopEvent {
    let filter = FrameFilter(place, machine.guest)
    machine.perform { machine in for pc in place.pcs { machine.engine.insertBreakpoint(pc, filter: filter) } }
    defer {
      machine.perform { machine in for pc in place.pcs { machine.engine.removeBreakpoint(pc, filter: filter) } }
    }
    return wait(for: .run, run)
  }
}
