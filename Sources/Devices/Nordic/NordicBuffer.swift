/// EasyDMA of the nRF52: a buffer in memory that a peripheral reads or fills by itself.
///
/// Source: nRF52840 Product Specification v1.7, section 4.7 "EasyDMA". The registers are PTR, MAXCNT and AMOUNT.
import Bits
import Bus

/// A buffer, and how much of it was used.
struct NordicBuffer: Codable, Sendable, Equatable {
  var pointer: UInt32 = 0
  /// MAXCNT, in bytes.
  var count: UInt32 = 0
  /// AMOUNT, in bytes.
  var amount: UInt32 = 0

  static func declare(_ name: String, _ offset: UInt64) -> [Register] {
    [
      Register(name + ".PTR", offset), Register(name + ".MAXCNT", offset + 4, [.field("MAXCNT", 0..<16)]),
      Register(name + ".AMOUNT", offset + 8, .readOnly),
    ]
  }

  /// A register by its offset from PTR.
  subscript(offset: UInt64) -> UInt32 {
    get { offset == 0 ? pointer : offset == 4 ? count : amount }
    set { if offset == 0 { pointer = newValue } else if offset == 4 { count = newValue & 0xFFFF } }
  }

  /// The bytes of the whole buffer.
  func read(_ context: DeviceContext) -> [UInt8] {
    (0..<count).map { index in
      do throws(BusError) {
        return UInt8(truncatingIfNeeded: try context.space.read(UInt64(pointer &+ index), size: 1))
      } catch {
        if index == 0 { context.log(.guestError, "EasyDMA from \(UInt64(pointer).hex0x()): \(error)") }
        return 0
      }
    }
  }

  /// Puts one more byte into the buffer.
  mutating func append(_ byte: UInt8, _ context: DeviceContext) {
    do throws(BusError) {
      try context.space.write(UInt64(pointer &+ amount), size: 1, UInt64(byte))
    } catch {
      context.log(.guestError, "EasyDMA to \(UInt64(pointer &+ amount).hex0x()): \(error)")
    }
    amount += 1
  }
}
