// Flash memory on a microcontroller's chip: read directly, written a word at a time if its controller lets it.
//
// Writing can only clear bits; erasing sets those of a block of `erase-block-size` bytes, or of one of the sectors that
// `martlet,sectors = <count size>, …` lists from the start. `martlet,aliases` are further addresses at which the memory
// appears. Also serves memory of the same kind outside of the main flash (Nordic's UICR).

import Bits
import Bus

/// The controller of a ``FlashMemory``: its node's parent, or the node that `martlet,controller` refers to.
protocol FlashController: AnyObject {
  /// Whether a store to the flash writes it now; noted as an error otherwise.
  func permits(_ store: FlashStore) -> Bool
  /// Whether a store of so many bytes is a bus error now.
  func refuses(size: Int) -> Bool
}

/// A store of `size` bytes `offset` bytes from the start of a flash memory, where `old` stands.
struct FlashStore {
  var offset: UInt64
  var size: Int
  var value: UInt64
  var old: UInt64
}

public final class FlashMemory: Device {
  public static var compatible: [String] { ["soc-nv-flash", "nordic,nrf-uicr"] }

  public struct State: Codable, Sendable, Equatable {}

  public let context: DeviceContext
  public var state = State()
  public let regions: [AddressRange]
  private let flash: RAMRegion
  /// Byte offsets of the sectors, ascending, and of the end.
  private let bounds: [Int]
  private var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    let node = context.node
    let range = try node.firstRegion()
    guard (1...1 << 30).contains(range.size) else {
      throw .badProperty(device: node.name, property: "reg", reason: "\(range.size) bytes are none or too many")
    }
    self.context = context
    bounds = try Self.bounds(of: node, size: Int(range.size))
    let aliases = node.cells("martlet,aliases") ?? []
    regions = [range] + aliases.map { AddressRange(base: UInt64($0), size: range.size) }
    do {
      flash = try RAMRegion(name: node.name, size: Int(range.size))
    } catch {
      throw .badProperty(device: node.name, property: "reg", reason: "\(range.size) bytes cannot be had from the host")
    }
    eraseAll()
  }

  private static func bounds(of node: any NodeView, size: Int) throws(DeviceError) -> [Int] {
    if let cells = node.cells("martlet,sectors") {
      var bounds = [0]
      for pair in stride(from: 0, to: cells.count - 1, by: 2) {
        guard cells[pair] <= 4096 else { break }
        // A smaller chip of the family has the first of the sectors.
        for _ in 0..<cells[pair] where bounds[bounds.count - 1] < size {
          bounds.append(bounds[bounds.count - 1] + Int(cells[pair + 1]))
        }
      }
      guard cells.count % 2 == 0, bounds.last == size, zip(bounds, bounds.dropFirst()).allSatisfy(<) else {
        throw .badProperty(
          device: node.name, property: "martlet,sectors", reason: "does not fill \(size) bytes with sectors")
      }
      return bounds
    }
    let block = Int(node.u32("erase-block-size") ?? UInt32(clamping: min(size, 4096)))
    guard block > 0, size % block == 0 else {
      throw .badProperty(device: node.name, property: "erase-block-size", reason: "\(block) does not divide the memory")
    }
    return Array(stride(from: 0, through: size, by: block))
  }

  public func memory(region: Int) -> RAMRegion? { regions.indices.contains(region) ? flash : nil }

  /// The smallest sector: debuggers erase in units of one size.
  public func eraseBlockSize(region: Int) -> UInt64? { zip(bounds, bounds.dropFirst()).map { UInt64($1 - $0) }.min() }

  private weak var knownController: (any FlashController)?

  var controller: (any FlashController)? {
    if let knownController { return knownController }
    knownController = findController()
    return knownController
  }

  private func findController() -> (any FlashController)? {
    let parent = context.node.path.split(separator: "/").dropLast().map { "/" + $0 }.joined()
    let path = context.node.u32("martlet,controller").flatMap { context.node.node(phandle: $0)?.path } ?? parent
    return context.directory[path] as? any FlashController
  }

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 { flash.load(Int(offset), size: size) }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    let old = flash.load(Int(offset), size: size)
    guard controller?.permits(FlashStore(offset: offset, size: size, value: value, old: old)) ?? false else {
      return unimplemented.once("a write that the controller does not permit has no effect", context)
    }
    change(Int(offset), (0..<size).map { UInt8(truncatingIfNeeded: (old & value) >> UInt64(8 * $0)) })
  }

  public func refusesWrite(region: Int, offset: UInt64, size: Int) -> Bool { controller?.refuses(size: size) ?? false }

  /// Erases the sector at an address; returns whether there is one.
  @discardableResult func erase(at address: UInt64) -> Bool {
    guard let region = regions.first(where: { address >= $0.base && address - $0.base < $0.size }) else { return false }
    let offset = Int(address - region.base)
    return erase(sector: (bounds.firstIndex { $0 > offset } ?? 0) - 1)
  }

  /// Erases a sector by its number; returns whether there is one.
  func erase(sector: Int) -> Bool {
    guard sector >= 0, sector + 1 < bounds.count else { return false }
    change(bounds[sector], Array(repeating: 0xFF, count: bounds[sector + 1] - bounds[sector]))
    return true
  }

  func eraseAll() { change(0, Array(repeating: 0xFF, count: flash.size)) }

  /// Translated code is told through the address space.
  private func change(_ offset: Int, _ bytes: [UInt8]) {
    flash.write(bytes, at: offset)
    context.space.noteWrite(regions[0].base + UInt64(offset), bytes.count)
  }

  /// Contents outlive resets.
  public func reset(_ cause: ResetCause) {}
}
