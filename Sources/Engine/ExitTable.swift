// Owns the ways out of all blocks, by number, and how a host's site leads to the number.

import HostKit
import IR

/// A way out of a block to a known PC.
public struct BlockExit: Sendable, BitwiseCopyable {
  public var source: BlockID
  /// What the host calls it.
  var site: UInt32
  public var target: UInt64
  /// The block or entry it is chained to; 0 when it is not.
  public internal(set) var chained: BlockID = 0
  /// The next exit that is chained to the same.
  var nextIncoming: UInt32 = 0
  /// What the low byte of the translation flags there differs by from the block's.
  var change: UInt8
  public var mayChain: Bool
  /// Whether it is a return to behind a call, of packed code.
  public var isReturn: Bool
  /// Whether it leads on within the block, whatever is chained.
  public var staysInside = false
}

/// All exits, of both tiers. Number 0 stands for none.
struct ExitTable: ~Copyable {
  private var rows = RawList<BlockExit>(reserving: 1 << 17)
  /// The numbers of exits of packed code, and of compiled code, in the order of their sites.
  private var packed = RawList<UInt32>(reserving: 1 << 16)
  private var compiled = RawList<UInt32>(reserving: 1 << 16)

  deinit {
    rows.deallocate()
    packed.deallocate()
    compiled.deallocate()
  }

  var count: Int { rows.count }

  subscript(number: UInt32) -> BlockExit {
    @inline(__always)
    get { rows[Int(number)] }
    @inline(__always)
    nonmutating _modify { yield &rows[Int(number)] }
  }

  /// Adds the exits of a block, which take the numbers from ``count`` on.
  mutating func append(_ sites: [ChainSite], of source: BlockID, isPacked: Bool, mayChain: Bool) {
    for site in sites {
      if isPacked { packed.append(UInt32(rows.count)) } else { compiled.append(UInt32(rows.count)) }
      rows.append(
        BlockExit(
          source: source, site: site.site, target: site.target, change: site.change,
          mayChain: mayChain && site.mayChain, isReturn: site.isReturn, staysInside: site.staysInside))
    }
  }

  /// The exit at a site of packed code, or of compiled code; 0 for none.
  func find(_ site: UInt32, isPacked: Bool) -> UInt32 {
    if site == 0 { return 0 }
    let numbers = isPacked ? packed : compiled
    // Mostly it is an exit of one of the newest blocks.
    var (low, high, step) = (0, numbers.count, 8)
    while step < high, rows[Int(numbers[high - step])].site > site {
      high -= step
      step *= 2
    }
    if step < high { low = high - step }
    while low < high {
      let middle = (low + high) / 2
      if rows[Int(numbers[middle])].site < site { low = middle + 1 } else { high = middle }
    }
    return low < numbers.count && rows[Int(numbers[low])].site == site ? numbers[low] : 0
  }

  mutating func removeAll() {
    rows.removeAll()
    packed.removeAll()
    compiled.removeAll()
    rows.append(BlockExit(source: 0, site: 0, target: 0, change: 0, mayChain: false, isReturn: false))
  }
}
