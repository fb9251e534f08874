// What stands on an SPI bus, as its controller sees it.

import Bus

/// A device on an SPI bus: its node stands below its controller's, with the number of its chip select in `reg`.
public protocol SPIPeripheral: Device {
  /// Whether its chip select is active, as far as it was told.
  var isSelected: Bool { get }
  /// Its chip select has changed.
  func select(_ isSelected: Bool)
  /// While it is selected, a byte goes in each direction at once.
  func exchange(_ byte: UInt8) -> UInt8
}

/// The peripherals of a controller and their chip selects: pins that the controller's `cs-gpios` lists, or else the
/// controller's own. To be made once all devices are.
struct SPIBus {
  private struct Slot {
    let peripheral: any SPIPeripheral
    let chipSelect: Pin?
  }
  private let slots: [Slot]

  init(of controller: some Device) {
    let pins = Pin.list("cs-gpios", of: controller.context)
    slots = controller.context.directory.attached(to: controller).compactMap { device in
      guard let peripheral = device as? any SPIPeripheral else { return nil }
      let number = Int(peripheral.context.node.u32("reg") ?? 0)
      return Slot(peripheral: peripheral, chipSelect: pins.indices.contains(number) ? pins[number] : nil)
    }
  }

  var isEmpty: Bool { slots.isEmpty }

  /// Lets every peripheral see its chip select. `native` says whether the controller's own is active, which counts where
  /// no pin is connected, or the pin is the controller's at present.
  func updateSelection(native: Bool) {
    for slot in slots {
      let isSelected = slot.chipSelect?.isActive ?? native
      if isSelected != slot.peripheral.isSelected { slot.peripheral.select(isSelected) }
    }
  }

  /// Exchanges a frame of `bits` bits, its bytes in order, with all that is selected. What nothing drives reads as ones.
  func exchange(_ frame: UInt32, bits: Int) -> UInt32 {
    var received: UInt32 = 0
    // Frames that are no whole bytes begin with the missing bits at 0.
    for shift in stride(from: UInt32(max(bits, 1) - 1) / 8 * 8, through: 0, by: -8) {
      let byte = UInt8(truncatingIfNeeded: frame >> shift)
      var answer: UInt8 = 0xFF
      for slot in slots where slot.peripheral.isSelected { answer &= slot.peripheral.exchange(byte) }
      received = received << 8 | UInt32(answer)
    }
    return received & (1 << UInt32(bits) &- 1)
  }
}
