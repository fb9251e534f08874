// The bit-band alias regions of Cortex-M3 and Cortex-M4: each word is a bit of the memory or peripherals elsewhere.
//
// Source: Cortex-M4 Technical Reference Manual (DDI 0439), section 3.7. `martlet,target` is the address of the first bit;
// a write reads, changes and writes the word there.

import Bits
import Bus

public final class BitBand: Device {
  public static var compatible: [String] { ["martlet,bit-band"] }

  public struct State: Codable, Sendable, Equatable {}

  public let context: DeviceContext
  public var state = State()
  private let target: UInt64

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    guard let target = context.node.u32("martlet,target") else {
      throw .missingProperty(device: context.node.name, property: "martlet,target")
    }
    self.context = context
    self.target = UInt64(target)
  }

  /// The word that an alias address leads to, and the bit in it. Nil where the board leads to single bits again, which
  /// might go round in a circle.
  private func place(_ offset: UInt64) -> (address: UInt64, bit: UInt64)? {
    let address = target + offset / 128 * 4
    guard !(context.directory.device(at: address, in: context.space) is BitBand) else { return nil }
    return (address, offset / 4 % 32)
  }

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    guard let place = place(offset) else { return 0 }
    context.space.willTransfer?(place.address, 4, false)
    do throws(BusError) {
      return try context.space.read(place.address, size: 4) >> place.bit & 1
    } catch {
      context.log(.guestError, "read of a bit: \(error)")
      return 0
    }
  }

  public func peek(region: Int, offset: UInt64, size: Int) -> UInt64? {
    place(offset).flatMap { place in context.space.peek(place.address, size: 4).map { $0 >> place.bit & 1 } }
  }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    guard let place = place(offset) else { return }
    context.space.willTransfer?(place.address, 4, true)
    do throws(BusError) {
      let word = try context.space.read(place.address, size: 4) & ~(1 << place.bit)
      try context.space.write(place.address, size: 4, word | (value & 1) << place.bit)
    } catch {
      context.log(.guestError, "write of a bit: \(error)")
    }
  }

  public func reset(_ cause: ResetCause) {}
}
