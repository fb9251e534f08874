// Lookups in the flattened map, and accesses through it.

import Bits

extension FlatMap {
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

  func directMemory(_ segment: Segment, at address: UInt64) -> DirectMemory? {
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
