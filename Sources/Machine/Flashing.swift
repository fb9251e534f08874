// Owns a debugger's way into flash memory: erased by blocks, then programmed, past the devices' own commands.

import Bus

extension Region {
  /// Bytes of an erase block; nil if the region is no flash memory.
  public var eraseBlockSize: UInt64? {
    guard case .romDevice(_, let target, let index) = backing else { return nil }
    return (target as? any Device)?.eraseBlockSize(region: index)
  }
}

/// Why flash memory cannot be erased or programmed.
public enum FlashError: Error, Sendable, Equatable, CustomStringConvertible {
  case notFlash(UInt64)
  /// Erasing needs whole blocks.
  case partOfBlock(UInt64, blockSize: UInt64)

  public var description: String {
    switch self {
    case .notFlash(let address): "there is no flash memory at 0x\(String(address, radix: 16))"
    case .partOfBlock(let address, let size):
      "0x\(String(address, radix: 16)) is no border of the flash's blocks of \(size) bytes"
    }
  }
}

extension Machine {
  /// Sets whole blocks to ones. On the machine's thread.
  public func eraseFlash(at address: UInt64, length: UInt64) throws(FlashError) {
    var position = address
    let end = address &+ length
    while position != end {
      let (region, block) = try flash(at: position)
      guard (position - region.base) % block == 0 else { throw .partOfBlock(position, blockSize: block) }
      guard end &- position >= block else { throw .partOfBlock(end, blockSize: block) }
      put([UInt8](repeating: 0xFF, count: Int(block)), at: position)
      position &+= block
    }
  }

  /// Clears the bits that are clear in `bytes`, as programming does. On the machine's thread.
  ///
  /// From now on a reset leaves flash memory as it is, and does not put the images of the command line back.
  public func programFlash(_ bytes: [UInt8], at address: UInt64) throws(FlashError) {
    var rest = bytes[...]
    while let first = rest.indices.first {
      let position = address &+ UInt64(first)
      let (region, _) = try flash(at: position)
      let count = Int(min(UInt64(rest.count), region.last - position + 1))
      guard let old = try? space.copyOut(at: position, count: count) else { throw .notFlash(position) }
      put(zip(rest, old).map { $0 & $1 }, at: position)
      rest = rest.dropFirst(count)
    }
    boot.segments.removeAll { space.region(at: $0.address)?.eraseBlockSize != nil }
  }

  private func flash(at address: UInt64) throws(FlashError) -> (region: Region, blockSize: UInt64) {
    guard let region = space.region(at: address), let size = region.eraseBlockSize else { throw .notFlash(address) }
    return (region, size)
  }

  private func put(_ bytes: [UInt8], at address: UInt64) {
    noteChange()
    // A flash region takes every byte.
    try? space.copyIn(bytes, at: address)
  }
}
