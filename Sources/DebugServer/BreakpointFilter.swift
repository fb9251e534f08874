// Owns breakpoints that decide at the target: GDB's conditions and commands, carried out on the machine's thread.

import Bits
import Engine
import GDBRemote
import Machine

/// A breakpoint of GDB's with its program.
final class ProgrammedBreakpoint: BreakpointFilter {
  private let program: BreakpointProgram
  /// Which it is for; nil: all.
  private let harts: [Int]?
  private unowned let machine: Machine
  private let side: MachineSide

  init(_ program: BreakpointProgram, _ harts: [Int]?, _ machine: Machine, _ side: MachineSide) {
    self.program = program
    self.harts = harts
    self.machine = machine
    self.side = side
  }

  /// Whether its commands go on when the client is gone.
  var persists: Bool { program.persists && !program.commands.isEmpty }

  /// As gdbserver does: a condition without a value holds, so that its user hears of it.
  func stops(_ vcpu: VCPU) -> Bool {
    if let harts, !harts.contains(vcpu.number) { return false }
    var context = side.context(vcpu, machine)
    var holds = program.conditions.isEmpty
    for condition in program.conditions where !holds {
      do throws(AgentFailure) {
        holds = try side.trace.agent.evaluate(condition, in: &context) != 0
      } catch {
        side.show("Condition of the breakpoint at \(vcpu.state.pc.hex0x()): \(error)\n")
        holds = true
      }
    }
    guard holds else { return false }
    // What its commands do has been done.
    if machine.isGoingBack { return program.commands.isEmpty }
    for command in program.commands {
      do throws(AgentFailure) {
        _ = try side.trace.agent.evaluate(command, in: &context)
      } catch {
        side.show("Command of the breakpoint at \(vcpu.state.pc.hex0x()): \(error)\n")
        return true
      }
    }
    return program.commands.isEmpty
  }
}
