// What stands on an I²C bus, as its controller sees it.

import Bus

/// A target on an I²C bus: a device of its own, whose node stands below its controller's.
protocol I2CTarget: AnyObject {
  /// Seven bits.
  var address: UInt32 { get }
  /// It was addressed, after a start or a repeated start.
  func start(isRead: Bool)
  /// A byte for it; returns whether it acknowledges.
  func write(_ byte: UInt8) -> Bool
  /// The next byte from it.
  func read() -> UInt8
  /// The transfer is over.
  func stop()
}

extension Device {
  /// The target below this controller that answers to an address.
  func target(at address: UInt32) -> (any I2CTarget)? {
    context.directory.attached(to: self).lazy.compactMap { $0 as? any I2CTarget }.first { $0.address == address }
  }
}
