/// Flash memory on a microcontroller's chip: read directly, written a word at a time if its controller lets it.
///
/// Writing can only clear bits; erasing sets those of a block of `erase-block-size` bytes. Also serves memory of the same
/// kind outside of the main flash (Nordic's UICR).
import Bits
import Bus

/// The controller of a ``FlashMemory``: its node's parent, or the node that `martlet,controller` refers to.
protocol FlashController: AnyObject {
  /// Whether stores to the flash write it now.
  var mayWrite: Bool { get }
}

public final class FlashMemory: Device {
  public static var compatible: [String] { ["soc-nv-flash", "nordic,nrf-uicr"] }

  public struct State: Codable, Sendable, Equatable {}

  public let context: DeviceContext
  public var state = State()
  private let flash: RAMRegion
  private let blockSize: Int
  private let base: UInt64
  private var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    let node = context.node
    guard let range = node.regions.first else { throw .missingRegion(device: node.name, index: 0) }
    let size = Int(node.u32("erase-block-size") ?? UInt32(clamping: min(range.size, 4096)))
    guard size > 0, range.size % UInt64(size) == 0, range.size <= 1 << 30 else {
      throw .badProperty(device: node.name, property: "erase-block-size", reason: "\(size) does not divide the memory")
    }
    self.context = context
    blockSize = size
    base = range.base
    do {
      flash = try RAMRegion(name: node.name, size: Int(range.size))
    } catch {
      throw .badProperty(device: node.name, property: "reg", reason: "\(range.size) bytes cannot be had from the host")
    }
    eraseAll()
  }

  public func memory(region: Int) -> RAMRegion? { region == 0 ? flash : nil }
  public func eraseBlockSize(region: Int) -> UInt64? { UInt64(blockSize) }

  private var controller: (any FlashController)? {
    let parent = context.node.path.split(separator: "/").dropLast().map { "/" + $0 }.joined()
    let path = context.node.u32("martlet,controller").flatMap { context.node.node(phandle: $0)?.path } ?? parent
    return context.directory[path] as? any FlashController
  }

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 { flash.load(Int(offset), size: size) }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    guard controller?.mayWrite ?? false else {
      return unimplemented.once("a write while writing is not enabled has no effect", context)
    }
    change(
      Int(offset),
      Array(
        (0..<size).map {
          flash.bytes(at: Int(offset) + $0, count: 1)[0] & UInt8(truncatingIfNeeded: value >> UInt64(8 * $0))
        }))
  }

  /// Erases the block at an address.
  func erase(at address: UInt64) {
    let first = Int(address - base) / blockSize * blockSize
    change(first, Array(repeating: 0xFF, count: blockSize))
  }

  func eraseAll() { change(0, Array(repeating: 0xFF, count: flash.size)) }

  /// Translated code is told through the address space.
  private func change(_ offset: Int, _ bytes: [UInt8]) {
    flash.write(bytes, at: offset)
    context.space.didWriteMemory?(base + UInt64(offset), bytes.count)
  }

  /// Contents outlive resets.
  public func reset() {}
}
