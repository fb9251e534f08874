// Owns the set of places in a block that its own exits lead to, as it is kept while the block is built.

/// Guest PCs within ``reach`` bytes from the block's start, by halfwords.
public struct TargetSet: Sendable {
  @usableFromInline let start: UInt64
  @usableFromInline var bits = InlineArray<16, UInt64>(repeating: 0)

  /// How far from its start a block's targets are noted.
  @inlinable public static var reach: UInt64 { 2 * 64 * 16 }

  public init(from start: UInt64) { self.start = start }

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
