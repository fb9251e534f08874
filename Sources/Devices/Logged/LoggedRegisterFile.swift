// What stands in for a node without a model: registers that remember what is written and name themselves once.
//
// A guest that waits for a bit can be helped in the board: `martlet,ready = <offset mask>, …` lists bits of region 0
// that always read as set.

import Bits
import Bus

public final class LoggedRegisterFile: Device {
  /// None: it serves the nodes that no other model serves.
  public static var compatible: [String] { [] }

  public struct State: Codable, Sendable, Equatable {
    /// Eight bytes at `offset` (a multiple of 8) of a region.
    struct Word: Codable, Sendable, Equatable {
      let region: Int
      let offset: UInt64
      var value: UInt64
    }
    /// The words ever written, in ascending order.
    var words: [Word] = []

    /// Where a word is, or where it would be inserted.
    func position(_ region: Int, _ offset: UInt64) -> (index: Int, exists: Bool) {
      var low = 0
      var high = words.count
      while low < high {
        let middle = (low + high) / 2
        if (words[middle].region, words[middle].offset) < (region, offset) { low = middle + 1 } else { high = middle }
      }
      return (low, low < words.count && words[low].region == region && words[low].offset == offset)
    }
  }

  public let context: DeviceContext
  public var state = State()
  private let ready: [(offset: UInt64, mask: UInt32)]
  private var log = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    let cells = context.node.cells("martlet,ready") ?? []
    guard cells.count % 2 == 0 else {
      throw .badProperty(device: context.node.name, property: "martlet,ready", reason: "not pairs of offset and mask")
    }
    self.context = context
    ready = stride(from: 0, to: cells.count, by: 2).map { (UInt64(cells[$0]), cells[$0 + 1]) }
  }

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    log.once("no model: read of \(label(region, offset))\(name(region, offset, nil))", context)
    return value(region, offset, size)
  }

  public func peek(region: Int, offset: UInt64, size: Int) -> UInt64? { value(region, offset, size) }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    let place = label(region, offset)
    log.once("no model: write of \(value.hex0x()) to \(place)\(name(region, offset, value))", key: place, context)
    for byte in 0..<size {
      let address = offset + UInt64(byte)
      let (index, exists) = state.position(region, address & ~7)
      if !exists { state.words.insert(.init(region: region, offset: address & ~7, value: 0), at: index) }
      let bit = 8 * Int(address & 7)
      let byteValue = value >> UInt64(8 * byte)
      state.words[index].value = state.words[index].value.replacingBits(bit..<bit + 8, with: byteValue)
    }
  }

  public func reset(_ cause: ResetCause) { state = State() }

  private func label(_ region: Int, _ offset: UInt64) -> String {
    (region == 0 ? "" : "region \(region) ") + "offset \(offset.hex0x())"
  }

  private func name(_ region: Int, _ offset: UInt64, _ written: UInt64?) -> String {
    guard regions.indices.contains(region) else { return "" }
    return context.registerName(regions[region].base &+ offset, written).map { " (\($0))" } ?? ""
  }

  private func value(_ region: Int, _ offset: UInt64, _ size: Int) -> UInt64 {
    var value: UInt64 = 0
    for byte in 0..<size {
      let address = offset + UInt64(byte)
      let (index, exists) = state.position(region, address & ~7)
      var content = exists ? state.words[index].value.bits(8 * Int(address & 7)..<8 * Int(address & 7) + 8) : 0
      for bits in ready where region == 0 && address >= bits.offset && address - bits.offset < 4 {
        content |= UInt64(bits.mask >> UInt32(8 * (address - bits.offset))) & 0xff
      }
      value |= content << UInt64(8 * byte)
    }
    return value
  }
}
