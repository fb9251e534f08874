// Owns what the engine keeps of a translation block, and the numbers blocks are known by.

import GuestKit
import HostKit

/// A block's index in ``BlockStore``; 0 is no block.
public typealias BlockID = UInt32

/// Blocks of one PC that must not be mixed up.
public enum BlockVariant: UInt8, Sendable, BitwiseCopyable {
  /// Chained, cached, of any length.
  case normal
  /// One instruction, never chained: for single-stepping.
  case step
}

/// What a block is looked up by: the virtual PC, the physical page its code came from, the translation-relevant state.
public struct BlockKey: Hashable, Sendable, BitwiseCopyable {
  public var pc: UInt64
  public var physicalPC: UInt64
  public var flags: TranslationFlags
  public var variant: BlockVariant
}

/// A translated block, or an entry into one at a label: entries are looked up, chained to and entered like blocks, and
/// live as long as the block they are in. Trivial: its IR and listings are made again on demand.
///
/// 64 bytes, one line of the host's cache: going from block to block in code that has just begun to run touches one such
/// record each time.
public struct TranslationBlock: Sendable, BitwiseCopyable {
  public var key: BlockKey
  public var isValid: Bool
  public var tier: Tier
  /// How often a sample found the vCPU about to enter it.
  var heat: UInt8 = 0
  /// Bytes of guest code from `key.physicalPC` on, within its page; of an entry, up to the next one.
  public var guestSize: UInt16
  public var instructionCount: UInt16
  public var irOpCount: UInt32
  /// Its exits are numbered from here.
  public internal(set) var firstExit: UInt32 = 0
  public internal(set) var exitCount: UInt16 = 0
  public var compiled: CompiledBlock
  /// Physical address of the second page, if its only instruction straddles two; else `.max`.
  /// ``unreachablePage`` if fetching from there raised: the block does nothing but raise that, once.
  public var secondPage: UInt64
  /// Entries in it, besides its top; they are numbered behind it.
  public var entryCount: UInt16 = 0
  /// Whether this is an entry into another block.
  public var isEntry = false
  /// Head of the list of exits that are chained to it.
  var firstIncoming: UInt32
  /// Of an entry, the block it is in; of a block, the next in its page.
  private var other: BlockID
  public var container: BlockID {
    get { isEntry ? other : 0 }
    set {
      isEntry = true
      other = newValue
    }
  }
  var nextInPage: BlockID {
    get { isEntry ? 0 : other }
    set { other = newValue }
  }

  init(
    key: BlockKey, guestSize: UInt16, instructionCount: UInt16, irOpCount: UInt32, compiled: CompiledBlock,
    isValid: Bool, tier: Tier, secondPage: UInt64
  ) {
    self.key = key
    self.isValid = isValid
    self.tier = tier
    self.guestSize = guestSize
    self.instructionCount = instructionCount
    self.irOpCount = irOpCount
    self.compiled = compiled
    self.secondPage = secondPage
    firstIncoming = 0
    other = 0
  }

  /// No page's address.
  static var unreachablePage: UInt64 { .max - 1 }

  /// Whether the guest code at `pc` is in it, as far as it lies in the first page.
  public func contains(_ pc: UInt64) -> Bool { pc &- key.pc < UInt64(guestSize) }
  /// PC of the last byte: a block may end where addresses do.
  public var lastPC: UInt64 { key.pc &+ UInt64(max(1, guestSize)) &- 1 }

  /// Physical addresses of the guest code, as far as it lies in the first page.
  public var physicalRange: Range<UInt64> { key.physicalPC..<key.physicalPC + UInt64(guestSize) }
}
