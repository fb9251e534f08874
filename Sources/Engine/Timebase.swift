// Owns the way from a vCPU's time, in ticks, to the platform's counter.

import Bus

/// The platform's counter as a function of ticks: `ticks * numerator / denominator + offset`.
struct Timebase {
  private let numerator: UInt64
  private let denominator: UInt64
  private let offset: UInt64

  /// - Parameter counter: nil for a counter of nanoseconds.
  init(_ counter: PlatformCounter?, nanosecondsPerTick: UInt64) {
    let second: UInt64 = 1_000_000_000
    let product = nanosecondsPerTick.multipliedReportingOverflow(by: counter?.frequency ?? second)
    precondition(!product.overflow, "a counter runs at up to 1 GHz")
    let divisor = Self.commonDivisor(product.partialValue, second)
    numerator = product.partialValue / divisor
    denominator = second / divisor
    offset = counter?.offset ?? 0
  }

  private static func commonDivisor(_ a: UInt64, _ b: UInt64) -> UInt64 { b == 0 ? max(a, 1) : commonDivisor(b, a % b) }

  func count(at ticks: UInt64) -> UInt64 {
    let product = ticks.multipliedFullWidth(by: numerator)
    if product.high == 0 { return product.low / denominator &+ offset }
    guard product.high < denominator else { return .max }
    return denominator.dividingFullWidth(product).quotient &+ offset
  }
}
