// Clocks that a clock controller changes: how fast one runs now, how often it has ticked, and who is told of a change.

/// How a clock runs: it had ticked `ticks` times at `since`, and has had this frequency from then on.
public struct ClockPhase: Codable, Sendable, Equatable {
  /// Hz; 0 while it stands.
  public var frequency: UInt64
  public var ticks: UInt64 = 0
  /// Nanoseconds of the virtual clock.
  public var since: UInt64 = 0

  public init(frequency: UInt64) { self.frequency = frequency }

  /// How often it has ticked at `now` (ns).
  public func ticks(at now: UInt64) -> UInt64 {
    ticks &+ VirtualClock.ticks(nanoseconds: now &- min(since, now), frequency: frequency)
  }

  /// The first time (ns) at which it has ticked `tick` times; `UInt64.max` if never.
  public func time(of tick: UInt64) -> UInt64 {
    guard tick > ticks else { return since }
    let (time, overflow) = since.addingReportingOverflow(
      VirtualClock.nanoseconds(ticks: tick - ticks, frequency: frequency))
    return overflow ? .max : time
  }
}

/// One clock of a board. It never ticks backwards, and goes on from where it is when its frequency changes, so that a
/// counter driven by it is a difference of ticks.
public final class ClockSignal {
  private let clock: VirtualClock
  public private(set) var phase: ClockPhase
  /// Whether a clock controller decides about it.
  public private(set) var isDriven = false
  private var listeners: [() -> Void] = []

  public init(_ clock: VirtualClock, frequency: UInt64) {
    self.clock = clock
    phase = ClockPhase(frequency: frequency)
  }

  /// Hz; 0 while it stands.
  public var frequency: UInt64 { phase.frequency }
  /// How often it has ticked.
  public var ticks: UInt64 { phase.ticks(at: clock.now) }
  /// The first time (ns) at which it has ticked `tick` times; `UInt64.max` if never.
  public func time(of tick: UInt64) -> UInt64 { phase.time(of: tick) }

  /// Its controller gives it another frequency, from now on.
  public func drive(_ frequency: UInt64) {
    isDriven = true
    guard frequency != phase.frequency else { return }
    (phase.ticks, phase.since, phase.frequency) = (ticks, clock.now, frequency)
    for listener in listeners { listener() }
  }

  /// What it has where no controller decides about it.
  public func provide(_ frequency: UInt64) { if !isDriven { phase = ClockPhase(frequency: frequency) } }

  /// Its controller takes over a snapshot. What listeners have scheduled is part of the snapshot, too.
  public func restore(_ phase: ClockPhase) { self.phase = phase }

  /// Has `listener`, as long as it lives, told of each change of the frequency: what it has scheduled comes at another
  /// time.
  public func listen<Listener: AnyObject>(_ listener: Listener, _ body: @escaping (Listener) -> Void) {
    listeners.append { [weak listener] in if let listener { body(listener) } }
  }
}

/// The clocks of a board, by name. Devices look them up when they are made, in any order: whoever asks first makes a
/// signal, and its controller drives it.
public final class ClockTree {
  private let clock: VirtualClock
  private var signals: [String: ClockSignal] = [:]
  /// The CPU's.
  public let cpu: ClockSignal
  /// What SysTick counts with CLKSOURCE 0; it stands where there is no such clock.
  public let reference: ClockSignal
  /// SYST_CALIB: its TENMS, ticks of ``reference`` in the time that the chip's manual names, and SKEW.
  public var calibration: UInt32 = 0

  public init(_ clock: VirtualClock) {
    self.clock = clock
    cpu = ClockSignal(clock, frequency: 1_000_000_000 / clock.nanosecondsPerInstruction)
    reference = ClockSignal(clock, frequency: 0)
  }

  /// The clock of this name: the path of a node, and behind a colon which of its clocks.
  /// - Parameter standard: its frequency (Hz) where no controller drives it.
  public func signal(_ name: String, _ standard: UInt64 = 0) -> ClockSignal {
    if let signal = signals[name] { return signal }
    let signal = ClockSignal(clock, frequency: standard)
    signals[name] = signal
    return signal
  }
}

extension DeviceContext {
  /// The clock that the first entry of the node's `clocks` leads to: that node's fixed frequency, unless a controller
  /// drives it; the CPU's where there is none.
  public var clockInput: ClockSignal {
    guard let node = node.u32("clocks").flatMap({ node.node(phandle: $0) }), let fixed = node.u64("clock-frequency")
    else {
      return clocks.cpu
    }
    return clocks.signal(node.path, max(1, fixed))
  }
}
