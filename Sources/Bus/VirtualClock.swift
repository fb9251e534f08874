// Guest time: nanoseconds that pass as instructions are executed, never as the host's clock runs.

/// A counter that runs with the virtual clock, at its own frequency: what CPUs show as the time.
public struct PlatformCounter: Sendable, Equatable {
  /// Hz
  public var frequency: UInt64
  /// Ticks it is ahead of one that started at 0 with the clock.
  public var offset: UInt64

  public init(frequency: UInt64, offset: UInt64 = 0) {
    self.frequency = frequency
    self.offset = offset
  }
}

/// The time base of a machine. Its owner advances it; devices only read it.
@safe
public final class VirtualClock {
  /// The CPUs' counter; nil: they show nanoseconds. The device that keeps it sets it.
  public var counter: PlatformCounter? { didSet { didChangeCounter?() } }
  /// Called when `counter` was set.
  public var didChangeCounter: (() -> Void)?
  /// Nanoseconds since the machine was switched on. Exact whenever a device is called.
  public var now: UInt64 {
    @inline(__always)
    get { unsafe time.pointee }
    @inline(__always)
    set { unsafe time.pointee = newValue }
  }
  /// In memory of its own: it is set before each access to a device, where checks for overlapping accesses would show.
  private let time: UnsafeMutablePointer<UInt64>
  /// How long one instruction takes.
  public let nanosecondsPerInstruction: UInt64

  public init(now: UInt64 = 0, nanosecondsPerInstruction: UInt64 = 10) {
    unsafe time = .allocate(capacity: 1)
    unsafe time.initialize(to: now)
    self.nanosecondsPerInstruction = max(1, nanosecondsPerInstruction)
  }

  deinit { unsafe time.deallocate() }

  /// Lets the time of `count` instructions pass.
  public func advance(instructions count: UInt64) { now &+= count &* nanosecondsPerInstruction }

  /// How many instructions may run before `deadline` (ns) is reached: 0 when it has passed.
  public func instructions(until deadline: UInt64) -> UInt64 {
    guard deadline > now else { return 0 }
    let distance = deadline - now
    return distance / nanosecondsPerInstruction + (distance % nanosecondsPerInstruction == 0 ? 0 : 1)
  }

  /// `now` in ticks of a counter of `frequency` Hz that started at 0.
  public func ticks(frequency: UInt64) -> UInt64 { Self.ticks(nanoseconds: now, frequency: frequency) }

  /// A time in ticks of a counter of `frequency` Hz; `UInt64.max` if there are more.
  public static func ticks(nanoseconds: UInt64, frequency: UInt64) -> UInt64 {
    let product = nanoseconds.multipliedFullWidth(by: frequency)
    guard product.high < 1_000_000_000 else { return .max }
    return UInt64(1_000_000_000).dividingFullWidth(product).quotient
  }

  /// The first time (ns) at which a counter of `frequency` Hz that started at 0 shows `ticks`; `UInt64.max` if never.
  public static func nanoseconds(ticks: UInt64, frequency: UInt64) -> UInt64 {
    let product = ticks.multipliedFullWidth(by: 1_000_000_000)
    guard frequency > 0, product.high < frequency else { return .max }
    let (quotient, remainder) = frequency.dividingFullWidth(product)
    return remainder == 0 || quotient == .max ? quotient : quotient + 1
  }
}
