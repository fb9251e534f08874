// What a device model is: a class on the bus whose whole condition is one value.

import Bits

/// A device model.
///
/// It is made from a devicetree node, answers accesses to the node's `reg` regions (index = position in `reg`), drives
/// the interrupt lines of the node, and keeps everything that changes in `state`, so that a snapshot is a copy.
public protocol Device: MMIOTarget, SendableMetatype {
  associatedtype State: Codable & Sendable & Equatable

  /// The `compatible` strings this model serves.
  static var compatible: [String] { get }

  /// `compatible` strings of nodes that describe a part of this device; they get no device of their own.
  static var absorbs: [String] { get }

  var context: DeviceContext { get }
  var state: State { get set }
  /// Where the device answers, the node's `reg` unless it knows better.
  var regions: [AddressRange] { get }
  /// The declared registers of each region; regions past the end of the list have none.
  var registers: [RegisterMap] { get }

  init(context: DeviceContext) throws(DeviceError)

  /// Memory that answers direct reads of a region, for a flash or a frame buffer; nil for plain registers.
  func memory(region: Int) -> RAMRegion?
  /// Bytes of the blocks that such memory is erased by, if it is flash memory; it starts with a whole block.
  func eraseBlockSize(region: Int) -> UInt64?
  /// What a person would see of it, such as a display's picture, as lines of text for `info device`.
  var view: [String] { get }
  /// Back to the state after power-on, but for what outlives a reset of this cause; interrupt lines and events likewise.
  /// Memory keeps its contents.
  func reset(_ cause: ResetCause)
  /// A scheduled event is due.
  func event(_ token: UInt64)
  /// `state` as bytes; equal states give equal bytes.
  func saveState() throws(SnapshotError) -> [UInt8]
  /// Takes over a saved state. Does not drive interrupt lines or schedule: both are part of the snapshot themselves.
  func restoreState(_ bytes: [UInt8]) throws(SnapshotError)
}

/// A device that takes characters from the host.
public protocol CharacterDevice: Device {
  /// Characters arrived; they wait in the device's state until the guest takes them.
  func receive(_ bytes: [UInt8])
  /// The run is at its end: what the guest has handed over and the device has not sent yet goes out.
  func drain()
}

extension CharacterDevice {
  public func drain() {}
}

/// A device with a slot for a ``Medium``.
public protocol StorageDevice: Device {}

/// A device that a devicetree node describes wrongly.
public enum DeviceError: Error, Equatable, Sendable, CustomStringConvertible {
  case missingRegion(device: String, index: Int)
  case missingProperty(device: String, property: String)
  case badProperty(device: String, property: String, reason: String)
  case memory(device: String, MemoryError)

  public var description: String {
    switch self {
    case .missingRegion(let device, let index): "\(device): 'reg' has no entry \(index)"
    case .missingProperty(let device, let property): "\(device): property '\(property)' is missing"
    case .badProperty(let device, let property, let reason): "\(device): property '\(property)': \(reason)"
    case .memory(let device, let error): "\(device): \(error)"
    }
  }
}

extension Device {
  public static var absorbs: [String] { [] }
  public var regions: [AddressRange] { context.node.regions }
  public var registers: [RegisterMap] { [] }
  public func memory(region: Int) -> RAMRegion? { nil }
  public func eraseBlockSize(region: Int) -> UInt64? { nil }
  public func event(_ token: UInt64) {}
  public var view: [String] { [] }

  public func saveState() throws(SnapshotError) -> [UInt8] { try encodeSnapshot(state) }
  public func restoreState(_ bytes: [UInt8]) throws(SnapshotError) {
    state = try decodeSnapshot(State.self, from: bytes)
  }

  /// Reads a declared register that has no side effect on reading; nil elsewhere.
  public func peek(region: Int, offset: UInt64, size: Int) -> UInt64? {
    let maps = registers
    guard region < maps.count, let place = maps[region].find(offset, isWrite: false) else { return nil }
    return maps[region].registers[place.number].sideEffectOnRead
      ? nil : read(region: region, offset: offset, size: size)
  }

  /// The registers with their values as lines of text, for `info device`.
  public func registerDump() -> [String] {
    var lines: [String] = []
    for (region, map) in registers.enumerated() {
      for register in map.registers {
        for index in 0..<min(register.count, 64) where register.access != .writeOnly {
          let offset = register.offset + UInt64(index) * register.stride
          let value = peek(region: region, offset: offset, size: register.width)
          if register.count > 8, value == register.resetValue { continue }
          lines.append(register.line(index: index, value: value))
        }
      }
    }
    return lines
  }
}

extension RegisterInfo {
  /// One line: name, value, and the fields that are not zero.
  func line(index: Int, value: UInt64?) -> String {
    let label = name(at: index)
    let padded = label + String(repeating: " ", count: max(1, 16 - label.count))
    guard let value else { return padded + "(reading has a side effect)" }
    let parts = fields.filter { $0.kind != .reserved && value.bits($0.bits) != 0 }.map { field in
      field.bits.count == 1 ? field.name : "\(field.name)=\(value.bits(field.bits).hex0x())"
    }
    return padded + value.hex0x(digits: 2 * width) + (parts.isEmpty ? "" : "  " + parts.joined(separator: " "))
  }
}
