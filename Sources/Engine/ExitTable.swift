// Owns the ways out of blocks, by number, and how a host's site leads to the number.

import Bits
import HostKit
import IR

/// A way out of a block to a known PC.
public struct BlockExit: Sendable, BitwiseCopyable {
  /// The block it is of; 0 if that is interpreted.
  public var source: BlockID
  /// What its host, or the tier that interprets it, calls it.
  var site: UInt32
  public var target: UInt64
  /// The block or entry it is chained to; 0 when it is not.
  public internal(set) var chained: BlockID = 0
  /// The next exit that is chained to the same; of a row that is free, the next of those.
  var next: UInt32 = 0
  /// What takes back a chain of interpreted code.
  var before: UInt32 = 0
  /// What the low byte of the translation flags there differs by from the block's.
  var change: UInt8
  public var mayChain: Bool
  public var isInterpreted: Bool
}

/// The exits of all compiled code, and those of interpreted code that are chained: most of that runs too few times for a row
/// for each exit to pay (a tenth of the time that flat code takes). Number 0 stands for none. There is room for the exits of
/// most programs, since growing copies everything.
struct ExitTable: ~Copyable {
  private var rows = RawList<BlockExit>(reserving: 1 << 20)
  /// The numbers of exits of compiled code, by site.
  private var compiled = RawList<UInt32>(reserving: 1 << 20)
  /// The first row that is free; 0 for none.
  private var free: UInt32 = 0

  deinit {
    rows.deallocate()
    compiled.deallocate()
  }

  var count: Int { rows.count }

  subscript(number: UInt32) -> BlockExit {
    @inline(__always)
    get { rows[Int(number)] }
    @inline(__always)
    nonmutating _modify { yield &rows[Int(number)] }
  }

  /// Adds the exits of a compiled block.
  /// - Returns: the number of the first; the others follow.
  mutating func append(_ sites: [ChainSite], of source: BlockID, mayChain: Bool) -> UInt32 {
    let first = UInt32(truncatingIfNeeded: rows.count)
    for site in sites {
      while compiled.count < Int(site.site) { compiled.append(0) }
      compiled.append(UInt32(truncatingIfNeeded: rows.count))
      rows.append(
        BlockExit(
          source: source, site: site.site, target: site.target, change: site.change,
          mayChain: mayChain && site.mayChain, isInterpreted: false))
    }
    return first
  }

  /// The exit of compiled code at a site; 0 for none.
  func find(_ site: UInt32) -> UInt32 { site < compiled.count ? compiled[Int(site)] : 0 }

  /// Adds an exit of interpreted code.
  mutating func append(interpreted site: UInt32, target: UInt64, before: UInt32) -> UInt32 {
    let row = BlockExit(
      source: 0, site: site, target: target, before: before, change: 0, mayChain: true, isInterpreted: true)
    guard free != 0 else {
      rows.append(row)
      return UInt32(truncatingIfNeeded: rows.count &- 1)
    }
    let number = free
    free = rows[Int(number)].next
    rows[Int(number)] = row
    return number
  }

  /// Takes an exit of interpreted code off.
  mutating func release(_ number: UInt32) {
    rows[Int(number)].next = free
    free = number
  }

  mutating func removeAll() {
    rows.removeAll()
    compiled.removeAll()
    free = 0
    rows.append(BlockExit(source: 0, site: 0, target: 0, change: 0, mayChain: false, isInterpreted: false))
  }
}
