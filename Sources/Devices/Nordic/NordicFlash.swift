// The non-volatile memory controller of the nRF51 and nRF52, with the flash memory it writes and erases, and the UICR,
// which is a page of it.
//
// Source: nRF51 Series Reference Manual v3.0, chapter 6; nRF52840 Product Specification v1.7, section 4.3. Writing and
// erasing take no time.

import Bits
import Bus

public final class NordicFlashController: Device, FlashController {
  public static var compatible: [String] {
    ["nordic,nrf51-flash-controller", "nordic,nrf52-flash-controller"]
  }

  public struct State: Codable, Sendable, Equatable {
    /// 0 read only, 1 writing enabled, 2 erasing enabled.
    var configuration: UInt32 = 0
    /// Milliseconds of a partial erase, and how many of the address have passed.
    var partialTime: UInt32 = 10
    var partialAddress: UInt64 = 0
    var partialDone: UInt32 = 0
    /// ICACHECNF, which has no effect.
    var cache: UInt32 = 0
  }

  public let context: DeviceContext
  public var state = State()
  public let registers = [
    RegisterMap([
      Register("READY", 0x400, .readOnly), Register("READYNEXT", 0x408, .readOnly), Register("CONFIG", 0x504),
      Register("ERASEPAGE", 0x508), Register("ERASEALL", 0x50C), Register("ERASEPCR0", 0x510),
      Register("ERASEUICR", 0x514), Register("ERASEPAGEPARTIAL", 0x518), Register("ERASEPAGEPARTIALCFG", 0x51C),
      Register("ICACHECNF", 0x540), Register("IHIT", 0x548, .readOnly), Register("IMISS", 0x54C, .readOnly),
    ])
  ]
  private var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) { self.context = context }

  func permits(_ store: FlashStore) -> Bool { state.configuration == 1 }

  /// Flash is written by words: nRF51 Series Reference Manual, section 6.1; nRF52840 Product Specification, 4.3.1.
  func refuses(size: Int) -> Bool { size < 4 }

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    switch offset {
    case 0x400, 0x408: return 1
    case 0x504: return UInt64(state.configuration)
    case 0x508...0x518, 0x548, 0x54C: return 0
    case 0x51C: return UInt64(state.partialTime)
    case 0x540: return UInt64(state.cache)
    default:
      unimplemented.unknown(offset: offset, isWrite: false, of: context)
      return 0
    }
  }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    switch offset {
    case 0x504: state.configuration = UInt32(truncatingIfNeeded: value & 3)
    case 0x508, 0x510: if state.configuration == 2 { erase(at: value) }
    case 0x50C: if state.configuration == 2, value & 1 != 0 { eraseAll() }
    case 0x518: if state.configuration == 2 { erasePartially(at: value) }
    case 0x51C: state.partialTime = UInt32(truncatingIfNeeded: value & 0x7F)
    case 0x540: state.cache = UInt32(truncatingIfNeeded: value & 0x101)
    case 0x514: if state.configuration == 2, value & 1 != 0 { erase(at: 0x1000_1000) }
    default: unimplemented.unknown(offset: offset, isWrite: true, of: context)
    }
  }

  private func erase(at address: UInt64) {
    guard let flash = context.directory.device(at: address, in: context.space) as? FlashMemory else {
      return context.log(.guestError, "ERASEPAGE of \(address.hex0x()), where there is no flash")
    }
    flash.erase(at: address)
  }

  /// A page is erased when its partial erases come to the 85 ms of a whole one.
  private func erasePartially(at address: UInt64) {
    if address != state.partialAddress { (state.partialAddress, state.partialDone) = (address, 0) }
    state.partialDone += state.partialTime
    guard state.partialDone >= 85 else { return }
    state.partialDone = 0
    erase(at: address)
  }

  private func eraseAll() {
    for region in context.space.regions {
      if case .romDevice(_, let target, _) = region.backing, let flash = target as? FlashMemory { flash.eraseAll() }
    }
  }

  public func reset(_ cause: ResetCause) { state = State() }
}
