// Owns loads and stores by the softmmu TLB.

import HostKit
import IR

extension Execution {
  @inline(always)
  private func address(_ op: PackedOp, _ base: UInt64) -> UInt64 {
    let address = base &+ UInt64(bitPattern: op.displacement)
    return op.hasShortAddress ? address & 0xFFFF_FFFF : address
  }

  /// Where the bytes of an access lie in host memory, if the TLB has their page.
  ///
  /// - Parameter tags: offset of the tags for such accesses in the TLB.
  @inline(always)
  private func place(_ op: PackedOp, _ address: UInt64, tags: Int) -> UnsafeMutableRawPointer? {
    guard op.usesTLB, let tlb = unsafe softTLB else { return nil }
    let index = SoftTLB.index(address)
    let last = UInt64(op.access.size &- 1)
    // Misaligned accesses that must not be are misses, and so are those that reach into the next page.
    let compared = op.access.aligned ? address & (~0xFFF | last) : (address &+ last) & ~0xFFF
    guard unsafe tlb[tags / 8 + index] == compared, address & ~0xFFF == compared & ~0xFFF else { return nil }
    return unsafe UnsafeMutableRawPointer(
      bitPattern: UInt(truncatingIfNeeded: tlb[SoftTLB.addends / 8 + index] &+ address))
  }

  @inline(always)
  mutating func load(_ op: PackedOp, _ base: UInt64) -> Bool {
    let address = address(op, base)
    guard let place = unsafe place(op, address, tags: SoftTLB.readTags) else { return accessSlowly(op, address, 0, 0) }
    let raw = unsafe Self.read(place, op.access)
    set(op.result, raw & op.type.mask)
    return true
  }

  @inline(always)
  private static func read(_ place: UnsafeMutableRawPointer, _ access: MemoryAccess) -> UInt64 {
    switch access.rawValue & 0x1F {
    case 0, 16: UInt64(unsafe place.load(as: UInt8.self))
    case 1: UInt64(unsafe place.loadUnaligned(as: UInt16.self))
    case 2: UInt64(unsafe place.loadUnaligned(as: UInt32.self))
    case 8, 24: UInt64(bitPattern: Int64(unsafe place.load(as: Int8.self)))
    case 9: UInt64(bitPattern: Int64(unsafe place.loadUnaligned(as: Int16.self)))
    case 10: UInt64(bitPattern: Int64(unsafe place.loadUnaligned(as: Int32.self)))
    case 17: UInt64(unsafe place.loadUnaligned(as: UInt16.self).byteSwapped)
    case 18: UInt64(unsafe place.loadUnaligned(as: UInt32.self).byteSwapped)
    case 25: UInt64(bitPattern: Int64(unsafe place.loadUnaligned(as: Int16.self).byteSwapped))
    case 26: UInt64(bitPattern: Int64(unsafe place.loadUnaligned(as: Int32.self).byteSwapped))
    case 19, 27: unsafe place.loadUnaligned(as: UInt64.self).byteSwapped
    default: unsafe place.loadUnaligned(as: UInt64.self)
    }
  }

  @inline(always)
  mutating func store(_ op: PackedOp, _ base: UInt64, _ value: UInt64) -> Bool {
    let address = address(op, base)
    guard let place = unsafe place(op, address, tags: SoftTLB.writeTags) else {
      return accessSlowly(op, address, value, 0)
    }
    switch op.access.rawValue & 0x17 {
    case 0, 16: unsafe place.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
    case 1: unsafe place.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
    case 2: unsafe place.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
    case 17: unsafe place.storeBytes(of: UInt16(truncatingIfNeeded: value).byteSwapped, as: UInt16.self)
    case 18: unsafe place.storeBytes(of: UInt32(truncatingIfNeeded: value).byteSwapped, as: UInt32.self)
    case 19: unsafe place.storeBytes(of: value.byteSwapped, as: UInt64.self)
    default: unsafe place.storeBytes(of: value, as: UInt64.self)
    }
    return true
  }
}
