// The guest's physical address map of a board: named regions, some of which overlay others.

/// A map from guest physical addresses to regions, as a board declares them.
public final class AddressSpace: MemoryMap {
  public let flat = FlatMap()

  public init() {}

  /// Adds a region. Throws when it is empty, wraps around, or overlaps another of the same level.
  public func map(
    _ name: String, at base: UInt64, size: UInt64, _ backing: Region.Backing, overlay: Bool = false
  ) throws(MemoryError) {
    guard size > 0, base <= UInt64.max - (size - 1) else { throw .badRange(name: name, base: base, size: size) }
    switch backing {
    case .ram(let memory, let offset), .rom(let memory, let offset):
      guard offset >= 0, offset <= memory.size, size <= UInt64(memory.size - offset) else {
        throw .badRange(name: name, base: base, size: size)
      }
    case .romDevice(let memory, _, _):
      guard size <= UInt64(memory.size) else { throw .badRange(name: name, base: base, size: size) }
    case .device: break
    }
    let region = Region(name: name, base: base, size: size, backing: backing, isOverlay: overlay)
    let position = flat.position(of: base, overlay)
    // Regions of one level lie one behind another, so that only the neighbours can be in the way.
    let before = regions[..<position].last { $0.isOverlay == overlay }.flatMap { $0.last >= base ? $0 : nil }
    let after = regions[position...].first { $0.isOverlay == overlay }.flatMap { $0.base <= region.last ? $0 : nil }
    if let other = before ?? after {
      throw .overlap(new: name, existing: other.name, at: max(base, other.base))
    }
    flat.insert(region)
  }

  /// Removes the region of this name and base; returns whether there was one.
  @discardableResult
  public func unmap(_ name: String, at base: UInt64) -> Bool {
    guard let index = regions.firstIndex(where: { $0.base == base && $0.name == name }) else { return false }
    flat.remove(at: index)
    return true
  }

  /// Chooses whether reads of a device's `romDevice` regions with this index come from memory.
  public func setReadsDirectly(_ direct: Bool, target: any MMIOTarget, index: Int) {
    for position in regions.indices {
      guard case .romDevice(_, let owner, index) = regions[position].backing, owner === target else { continue }
      flat.setReadsDirectly(direct, at: position)
    }
  }
}
