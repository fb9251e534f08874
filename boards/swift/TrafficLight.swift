// Owns the state machine: a traffic light with a button for pedestrians.

enum Phase: UInt8 {
  case red, redAmber, green, amber
}

struct TrafficLight {
  /// Ticks until the phase changes.
  private(set) var remaining: UInt32 = 300
  /// How often the phase has changed.
  private(set) var changes: UInt32 = 0
  private(set) var phase = Phase.red
  /// A pedestrian waits: green ends early.
  private(set) var isRequested = false

  /// A hundredth of a second has passed. Returns whether the phase changed.
  mutating func tick() -> Bool {
    remaining -= 1
    if phase == .green, isRequested, remaining > 50 { remaining = 50 }
    if remaining == 0 { advance() }
    return remaining == duration(of: phase)
  }

  mutating func request() { isRequested = true }

  private mutating func advance() {
    switch phase {
    case .red: phase = .redAmber
    case .redAmber: phase = .green
    case .green: phase = .amber
    case .amber:
      phase = .red
      isRequested = false
    }
    remaining = duration(of: phase)
    changes += 1
  }

  private func duration(of phase: Phase) -> UInt32 {
    switch phase {
    case .red: 300
    case .redAmber: 100
    case .green: 400
    case .amber: 150
    }
  }
}
