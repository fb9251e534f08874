// Owns breakpoints on virtual time and on numbers of instructions.

import Engine
import Machine

/// Waits for a point in time, once or again and again; stops before the first instruction that is not before it.
final class CountTrigger: EventTrigger {
  enum Unit: Sendable {
    /// Ticks of this many nanoseconds.
    case time(UInt64)
    /// Of the hart with this number.
    case instructions(hart: Int)
  }

  weak var owner: Breakpoint?
  private let unit: Unit
  private var next: UInt64
  /// Nil: once.
  private let period: UInt64?
  private weak var machine: Machine?

  init(_ unit: Unit, at next: UInt64, every period: UInt64?) {
    self.unit = unit
    self.next = next
    self.period = period
  }

  var kind: String { if case .time = unit { "time" } else { "instructions" } }

  func place(_ memory: DebugMemory) -> String {
    let every = period.map { ", every \(words($0))" } ?? ""
    if case .instructions(let hart) = unit { return "\(words(next)) of hart \(hart)\(every)" }
    return words(next) + every
  }

  private func words(_ count: UInt64) -> String {
    if case .time(let nanoseconds) = unit { seconds(count &* nanoseconds) } else { String(count) }
  }

  var watches: [DebugWatch] {
    switch unit {
    case .time: [.time(next)]
    case .instructions(let hart): [.instructions(vcpu: hart, next)]
    }
  }

  func arm(_ machine: Machine) {
    self.machine = machine
    if let period {
      let now = count(machine)
      if next <= now { next = now &+ period }
    }
    for watch in watches { machine.engine.insert(watch, self) }
  }

  private func count(_ machine: Machine) -> UInt64 {
    switch unit {
    case .time: machine.engine.vcpus.map(\.ticks).max() ?? 0
    case .instructions(let hart): machine.engine.vcpus[hart].retired
    }
  }

  func stops(_ vcpu: VCPU, at event: DebugEvent) -> String? {
    guard case .reached = event, let owner else { return nil }
    let reason = if case .time = unit { "it is \(words(next))" } else { "\(words(next)) instructions have retired" }
    if let period, let machine {
      next = max(next, count(machine)) &+ period
      for watch in watches { machine.engine.insert(watch, self) }
    }
    let text = owner.stops(vcpu, because: reason)
    if period == nil { owner.end() }
    return text
  }
}

/// Reading of times.
enum TimeWord {
  private static let units: [(name: String, nanoseconds: UInt64)] = [
    ("ns", 1), ("us", 1000), ("ms", 1_000_000), ("s", 1_000_000_000),
  ]

  /// Nanoseconds of `10ms`, `2.5s`.
  static func nanoseconds(_ word: String) throws(MonitorError) -> UInt64 {
    let digits = word.prefix { $0.isNumber || $0 == "." }
    guard let unit = units.first(where: { $0.name == word.dropFirst(digits.count) }), let value = Double(digits),
      value * Double(unit.nanoseconds) <= 1e18
    else {
      throw .refused("'\(word)' is no time; write 500ns, 10us, 10ms or 2.5s, behind '@' for a time since the start")
    }
    return UInt64((value * Double(unit.nanoseconds)).rounded())
  }
}
