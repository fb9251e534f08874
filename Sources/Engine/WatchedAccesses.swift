// Owns which instructions compare what they access with watched bytes themselves (`Host.compareWithWatchpoints`).
//
// A watched page takes every access to the slow path, since code does not know what is watched. Recompiled instructions
// reach memory by the twin of their window, which protects pages for all other reasons but not for being watched, or by
// the second half of the TLB.

/// The instructions that compare, and with how many ranges.
final class WatchedAccesses {
  /// By physical PC.
  private(set) var instructions: Set<UInt64> = []
  var isEmpty: Bool { instructions.isEmpty }
  /// Ranges that they compare with, at most.
  private(set) var rangeLimit = 1

  func removeAll() { instructions.removeAll() }

  func insert(physical: UInt64) { instructions.insert(physical) }

  /// What watchpoints cover, as ranges that do not overlap, at most `limit` of them.
  static func ranges(of watchpoints: [Watchpoint], limit: Int) -> [ClosedRange<UInt64>] {
    var ranges: [ClosedRange<UInt64>] = []
    for point in watchpoints.sorted(by: { $0.address < $1.address }) {
      if let last = ranges.last, point.address <= last.upperBound {
        ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, point.last)
      } else {
        ranges.append(point.address...point.last)
      }
    }
    return merge(ranges, to: limit)
  }

  /// Takes ascending ranges that do not overlap together until they are at most `limit`, those that lie closest first.
  private static func merge(_ ranges: [ClosedRange<UInt64>], to limit: Int) -> [ClosedRange<UInt64>] {
    var ranges = ranges
    while ranges.count > max(1, limit) {
      let gaps = ranges.indices.dropLast().map { ranges[$0 + 1].lowerBound - ranges[$0].upperBound }
      let closest = gaps.indices.min { gaps[$0] < gaps[$1] } ?? 0
      ranges[closest] = ranges[closest].lowerBound...ranges[closest + 1].upperBound
      ranges.remove(at: closest + 1)
    }
    return ranges
  }

  /// - Returns: whether instructions have to be compiled anew, since they compare with fewer ranges than `count`.
  func needs(_ count: Int, of limit: Int) -> Bool {
    guard count > rangeLimit else { return false }
    rangeLimit = count == 2 ? 2 : limit
    return true
  }
}
