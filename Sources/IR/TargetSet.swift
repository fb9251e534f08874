// Owns the set of places in a block that its own exits lead to, as it is kept while the block is built.

import Bits

/// Guest PCs within ``reach`` bytes from the block's start, by halfwords.
public struct TargetSet {
  @usableFromInline var start: UInt64
  @usableFromInline let bits = RawTable<UInt64>(capacity: 16)

  /// How far from its start a block's targets are noted.
  @inlinable public static var reach: UInt64 { 2 * 64 * 16 }

  init(from start: UInt64) {
    self.start = start
    bits.fill(0)
  }

  /// Begins anew, without any target.
  mutating func restart(from start: UInt64) {
    self.start = start
    bits.fill(0)
  }

  func deallocate() { bits.deallocate() }

  @inlinable @inline(__always)
  public mutating func insert(_ pc: UInt64) {
    let offset = pc &- start
    guard offset < Self.reach, offset & 1 == 0 else { return }
    bits[Int(offset >> 7)] |= 1 << (offset >> 1 & 63)
  }

  @inlinable @inline(__always)
  public func contains(_ pc: UInt64) -> Bool {
    let offset = pc &- start
    return offset < Self.reach && offset & 1 == 0 && bits[Int(offset >> 7)] >> (offset >> 1 & 63) & 1 != 0
  }
}
