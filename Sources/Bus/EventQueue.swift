// What devices have asked to be woken for, in an order that depends on nothing but time and request.

/// A wake-up call: at `time` (ns of the virtual clock) device `device` gets `event(token)`.
public struct Event: Codable, Sendable, Equatable {
  public let time: UInt64
  /// Orders events of the same time: the one asked for first comes first.
  public let sequence: UInt64
  public let device: Int
  public let token: UInt64
}

/// The pending events of a machine.
///
/// Kept sorted, latest first, so that two queues with the same events are equal however they came to be.
public final class EventQueue {
  /// Everything a snapshot needs.
  public struct State: Codable, Sendable, Equatable {
    public fileprivate(set) var events: [Event] = []
    fileprivate var nextSequence: UInt64 = 0
    /// No events.
    public init() {}
  }

  public private(set) var state = State()
  /// Called when `nextDeadline` became earlier, so that a running CPU can be given a shorter budget.
  public var didMoveDeadline: (() -> Void)?

  public init() {}

  /// The time of the first event; `UInt64.max` when there is none.
  public var nextDeadline: UInt64 { state.events.last?.time ?? .max }

  /// Adds an event; returns its sequence number.
  @discardableResult
  public func schedule(at time: UInt64, device: Int, token: UInt64) -> UInt64 {
    let sequence = state.nextSequence
    state.nextSequence += 1
    let before = nextDeadline
    var low = 0
    var high = state.events.count
    while low < high {
      let middle = (low + high) / 2
      if state.events[middle].time > time { low = middle + 1 } else { high = middle }
    }
    state.events.insert(Event(time: time, sequence: sequence, device: device, token: token), at: low)
    if time < before { didMoveDeadline?() }
    return sequence
  }

  /// Removes the events of a device with this token; returns whether there were any.
  @discardableResult
  public func cancel(device: Int, token: UInt64) -> Bool {
    let before = state.events.count
    state.events.removeAll { $0.device == device && $0.token == token }
    return state.events.count != before
  }

  /// Removes and returns the first event that is due at `now`.
  public func popDue(at now: UInt64) -> Event? {
    guard let first = state.events.last, first.time <= now else { return nil }
    state.events.removeLast()
    return first
  }

  /// Replaces all events by those of a snapshot.
  public func restore(_ state: State) {
    self.state = state
    didMoveDeadline?()
  }
}
