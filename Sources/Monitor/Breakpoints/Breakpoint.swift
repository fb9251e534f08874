// Owns the monitor's breakpoints: what they ask before they count as hit, and what they do then, whatever it is they wait for.

import Bits
import Engine
import Machine

/// A breakpoint or watchpoint of the monitor's. Used on the machine's thread only.
final class Breakpoint: @unchecked Sendable {
  enum Action: Sendable {
    case stop
    /// Shows a line, and goes on.
    case log(LogFormat)
    /// Shows what a command, written so, shows, and goes on.
    case command(Arguments, String)
  }

  struct Condition: Sendable {
    let text: String
    let expression: Expression

    init(_ text: String, _ memory: DebugMemory) throws(MonitorError) {
      self.text = text
      expression = try ExpressionParser.parse(text, memory)
    }
  }

  let number: Int
  let trigger: any Trigger
  let action: Action
  /// Gone with the first stop.
  let isTemporary: Bool
  /// Nil: it is hit whenever a hart comes to it.
  var condition: Condition?
  /// Hits that are still to be let pass.
  var ignored = 0
  private(set) var hits = 0
  private(set) var isEnabled = false
  private weak var monitor: Monitor?

  init(
    number: Int, _ trigger: any Trigger, _ condition: Condition?, _ action: Action, isTemporary: Bool,
    of monitor: Monitor
  ) {
    self.number = number
    self.trigger = trigger
    self.condition = condition
    self.action = action
    self.isTemporary = isTemporary
    self.monitor = monitor
    trigger.owner = self
  }

  var machine: Machine? { monitor?.machine }

  /// Lets it be hit from now on, or no more.
  func setEnabled(_ enabled: Bool, _ machine: Machine) {
    guard enabled != isEnabled else { return }
    isEnabled = enabled
    if enabled { trigger.arm(machine) } else { trigger.disarm(machine) }
  }

  /// What it waits for has happened to a hart. A condition that has no value stops, and says why.
  func stops(_ vcpu: VCPU) -> Bool {
    guard let monitor else { return true }
    guard isEnabled else { return false }
    let memory = DebugMemory(machine: monitor.machine, vcpu: vcpu)
    do throws(MonitorError) {
      if let condition, try condition.expression.value(memory) == 0 { return false }
      if monitor.machine.isGoingBack { return stopsGoingBack() }
      hits += 1
      if ignored > 0 {
        ignored -= 1
        return false
      }
      switch action {
      case .stop:
        monitor.state.withLock { $0.lastHit = number }
        if isTemporary { monitor.delete([number], memory.machine) }
        return true
      case .log(let format): monitor.show(try format.text(memory))
      case .command(let arguments, _): monitor.show(try monitor.look(arguments, vcpu, memory.machine))
      }
      return false
    } catch {
      monitor.show("breakpoint \(number): \(error)")
      monitor.state.withLock { $0.lastHit = number }
      return true
    }
  }

  /// What was counted and done the first time is not once more.
  private func stopsGoingBack() -> Bool {
    guard let monitor, case .stop = action else { return false }
    monitor.state.withLock { $0.lastHit = number }
    return true
  }

  /// The same for what is to be said of a stop.
  func stops(_ vcpu: VCPU, because reason: String) -> String? {
    stops(vcpu) ? "hart \(vcpu.number): breakpoint \(number): \(reason)" : nil
  }

  /// What it waited for will not happen again.
  func end() { if let monitor { monitor.delete([number], monitor.machine) } }

  /// What it does beside stopping, in words.
  var purpose: String {
    var words = isEnabled ? [] : ["disabled"]
    if let condition { words.append("if " + condition.text) }
    switch action {
    case .stop: if isTemporary { words.append("once") }
    case .log(let format): words.append("log \"\(format.source)\"")
    case .command(_, let line): words.append("do \(line)")
    }
    if ignored > 0 { words.append("ignoring \(ignored)") }
    return words.joined(separator: ", ")
  }
}
