// A serial EEPROM of the AT24 kind: `size` bytes, addressed by one or two bytes as `address-width` says.
//
// Source: Microchip AT24C32 data sheet, sections 6 and 7. Writing takes no time; within a page the address wraps around.

import Bus

public final class EEPROM24: Device, I2CTarget {
  public static var compatible: [String] { ["atmel,at24"] }

  public struct State: Codable, Sendable, Equatable {
    var contents: [UInt8]
    var pointer = 0
    /// Bytes of the address that the present transfer still has to bring.
    var addressBytes = 0
  }

  public let context: DeviceContext
  public var state: State
  public let regions: [AddressRange] = []
  let address: UInt32
  private let size, pageSize, addressWidth: Int

  public init(context: DeviceContext) throws(DeviceError) {
    let node = context.node
    guard let address = node.u32("reg") else { throw .missingProperty(device: node.name, property: "reg") }
    self.context = context
    self.address = address
    size = Int(node.u32("size") ?? 4096)
    pageSize = Int(node.u32("pagesize") ?? 32)
    addressWidth = Int(node.u32("address-width") ?? 16) / 8
    guard (1...1 << 17).contains(size), pageSize > 0, size % pageSize == 0 else {
      throw .badProperty(
        device: node.name, property: "size", reason: "\(size) bytes are not whole pages, up to 128 KiB")
    }
    state = State(contents: Array(repeating: 0xFF, count: size))
  }

  func start(isRead: Bool) { state.addressBytes = isRead ? 0 : addressWidth }

  func write(_ byte: UInt8) -> Bool {
    if state.addressBytes > 0 {
      state.addressBytes -= 1
      state.pointer = (state.pointer << 8 | Int(byte)) & (1 << (8 * addressWidth) - 1)
      if state.addressBytes == 0 { state.pointer %= size }
    } else {
      state.contents[state.pointer] = byte
      let page = state.pointer / pageSize * pageSize
      state.pointer = page + (state.pointer + 1) % pageSize
    }
    return true
  }

  func read() -> UInt8 {
    let byte = state.contents[state.pointer % size]
    state.pointer = (state.pointer + 1) % size
    return byte
  }

  func stop() {}

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 { 0 }
  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {}

  /// Contents outlive resets.
  public func reset(_ cause: ResetCause) { state = State(contents: state.contents) }
}
