// The non-volatile memory controller of the nRF51 and nRF52, with the flash memory it writes and erases, and the UICR,
// which is a page of it.
//
// Source: nRF51 Series Reference Manual v3.0, chapter 6; nRF52840 Product Specification v1.7, section 4.3. Writing and
// erasing take no time.

import Bits
import Bus

public final class NordicFlashController: RegisterDevice, FlashController {
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
  public let table: RegisterTable<NordicFlashController> = [
    Register("READY", 0x400, .readOnly, reset: 1), Register("READYNEXT", 0x408, .readOnly, reset: 1),
    Register("CONFIG", 0x504, [.field("WEN", 0..<2)]).onRead(\.state.configuration).onWrite {
      $0.state.configuration = $1
    },
    Register("ERASEPAGE", 0x508).erasing { $0.erase(at: UInt64($1)) },
    Register("ERASEALL", 0x50C).erasing { if $1.has(0) { $0.eraseAll() } },
    Register("ERASEPCR0", 0x510).erasing { $0.erase(at: UInt64($1)) },
    Register("ERASEUICR", 0x514).erasing { if $1.has(0) { $0.erase(at: 0x1000_1000) } },
    Register("ERASEPAGEPARTIAL", 0x518).erasing { $0.erasePartially(at: UInt64($1)) },
    Register("ERASEPAGEPARTIALCFG", 0x51C, reset: 10, [.field("DURATION", 0..<7)]).onRead(\.state.partialTime).onWrite {
      $0.state.partialTime = $1
    },
    Register("ICACHECNF", 0x540, [.field("CACHEEN", 0), .field("CACHEPROFEN", 8)]).onRead(\.state.cache).onWrite {
      $0.state.cache = $1
    },
    Register("IHIT", 0x548, .readOnly), Register("IMISS", 0x54C, .readOnly),
  ]
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) { self.context = context }

  func permits(_ store: FlashStore) -> Bool { state.configuration == 1 }

  /// Flash is written by words: nRF51 Series Reference Manual, section 6.1; nRF52840 Product Specification, 4.3.1.
  func refuses(size: Int) -> Bool { size < 4 }

  fileprivate func erase(at address: UInt64) {
    guard let flash = context.directory.device(at: address, in: context.space) as? FlashMemory else {
      return context.log(.guestError, "ERASEPAGE of \(address.hex0x()), where there is no flash")
    }
    flash.erase(at: address)
  }

  /// A page is erased when its partial erases come to the 85 ms of a whole one.
  fileprivate func erasePartially(at address: UInt64) {
    if address != state.partialAddress { (state.partialAddress, state.partialDone) = (address, 0) }
    state.partialDone += state.partialTime
    guard state.partialDone >= 85 else { return }
    state.partialDone = 0
    erase(at: address)
  }

  fileprivate func eraseAll() {
    for region in context.space.regions {
      if case .romDevice(_, let target, _) = region.backing, let flash = target as? FlashMemory { flash.eraseAll() }
    }
  }

  public func reset(_ cause: ResetCause) { state = State() }
}

extension DeviceRegister<NordicFlashController> {
  /// Writes have an effect while CONFIG enables erasing.
  fileprivate func erasing(_ erase: @escaping @Sendable (NordicFlashController, UInt32) -> Void) -> Self {
    onWrite { device, value in if device.state.configuration == 2 { erase(device, value) } }
  }
}
