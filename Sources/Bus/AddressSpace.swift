// The guest's physical address map: which region answers at an address, and accesses through it.

import Bits

/// Something that answers MMIO accesses; `region` is the index of its `reg` entry.
public protocol MMIOTarget: AnyObject {
  /// Reads `size` (1, 2, 4, 8) bytes at `offset` of a region, zero-extended; may have side effects.
  func read(region: Int, offset: UInt64, size: Int) -> UInt64
  /// Writes the low `size` bytes of `value` at `offset` of a region.
  func write(region: Int, offset: UInt64, size: Int, value: UInt64)
  /// As `read` without side effects, for debuggers; nil where that is impossible.
  func peek(region: Int, offset: UInt64, size: Int) -> UInt64?
  /// Whether a store to memory that the device answers for is a bus error.
  func refusesWrite(region: Int, offset: UInt64, size: Int) -> Bool
}

extension MMIOTarget {
  public func refusesWrite(region: Int, offset: UInt64, size: Int) -> Bool { false }
}

/// One region of an address space: `size` bytes at `base`.
public struct Region {
  public enum Backing {
    /// Memory the guest reads and writes, from byte `offset` of the RAM region.
    case ram(RAMRegion, offset: Int)
    /// Memory the guest only reads.
    case rom(RAMRegion, offset: Int)
    /// A device's registers.
    case device(any MMIOTarget, index: Int)
    /// Memory that reads directly until its device takes the reads over (flash); writes go to the device.
    case romDevice(RAMRegion, any MMIOTarget, index: Int)
  }

  public let name: String
  public let base: UInt64
  public let size: UInt64
  public let backing: Backing
  /// Whether this region hides what lies below it.
  public let isOverlay: Bool
  /// For `romDevice`: reads come from the memory. Always true for RAM and ROM, false for devices.
  public internal(set) var readsDirectly: Bool
  /// Whether another region shows the same memory.
  public internal(set) var isShared = false

  /// The last address of the region.
  public var last: UInt64 { base &+ (size &- 1) }
  var range: AddressRange { AddressRange(base: base, size: size) }

  /// Who answers where memory does not.
  var target: RegionTarget? {
    switch backing {
    case .device(let device, let index), .romDevice(_, let device, let index):
      RegionTarget(device, index: index)
    case .ram, .rom: nil
    }
  }

  /// The memory behind it, and the byte of it that `base` shows; nil for devices.
  var memory: (RAMRegion, offset: Int)? {
    switch backing {
    case .ram(let memory, let offset), .rom(let memory, let offset): (memory, offset)
    case .romDevice(let memory, _, _): (memory, 0)
    case .device: nil
    }
  }
}

/// A stretch of guest memory that may be accessed directly on the host.
public struct DirectMemory {
  public let memory: RAMRegion
  /// Byte offset into `memory`.
  public let offset: Int
  public let isWritable: Bool
}

/// A map from guest physical addresses to regions.
///
/// Regions do not overlap, except that an overlay hides parts of the regions below it. Lookups are binary searches
/// over the flattened map.
public final class AddressSpace {
  /// The regions in order of their base address, overlays among them.
  public private(set) var regions: [Region] = []
  /// The flattened map: disjoint stretches in ascending order, each of one region.
  private let table = SegmentTable()
  /// What ``table`` holds: the stretches, and by number of region who answers there.
  private var segments: [SegmentRow] = []
  private var targets: [RegionTarget?] = []
  /// What overlays hide.
  private var overlays: [AddressRange] = []

  /// Called after guest memory changed through this address space, for each address that shows it: address and byte
  /// count.
  public var didWriteMemory: ((UInt64, Int) -> Void)?
  /// Called before memory is accessed otherwise than by a CPU's load or store: by a device, by a host call (address, byte count, whether it writes); nil while nobody looks.
  public var willTransfer: ((UInt64, Int, _ isWrite: Bool) -> Void)?
  /// Called when a region was added, removed, or changed between direct and device reads.
  public var didChangeLayout: ((Region) -> Void)?

  public init() {}

  // MARK: Layout

  /// Adds a region. Throws when it is empty, wraps around, or overlaps another of the same level.
  public func map(
    _ name: String, at base: UInt64, size: UInt64, _ backing: Region.Backing, overlay: Bool = false
  ) throws(MemoryError) {
    guard size > 0, base <= UInt64.max - (size - 1) else { throw .badRange(name: name, base: base, size: size) }
    var readsDirectly = true
    switch backing {
    case .ram(let memory, let offset), .rom(let memory, let offset):
      guard offset >= 0, offset <= memory.size, size <= UInt64(memory.size - offset) else {
        throw .badRange(name: name, base: base, size: size)
      }
    case .romDevice(let memory, _, _):
      guard size <= UInt64(memory.size) else { throw .badRange(name: name, base: base, size: size) }
    case .device: readsDirectly = false
    }
    let region = Region(
      name: name, base: base, size: size, backing: backing, isOverlay: overlay, readsDirectly: readsDirectly)
    let position = self.position(of: base, overlay)
    // Regions of one level lie one behind another, so that only the neighbours can be in the way.
    let before = regions[..<position].last { $0.isOverlay == overlay }.flatMap { $0.last >= base ? $0 : nil }
    let after = regions[position...].first { $0.isOverlay == overlay }.flatMap { $0.base <= region.last ? $0 : nil }
    if let other = before ?? after {
      throw .overlap(new: name, existing: other.name, at: max(base, other.base))
    }
    regions.insert(region, at: position)
    let isPlain = !overlay && region.memory == nil && !overlays.contains { $0.overlaps(region.range) }
    if isPlain { insertSegment(of: position) } else { flatten() }
    didChangeLayout?(region)
  }

  /// Where a region that begins there has its place in ``regions``.
  private func position(of base: UInt64, _ overlay: Bool) -> Int {
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

  /// Removes the region of this name and base; returns whether there was one.
  @discardableResult
  public func unmap(_ name: String, at base: UInt64) -> Bool {
    guard let index = regions.firstIndex(where: { $0.base == base && $0.name == name }) else { return false }
    let region = regions.remove(at: index)
    flatten()
    didChangeLayout?(region)
    return true
  }

  /// Chooses whether reads of a device's `romDevice` regions with this index come from memory.
  public func setReadsDirectly(_ direct: Bool, target: any MMIOTarget, index: Int) {
    for position in regions.indices {
      guard case .romDevice(_, let owner, index) = regions[position].backing, owner === target else { continue }
      guard regions[position].readsDirectly != direct else { continue }
      regions[position].readsDirectly = direct
      flatten()
      didChangeLayout?(regions[position])
    }
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

  // MARK: Lookup

  /// The stretch that contains `address`.
  @inline(__always)
  public func segment(at address: UInt64) -> Segment? { table.find(address) }

  /// The region that answers at `address`.
  public func region(at address: UInt64) -> Region? { table.find(address).map { regions[$0.region] } }

  /// Where `count` bytes lie in host memory, if they read directly from one region, and whether writes go there.
  @inline(__always)
  public func hostMemory(at address: UInt64, count: Int) -> (bytes: UnsafeMutableRawPointer, isWritable: Bool)? {
    guard let found = table.find(address), found.memory != 0, found.last &- address >= UInt64(count &- 1),
      let bytes = unsafe UnsafeMutableRawPointer(bitPattern: found.memory &+ UInt(address &- found.first))
    else { return nil }
    return unsafe (bytes, found.isWritable)
  }

  /// Reads `size` (1, 2, 4, 8) bytes of memory, little endian, zero-extended; nil where not all of it is memory of one
  /// region. For page walks and their like: reaches no device.
  @inline(__always)
  public func readMemory(_ address: UInt64, size: Int) -> UInt64? {
    guard let found = unsafe hostMemory(at: address, count: size) else { return nil }
    return unsafe HostBytes.load(found.bytes, size: size)
  }

  /// The region that answers at `address`, and the last address up to which it goes on to answer.
  public func stretch(at address: UInt64) -> (region: Region, last: UInt64)? {
    table.find(address).map { (regions[$0.region], $0.last) }
  }

  /// The memory behind `address`, when `count` bytes there read directly from one region.
  public func ram(at address: UInt64, count: Int = 1) -> DirectMemory? {
    guard count > 0, let found = table.find(address), found.last - address >= UInt64(count - 1) else { return nil }
    return directMemory(found, at: address)
  }

  /// The memory behind the whole 4 KiB page that contains `address`; nil when any byte of it is not direct memory.
  public func directPage(at address: UInt64) -> DirectMemory? {
    ram(at: address.alignedDown(to: UInt64(pageSize)), count: pageSize)
  }

  private func directMemory(_ segment: Segment, at address: UInt64) -> DirectMemory? {
    let region = regions[segment.region]
    let distance = Int(address - region.base)
    switch region.backing {
    case .ram(let memory, let offset):
      return DirectMemory(memory: memory, offset: offset + distance, isWritable: true)
    case .rom(let memory, let offset):
      return DirectMemory(memory: memory, offset: offset + distance, isWritable: false)
    case .romDevice(let memory, _, _) where region.readsDirectly:
      return DirectMemory(memory: memory, offset: distance, isWritable: false)
    case .romDevice, .device: return nil
    }
  }

  /// The flattened map as (first address, last address, region), ascending: what `info mtree` lists.
  public var layout: [(first: UInt64, last: UInt64, region: Region)] {
    table.all.map { ($0.first, $0.last, regions[$0.region]) }
  }

  // MARK: Memory at several addresses

  /// Tells that `count` bytes of one region's memory have changed: at `address`, and wherever else they appear.
  public func noteWrite(_ address: UInt64, _ count: Int) {
    didWriteMemory?(address, count)
    for alias in aliases(of: address, count: count) { didWriteMemory?(alias.address, alias.count) }
  }

  /// Where else some of `count` bytes of one region's memory appear.
  public func aliases(of address: UInt64, count: Int) -> [(address: UInt64, count: Int)] {
    guard let found = table.find(address), found.isShared else { return [] }
    let region = regions[found.region]
    guard let (memory, offset) = region.memory else { return [] }
    let start = offset + Int(address - region.base)
    return regions.compactMap { other in
      guard other.base != region.base, let (shown, first) = other.memory, shown === memory else { return nil }
      let low = max(start, first)
      let high = min(start + count, first + Int(other.size))
      return low < high ? (other.base + UInt64(low - first), high - low) : nil
    }
  }

  // MARK: Accesses

  /// Reads `size` (1, 2, 4, 8) bytes, little endian, zero-extended. An access may straddle regions.
  public func read(_ address: UInt64, size: Int) throws(BusError) -> UInt64 {
    guard let found = table.find(address) else { throw .unmapped(address) }
    guard found.last - address >= UInt64(size - 1) else {
      var value: UInt64 = 0
      for byte in 0..<size {
        value |= try read(address &+ UInt64(byte), size: 1) << UInt64(8 * byte)
      }
      return value
    }
    if let bytes = unsafe UnsafeMutableRawPointer(bitPattern: found.memory) {
      return unsafe HostBytes.load(bytes + Int(address &- found.first), size: size)
    }
    guard let value = readDevice(found, address, size: size) else { throw .unmapped(address) }
    return value
  }

  /// Writes the low `size` (1, 2, 4, 8) bytes of `value`, little endian. An access may straddle regions.
  public func write(_ address: UInt64, size: Int, _ value: UInt64) throws(BusError) {
    guard let found = table.find(address) else { throw .unmapped(address) }
    guard found.last - address >= UInt64(size - 1) else {
      for byte in 0..<size {
        try write(address &+ UInt64(byte), size: 1, value >> UInt64(8 * byte))
      }
      return
    }
    if found.isWritable, let bytes = unsafe UnsafeMutableRawPointer(bitPattern: found.memory) {
      unsafe HostBytes.store(value, bytes + Int(address &- found.first), size: size)
      return found.isShared ? noteWrite(address, size) : didWriteMemory?(address, size) ?? ()
    }
    let offset = address &- found.base
    if found.memory != 0, table.ask(found, { $0.refusesWrite(region: $1, offset: offset, size: size) }) == true {
      throw .refused(address)
    }
    guard writeDevice(found, address, size: size, value) else { throw .readOnly(address) }
  }

  /// Reads a device's register, where a stretch is one that a device answers; nil where it is not.
  public func readDevice(_ found: Segment, _ address: UInt64, size: Int) -> UInt64? {
    guard found.memory == 0 else { return nil }
    return table.ask(found) { $0.read(region: $1, offset: address &- found.base, size: size) }
  }

  /// Writes the low `size` bytes of `value` to a device's register.
  /// - Returns: whether a device answers writes there.
  public func writeDevice(_ found: Segment, _ address: UInt64, size: Int, _ value: UInt64) -> Bool {
    guard !found.isWritable else { return false }
    let answer: Void? = table.ask(found) {
      $0.write(region: $1, offset: address &- found.base, size: size, value: value & .mask(8 * size))
    }
    return answer != nil
  }

  /// As `read` without side effects; nil where a device cannot answer without them.
  public func peek(_ address: UInt64, size: Int) -> UInt64? {
    guard let region = region(at: address) else { return nil }
    switch region.backing {
    case .device(let target, let index) where region.last - address >= UInt64(size - 1):
      return target.peek(region: index, offset: address - region.base, size: size)
    case .romDevice(_, let target, let index) where !region.readsDirectly:
      return target.peek(region: index, offset: address - region.base, size: size)
    case .device: return nil
    case .ram, .rom, .romDevice: return try? read(address, size: size)
    }
  }

  /// Copies bytes into memory, read-only memory included: for loaders and debuggers. Devices refuse.
  public func copyIn(_ bytes: [UInt8], at address: UInt64) throws(BusError) {
    var done = 0
    while done < bytes.count {
      let position = address &+ UInt64(done)
      guard let found = table.find(position) else { throw .unmapped(position) }
      let region = regions[found.region]
      let count = min(UInt64(bytes.count - done - 1), found.last - position)
      let chunk = bytes[done...(done + Int(count))]
      let distance = Int(position - region.base)
      switch region.backing {
      case .ram(let memory, let offset), .rom(let memory, let offset): memory.write(chunk, at: offset + distance)
      case .romDevice(let memory, _, _): memory.write(chunk, at: distance)
      case .device:
        // What an image has below an overlay is hidden from the guest.
        guard region.isOverlay else { throw .readOnly(position) }
      }
      noteWrite(position, chunk.count)
      done += chunk.count
    }
  }

  /// A copy of `count` bytes without side effects; throws at the first byte that cannot be read so.
  public func copyOut(at address: UInt64, count: Int) throws(BusError) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count {
      let position = address &+ UInt64(bytes.count)
      guard let found = table.find(position) else { throw .unmapped(position) }
      if let direct = directMemory(found, at: position) {
        let chunk = min(UInt64(count - bytes.count - 1), found.last - position)
        bytes += direct.memory.bytes(at: direct.offset, count: Int(chunk) + 1)
      } else if let byte = peek(position, size: 1) {
        bytes.append(UInt8(truncatingIfNeeded: byte))
      } else {
        throw .unmapped(position)
      }
    }
    return bytes
  }
}
