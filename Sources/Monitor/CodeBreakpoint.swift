// Owns the monitor's breakpoints on code: what they ask before they count as hit, and what they do then.

import Bits
import Engine
import Machine

/// A breakpoint of the monitor's. Used on the machine's thread only.
final class CodeBreakpoint: BreakpointFilter, @unchecked Sendable {
  enum Action: Sendable {
    case stop
    /// Shows a line, and goes on.
    case log(LogFormat)
    /// Shows what a command shows, and goes on.
    case command(Arguments)
  }

  let number: Int
  let address: UInt64
  let action: Action
  /// Gone with the first stop.
  let isTemporary: Bool
  /// Nil: it is hit whenever a hart comes to it.
  var condition: Condition?
  /// Hits that are still to be let pass.
  var ignored = 0
  private(set) var hits = 0
  private weak var monitor: Monitor?

  struct Condition: Sendable {
    let text: String
    let expression: Expression

    init(_ text: String, _ memory: DebugMemory) throws(MonitorError) {
      self.text = text
      expression = try ExpressionParser.parse(text, memory)
    }
  }

  init(
    number: Int, at address: UInt64, _ condition: Condition?, _ action: Action, isTemporary: Bool, of monitor: Monitor
  ) {
    self.number = number
    self.address = address
    self.condition = condition
    self.action = action
    self.isTemporary = isTemporary
    self.monitor = monitor
  }

  /// A condition that has no value stops, and says why.
  func stops(_ vcpu: VCPU) -> Bool {
    guard let monitor else { return true }
    let memory = DebugMemory(machine: monitor.machine, vcpu: vcpu)
    do throws(MonitorError) {
      if let condition, try condition.expression.value(memory) == 0 { return false }
      hits += 1
      if ignored > 0 {
        ignored -= 1
        return false
      }
      switch action {
      case .stop:
        if isTemporary { monitor.delete([number], memory.machine) }
        return true
      case .log(let format): monitor.show(try format.text(memory))
      case .command(let arguments): monitor.show(try monitor.look(arguments, vcpu, memory.machine))
      }
      return false
    } catch {
      monitor.show("breakpoint \(number): \(error)")
      return true
    }
  }

  /// What it does beside stopping, in words.
  var purpose: String {
    var words = condition.map { ["if " + $0.text] } ?? []
    switch action {
    case .stop: if isTemporary { words.append("once") }
    case .log(let format): words.append("log \"\(format.source)\"")
    case .command(let arguments): words.append("do \(arguments.command.name)")
    }
    if ignored > 0 { words.append("ignoring \(ignored)") }
    return words.joined(separator: ", ")
  }
}
