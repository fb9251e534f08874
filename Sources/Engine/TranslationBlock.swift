// Owns what the engine keeps of a translation block, and the numbers blocks are known by.

import GuestKit
import HostKit

/// A block's index in ``BlockStore``; 0 is no block.
public typealias BlockID = UInt32

/// Blocks of one PC that must not be mixed up.
public enum BlockVariant: UInt8, Sendable {
  /// Chained, cached, of any length.
  case normal
  /// One instruction, never chained: for single-stepping.
  case step
}

/// What a block is looked up by: the virtual PC, the physical page its code came from, the translation-relevant state.
public struct BlockKey: Hashable, Sendable {
  public var pc: UInt64
  public var physicalPC: UInt64
  public var flags: TranslationFlags
  public var variant: BlockVariant
}

/// A translated block, or an entry into one at a label: entries are looked up, chained to and entered like blocks, and
/// live as long as the block they are in. Trivial: its IR and listings are made again on demand.
public struct TranslationBlock: Sendable {
  public var key: BlockKey
  /// Bytes of guest code from `key.physicalPC` on, within its page; of an entry, up to the next one.
  public var guestSize: UInt32
  public var instructionCount: UInt32
  public var irOpCount: UInt32
  public var compiled: CompiledBlock
  public var firstExit: UInt32
  public var isValid: Bool
  public var tier: Tier
  /// How often a sample found the vCPU about to enter the block.
  var heat: UInt8 = 0
  /// Physical address of the second page, if its only instruction straddles two; else `.max`.
  /// ``unreachablePage`` if fetching from there raised: the block does nothing but raise that, once.
  public var secondPage: UInt64
  /// The block that an entry is in; 0 for a block.
  public var container: BlockID = 0
  /// Entries in it, besides its top; they are numbered behind it.
  public var entryCount: UInt32 = 0
  /// Heads and links of the store's lists.
  var firstIncoming: UInt32
  var nextInPage: BlockID

  /// No page's address.
  static var unreachablePage: UInt64 { .max - 1 }

  /// Physical addresses of the guest code, as far as it lies in the first page.
  public var physicalRange: Range<UInt64> { key.physicalPC..<key.physicalPC + UInt64(guestSize) }
}

/// A chainable exit of a block.
public struct BlockExit: Sendable {
  public var source: BlockID
  public var target: UInt64
  /// The block or entry it is chained to; 0 when it is not.
  public var linked: BlockID
  public var mayChain: Bool
  var nextIncoming: UInt32
}
