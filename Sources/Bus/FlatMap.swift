// The flattened map of guest addresses: what an engine executes in, whatever rules the map was made by.

import Bits

/// Which region answers at an address. Regions do not overlap, except that an overlay hides parts of the regions below it; who
/// keeps the map sees to that. Lookups are binary searches.
public final class FlatMap {
  /// The regions in order of their base address, overlays among them.
  public private(set) var regions: [Region] = []
  /// The flattened map: disjoint stretches in ascending order, each of one region.
  let table = SegmentTable()
  /// What ``table`` holds: the stretches, and by number of region who answers there.
  private var segments: [SegmentRow] = []
  private var targets: [RegionTarget?] = []
  /// What overlays hide.
  private var overlays: [AddressRange] = []

  /// Called after guest memory changed through this map, for each address that shows it: address and byte count.
  public var didWriteMemory: ((UInt64, Int) -> Void)?
  /// Called before memory is accessed otherwise than by a CPU's load or store: by a device, by a host call (address, byte count, whether it writes); nil while nobody looks.
  public var willTransfer: ((UInt64, Int, _ isWrite: Bool) -> Void)?
  /// Called when a region was added, removed, or changed between direct and device reads.
  public var didChangeLayout: ((Region) -> Void)?

  public init() {}

  // MARK: Layout

  /// Adds a region, which wraps around nowhere and overlaps none of the same level.
  public func insert(_ region: Region) {
    let position = position(of: region.base, region.isOverlay)
    regions.insert(region, at: position)
    let isPlain = !region.isOverlay && region.memory == nil && !overlays.contains { $0.overlaps(region.range) }
    if isPlain { insertSegment(of: position) } else { flatten() }
    didChangeLayout?(region)
  }

  /// Takes the region with this index out.
  public func remove(at index: Int) {
    let region = regions.remove(at: index)
    flatten()
    didChangeLayout?(region)
  }

  /// Chooses whether reads of the region with this index come from its memory.
  func setReadsDirectly(_ direct: Bool, at index: Int) {
    guard regions[index].readsDirectly != direct else { return }
    regions[index].readsDirectly = direct
    flatten()
    didChangeLayout?(regions[index])
  }

  /// Where a region that begins there has its place in ``regions``.
  func position(of base: UInt64, _ overlay: Bool) -> Int {
    var low = 0
    var high = regions.count
    while low < high {
      let middle = (low + high) / 2
      if (regions[middle].base, regions[middle].isOverlay ? 1 : 0) > (base, overlay ? 1 : 0) {
        high = middle
      } else {
        low = middle + 1
      }
    }
    return low
  }

  /// Adds to the flattened map a new region of which nothing is hidden.
  private func insertSegment(of region: Int) {
    for index in segments.indices where segments[index].region >= region { segments[index].region += 1 }
    let new = segment(region, regions[region].base, regions[region].last)
    segments.insert(new, at: segments.firstIndex { $0.first > new.first } ?? segments.count)
    targets.insert(regions[region].target, at: region)
    table.replace(with: segments, targets: targets)
  }

  private func flatten() {
    var shown: [ObjectIdentifier: Int] = [:]
    for region in regions { if let (memory, _) = region.memory { shown[ObjectIdentifier(memory), default: 0] += 1 } }
    for index in regions.indices {
      regions[index].isShared = regions[index].memory.map { shown[ObjectIdentifier($0.0), default: 0] > 1 } ?? false
    }
    segments.removeAll(keepingCapacity: true)
    let overlays = regions.indices.filter { regions[$0].isOverlay }
    self.overlays = overlays.map { regions[$0].range }
    // Overlays that end before the region do not matter to later ones either.
    var next = 0
    for index in regions.indices where !regions[index].isOverlay {
      var base = regions[index].base
      let last = regions[index].last
      var isCovered = false
      while next < overlays.count, regions[overlays[next]].last < base { next += 1 }
      for overlay in overlays[next...] {
        if regions[overlay].base > last { break }
        if regions[overlay].base > base { segments.append(segment(index, base, regions[overlay].base - 1)) }
        if regions[overlay].last >= last {
          isCovered = true
          break
        }
        base = regions[overlay].last + 1
      }
      if !isCovered { segments.append(segment(index, base, last)) }
    }
    for overlay in overlays { segments.append(segment(overlay, regions[overlay].base, regions[overlay].last)) }
    segments.sort { $0.first < $1.first }
    targets = regions.map(\.target)
    table.replace(with: segments, targets: targets)
  }

  /// The stretch `first...last` of region number `index`.
  private func segment(_ index: Int, _ first: UInt64, _ last: UInt64) -> SegmentRow {
    let region = regions[index]
    var (memory, isWritable): (UInt, Bool) = (0, false)
    if region.readsDirectly, let (shown, offset) = region.memory {
      memory = unsafe UInt(bitPattern: shown.alias + offset) &+ UInt(first - region.base)
      if case .ram = region.backing { isWritable = true }
    }
    return SegmentRow(
      first: first, last: last, memory: memory, region: index, base: region.base, isWritable: isWritable,
      isShared: region.isShared)
  }
}
