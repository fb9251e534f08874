// Devices made of declared registers, and the table that leads accesses to the rows.

import Bits

/// A device with one region of declared registers.
public protocol RegisterDevice: Device {
  var table: RegisterTable<Self> { get }
  /// What the guest has been found to miss.
  var unimplemented: UnimplementedLog { get set }

  /// The value of a register without a row's own storage; nil: what it resets to.
  /// - Parameter offset: of the register's first byte.
  func held(at offset: UInt64) -> UInt32?
  func hold(_ value: UInt32, at offset: UInt64)

  /// Brings the state up to now, before the guest reads a register.
  func prepareRead()
  /// Carries a write by the guest out: the place for what surrounds every write, such as driving the interrupt lines.
  func performWrite(_ write: () -> Void)
}

extension RegisterDevice {
  /// The registers of a device are declared as its own.
  public typealias Register = DeviceRegister<Self>
  public typealias Registers = [DeviceRegister<Self>]

  public var registers: [RegisterMap] { [table.map] }
  public func held(at offset: UInt64) -> UInt32? { nil }
  public func hold(_ value: UInt32, at offset: UInt64) {}
  @inlinable public func prepareRead() {}
  @inlinable public func performWrite(_ write: () -> Void) { write() }

  @inlinable
  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 { table.read(self, offset, size: size) }

  public func peek(region: Int, offset: UInt64, size: Int) -> UInt64? {
    region == 0 ? table.peek(self, offset, size: size) : nil
  }

  @inlinable
  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    table.write(self, offset, size: size, value)
  }
}

/// The registers of one region with their behaviour.
public final class RegisterTable<Owner: RegisterDevice>: ExpressibleByArrayLiteral, Sendable {
  public let map: RegisterMap
  @usableFromInline let rows: [Row]
  /// Offsets without registers where reads give zero and writes are ignored by design: nothing is logged.
  private let reserved: [Range<UInt64>]

  /// What an access needs of a row.
  @usableFromInline struct Row: Sendable {
    @usableFromInline let reader: (@Sendable (Owner, Int) -> UInt64)?
    @usableFromInline let readEffect: (@Sendable (Owner, Int) -> Void)?
    @usableFromInline let writer: (@Sendable (Owner, UInt64, Int) -> Void)?
    @usableFromInline let width: Int
    /// The bits of its width.
    @usableFromInline let bits: UInt64
    @usableFromInline let resetValue: UInt64
    /// The bits that can be written.
    @usableFromInline let mask: UInt64
    @usableFromInline let unimplemented: UInt64
    let completesWithValue: Bool
    let isDestructive: Bool

    init(_ row: DeviceRegister<Owner>, _ description: RegisterInfo) {
      (reader, readEffect, writer) = (row.reader, row.readEffect, row.writer)
      (completesWithValue, isDestructive) = (row.completesWithValue, row.isDestructive)
      width = description.width
      resetValue = description.resetValue
      bits = .mask(8 * width)
      mask = description.mask & bits
      unimplemented = description.unimplemented
    }
  }

  /// - Parameter reserved: offsets without registers that software may access in vain: nothing is logged.
  public init(_ lists: [DeviceRegister<Owner>]..., reserved: [Range<UInt64>] = []) {
    self.reserved = reserved
    let registers = lists.flatMap(\.self)
    let descriptions = registers.map(\.description)
    map = RegisterMap(descriptions)
    rows = zip(registers, descriptions).map(Row.init)
  }

  public convenience init(arrayLiteral registers: DeviceRegister<Owner>...) { self.init(registers) }

  @inlinable @inline(__always)
  func value(_ device: Owner, _ place: RegisterMap.Match, _ offset: UInt64) -> UInt64 {
    if let reader = rows[place.number].reader { return reader(device, place.index) }
    return device.held(at: offset &- UInt64(place.byte)).map(UInt64.init) ?? rows[place.number].resetValue
  }

  /// What an access of `size` bytes sees of a register with this value; bytes past the register are zero.
  @inlinable @inline(__always)
  func extract(_ value: UInt64, _ place: RegisterMap.Match, size: Int) -> UInt64 {
    (value & rows[place.number].bits) >> UInt64(8 * place.byte) & .mask(8 * size)
  }

  /// A read by the guest.
  @inlinable @inline(__always)
  public func read(_ device: Owner, _ offset: UInt64, size: Int) -> UInt64 {
    guard let place = map.find(offset, isWrite: false) else { return refuseRead(device, offset) }
    device.prepareRead()
    let value = value(device, place, offset)
    if let effect = rows[place.number].readEffect { effect(device, place.index) }
    return extract(value, place, size: size)
  }

  /// A look by a debugger: nil where there is no register, or one that cannot be read without side effects.
  public func peek(_ device: Owner, _ offset: UInt64, size: Int) -> UInt64? {
    guard let place = map.find(offset, isWrite: false), !rows[place.number].isDestructive else { return nil }
    return extract(value(device, place, offset), place, size: size)
  }

  /// A write by the guest. A narrow one is completed with what is held of the register.
  @inlinable @inline(__always)
  public func write(_ device: Owner, _ offset: UInt64, size: Int, _ value: UInt64) {
    guard let place = map.find(offset, isWrite: true) else { return refuseWrite(device, offset) }
    let number = place.number
    var word = value
    if place.byte != 0 || size < rows[number].width { word = complete(device, place, offset, size: size, value) }
    if word & rows[number].unimplemented != 0 { note(word, place, device) }
    word &= rows[number].mask
    device.performWrite {
      if let writer = rows[number].writer {
        writer(device, word, place.index)
      } else {
        device.hold(UInt32(truncatingIfNeeded: word), at: offset &- UInt64(place.byte))
      }
    }
  }

  @usableFromInline
  func complete(_ device: Owner, _ place: RegisterMap.Match, _ offset: UInt64, size: Int, _ value: UInt64) -> UInt64 {
    let row = rows[place.number]
    let old =
      row.completesWithValue
      ? self.value(device, place, offset) : UInt64(device.held(at: offset &- UInt64(place.byte)) ?? 0)
    return old.replacingBits(8 * place.byte..<8 * min(place.byte + size, row.width), with: value)
  }

  @usableFromInline
  func note(_ word: UInt64, _ place: RegisterMap.Match, _ device: Owner) {
    device.unimplemented.write(word, to: map.registers[place.number], index: place.index, of: device.context)
  }

  /// Registers that are only written read as 0.
  @usableFromInline
  func refuseRead(_ device: Owner, _ offset: UInt64) -> UInt64 {
    if map.find(offset, isWrite: true) == nil, !isReserved(offset) {
      device.unimplemented.unknown(offset: offset, isWrite: false, of: device.context)
    }
    return 0
  }

  @usableFromInline
  func refuseWrite(_ device: Owner, _ offset: UInt64) {
    guard let place = map.find(offset, isWrite: false) else {
      guard !isReserved(offset) else { return }
      return device.unimplemented.unknown(offset: offset, isWrite: true, of: device.context)
    }
    let name = map.registers[place.number].name(at: place.index)
    device.unimplemented.once("a write to \(name), which is read-only", device.context)
  }

  private func isReserved(_ offset: UInt64) -> Bool { reserved.contains { $0.contains(offset) } }
}
