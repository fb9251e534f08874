// Owns the description of guest code that is to become one block though it does not follow on itself.

/// Guest code in one page, and where it is entered.
public struct RegionShape: Sendable, Equatable {
  /// Ascending, with gaps in between.
  public let ranges: [Range<UInt64>]
  /// PCs within the ranges at which the block has entries; ascending.
  public let labels: [UInt64]

  /// - Parameters:
  ///   - ranges: not empty; in any order, overlapping or not.
  ///   - labels: those outside the ranges do not count.
  public init(_ ranges: [Range<UInt64>], labels: Set<UInt64>) {
    var merged: [Range<UInt64>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = merged.last, range.lowerBound <= last.upperBound {
        merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
      } else {
        merged.append(range)
      }
    }
    self.ranges = merged
    self.labels = labels.filter { pc in merged.contains { $0.contains(pc) } }.sorted()
  }

  public func contains(_ pc: UInt64) -> Bool { ranges.contains { $0.contains(pc) } }

  public func isLabel(_ pc: UInt64) -> Bool { label(from: pc) == pc }

  /// The first label at or behind `pc`.
  public func label(from pc: UInt64) -> UInt64? {
    var (low, high) = (0, labels.count)
    while low < high {
      let middle = (low + high) / 2
      if labels[middle] < pc { low = middle + 1 } else { high = middle }
    }
    return low < labels.count ? labels[low] : nil
  }
}
