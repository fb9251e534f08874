// EasyDMA of the nRF52: a buffer in memory that a peripheral reads or fills by itself.
//
// Source: nRF52840 Product Specification v1.7, section 4.7 "EasyDMA". The registers are PTR, MAXCNT and AMOUNT.

import Bits
import Bus

/// A buffer, and how much of it was used.
struct NordicBuffer: Codable, Sendable, Equatable {
  var pointer: UInt32 = 0
  /// MAXCNT, in bytes.
  var count: UInt32 = 0
  /// AMOUNT, in bytes.
  var amount: UInt32 = 0

  /// The bytes of the whole buffer. EasyDMA reaches memory only.
  func read(_ context: DeviceContext) -> [UInt8] {
    let bytes = (0..<count).map { context.readMemory(UInt64(pointer &+ $0), size: 1) }
    if bytes.contains(nil) { refuse("from", context) }
    return bytes.map { UInt8(truncatingIfNeeded: $0 ?? 0) }
  }

  /// Writes bytes into the buffer, the first at `start`. The buffer is a copy: whoever owns it counts them.
  func write(_ bytes: [UInt8], at start: UInt32 = 0, _ context: DeviceContext) {
    var isWhole = true
    for (index, byte) in bytes.enumerated() {
      let address = UInt64(pointer &+ start &+ UInt32(truncatingIfNeeded: index))
      if !context.writeMemory(address, size: 1, UInt64(byte)) { isWhole = false }
    }
    if !isWhole { refuse("to", context) }
  }

  private func refuse(_ direction: String, _ context: DeviceContext) {
    context.log(
      .guestError, "EasyDMA \(direction) \(UInt64(pointer).hex0x()), \(count) bytes: not all of that is RAM")
  }
}

extension DeviceRegister {
  /// The registers of a buffer.
  static func buffer(
    _ name: String, _ offset: UInt64, _ path: ReferenceWritableKeyPath<Owner, NordicBuffer> & Sendable
  ) -> [Self] {
    [
      Self(name + ".PTR", offset)
        .onRead { $0[keyPath: path].pointer }.onWrite { $0[keyPath: path].pointer = $1 },
      Self(name + ".MAXCNT", offset + 4, [.field("MAXCNT", 0..<16)])
        .onRead { $0[keyPath: path].count }.onWrite { $0[keyPath: path].count = $1 },
      Self(name + ".AMOUNT", offset + 8, .readOnly).onRead { $0[keyPath: path].amount },
    ]
  }
}
