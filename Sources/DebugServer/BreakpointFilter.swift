// Owns breakpoints that decide at the target: GDB's conditions and commands, carried out on the machine's thread.

import Bits
import Engine
import GDBRemote
import Machine

/// A breakpoint of GDB's with its program.
final class ProgrammedBreakpoint: BreakpointFilter {
  private let program: BreakpointProgram
  private unowned let machine: Machine
  private let side: MachineSide

  init(_ program: BreakpointProgram, _ machine: Machine, _ side: MachineSide) {
    self.program = program
    self.machine = machine
    self.side = side
  }

  /// Whether its commands go on when the client is gone.
  var persists: Bool { program.persists && !program.commands.isEmpty }

  /// As gdbserver does: a condition without a value holds, so that its user hears of it.
  func stops(_ vcpu: VCPU) -> Bool {
    let context = HartContext(vcpu, machine, side)
    var holds = program.conditions.isEmpty
    for condition in program.conditions where !holds {
      do throws(AgentFailure) {
        holds = try side.agent.evaluate(condition, in: context) != 0
      } catch {
        side.show("Condition of the breakpoint at \(vcpu.state.pc.hex0x()): \(error.words)\n")
        holds = true
      }
    }
    guard holds else { return false }
    for command in program.commands {
      do throws(AgentFailure) {
        _ = try side.agent.evaluate(command, in: context)
      } catch {
        side.show("Command of the breakpoint at \(vcpu.state.pc.hex0x()): \(error.words)\n")
        return true
      }
    }
    return program.commands.isEmpty
  }
}

/// A hart as agent expressions see it.
struct HartContext: AgentContext {
  private let vcpu: VCPU
  private let machine: Machine
  private let side: MachineSide

  init(_ vcpu: VCPU, _ machine: Machine, _ side: MachineSide) {
    self.vcpu = vcpu
    self.machine = machine
    self.side = side
  }

  func register(_ number: Int) -> UInt64? { side.layout.value(number, vcpu.state) }

  func memory(at address: UInt64, size: Int) -> UInt64? { GuestMemory(machine, vcpu).value(at: address, size: size) }

  func show(_ text: String) { side.show(text) }
}

extension AgentFailure {
  var words: String {
    switch self {
    case .stack: "the expression takes more from its stack than is there, or puts too much on it"
    case .memory(let address): "memory at \(address.hex0x()) cannot be read"
    case .register(let number): "there is no register \(number)"
    case .divisionByZero: "division by zero"
    case .variable(let number): "there is no trace state variable \(number)"
    case .endless: "the expression does not end"
    }
  }
}
