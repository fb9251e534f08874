// Owns what a host tells of a block it has compiled: where it is entered, and where it leaves for what PC.

import IR

/// A place where a block's code leaves for a known PC, and may be chained to the code there.
public struct ChainSite: Sendable, BitwiseCopyable {
  /// What the host calls it: never 0, and ascending from block to block until all code is dropped.
  public var site: UInt32
  /// What the low byte of the translation flags there differs by from the block's.
  public var change: UInt8
  /// Whether it is a return to behind a call.
  public var isReturn: Bool
  /// False where the target may come to be mapped elsewhere (another page of a paged guest).
  public var mayChain: Bool
  /// Whether it is a jump within the block, which is never chained nor cut.
  public var staysInside: Bool
  /// The guest PC it leads to.
  public var target: UInt64

  @inlinable public init(
    site: UInt32, change: UInt8 = 0, isReturn: Bool = false, mayChain: Bool, staysInside: Bool = false, target: UInt64
  ) {
    self.site = site
    self.change = change
    self.isReturn = isReturn
    self.mayChain = mayChain
    self.staysInside = staysInside
    self.target = target
  }
}

/// The ways into a block besides its top, and those out of it, each in the order of the code. Used for one block after the
/// other.
public struct BlockOutline: Sendable {
  /// Where its labels are entered.
  public var labels: [CodeAddress] = []
  public var exits: [ChainSite] = []

  public init() {}

  @inlinable
  public mutating func removeAll() {
    labels.removeAll(keepingCapacity: true)
    exits.removeAll(keepingCapacity: true)
  }
}
