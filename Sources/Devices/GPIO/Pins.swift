// Pins of one device that another hangs on: chip selects, and inputs such as a display's that tells data from commands.

import Bus

/// A controller of general-purpose pins.
protocol PinController: AnyObject {
  /// The level of a pin, whoever drives it; nil while it belongs to another peripheral of the chip.
  func level(ofPin number: Int) -> Bool?
}

/// A device that must see every change of a pin, however short.
protocol PinFollower: AnyObject {
  /// Pins of some controller have changed.
  func pinsChanged()
}

/// A pin that a device is connected to.
struct Pin {
  /// The board holds all its devices as long as any of them runs.
  private unowned let controller: any PinController
  private let number: Int
  private let isActiveLow: Bool

  /// The connections that a property such as `cs-gpios` lists, nil for each that is left open (`<0>`). To be called once
  /// all devices are made.
  static func list(_ property: String, of context: DeviceContext) -> [Pin?] {
    let cells = context.node.cells(property) ?? []
    var pins: [Pin?] = []
    var position = 0
    while position < cells.count {
      guard let node = context.node.node(phandle: cells[position]) else {
        pins.append(nil)
        position += 1
        continue
      }
      let count = Int(min(node.u32("#gpio-cells") ?? 2, 16))
      let specifier = cells.dropFirst(position + 1).prefix(count)
      position += 1 + count
      guard let controller = context.directory[node.path] as? any PinController, let number = specifier.first else {
        pins.append(nil)
        continue
      }
      // The flags' lowest bit is GPIO_ACTIVE_LOW.
      let flags = specifier.dropFirst().first ?? 0
      pins.append(Pin(controller: controller, number: Int(number), isActiveLow: flags & 1 != 0))
    }
    return pins
  }

  /// Whether the pin is at its active level; nil while it belongs to another peripheral.
  var isActive: Bool? { controller.level(ofPin: number).map { $0 != isActiveLow } }
}

/// The devices that follow a controller's pins.
struct PinFollowers {
  private struct Follower {
    unowned let device: any PinFollower
  }
  private let followers: [Follower]

  init(_ directory: DeviceDirectory) {
    followers = directory.all.compactMap { $0 as? any PinFollower }.map(Follower.init)
  }

  func pinsChanged() { for follower in followers { follower.device.pinsChanged() } }
}
