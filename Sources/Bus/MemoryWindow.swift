// The flat host view of guest physical memory that translated code accesses directly.

import Bits
import Glibc

/// What translated code may do with a page of the window; the smaller case allows less.
public enum PageAccess: Sendable, Comparable {
  case none, readOnly, readWrite
}

/// A reserved stretch of host addresses in which guest memory appears at `base` + guest address.
///
/// Everything not mapped is inaccessible, guards before and after included, so that a stray access faults.
@safe
public final class MemoryWindow {
  /// Guest addresses covered: `0..<size`.
  public let size: UInt64
  /// Host address of guest address 0.
  public let base: UnsafeMutableRawPointer
  private let reservation: UnsafeMutableRawPointer
  private let reservationSize: Int
  private let dirty: DirtyPages
  /// What is mapped where; disjoint.
  private var pieces: [Piece] = []

  /// `count` bytes at a guest address, which show a region's memory from byte `offset`.
  private struct Piece {
    var address: Int
    var count: Int
    var memory: RAMRegion
    var offset: Int

    /// What of it lies in a range of guest addresses.
    func within(_ range: some RangeExpression<Int>) -> Piece? {
      let own = address..<address + count
      let part = range.relative(to: Int.min..<Int.max).clamped(to: own)
      guard !part.isEmpty else { return nil }
      return Piece(
        address: part.lowerBound, count: part.count, memory: memory, offset: offset + part.lowerBound - address)
    }
  }

  public static let defaultSize: UInt64 = 4 << 30
  public static let defaultGuard: UInt64 = 2 << 30

  /// Reserves `size` bytes and `guardSize` bytes on either side, all inaccessible.
  public init(
    size: UInt64 = MemoryWindow.defaultSize, guardSize: UInt64 = MemoryWindow.defaultGuard
  ) throws(MemoryError) {
    guard size % UInt64(pageSize) == 0, guardSize % UInt64(pageSize) == 0, size <= 1 << 46, guardSize <= 1 << 40 else {
      throw .badRange(name: "window", base: 0, size: size)
    }
    let total = Int(size + 2 * guardSize)
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    let pointer = unsafe mmap(nil, total, PROT_NONE, flags, -1, 0)
    guard let pointer = unsafe pointer, unsafe pointer != MAP_FAILED else { throw .system(call: "mmap", errno: errno) }
    self.size = size
    unsafe reservation = unsafe pointer
    reservationSize = total
    unsafe base = unsafe pointer + Int(guardSize)
    do throws(MemoryError) { dirty = try unsafe DirtyPages(base: base, size: Int(size)) } catch {
      unsafe munmap(pointer, total)
      throw error
    }
  }

  deinit {
    forget(0..<Int(size))
    unsafe munmap(reservation, reservationSize)
  }

  /// Makes the `count` bytes right before `base` ordinary memory, all 0; a multiple of the page size and at most the guard.
  public func makeRoom(before count: Int) throws(MemoryError) -> UnsafeMutableRawPointer {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED
    let room = unsafe mmap(base - count, count, PROT_READ | PROT_WRITE, flags, -1, 0)
    guard let room = unsafe room, unsafe room != MAP_FAILED else { throw .system(call: "mmap", errno: errno) }
    return unsafe room
  }

  /// Whether the `count` bytes at a guest address lie in the window.
  public func covers(_ address: UInt64, count: UInt64) -> Bool { address <= size && count <= size - address }

  /// Maps `count` bytes of guest memory from byte `offset` at a guest address; all three page-aligned.
  public func map(
    _ memory: RAMRegion, offset: Int = 0, at address: UInt64, count: Int, _ access: PageAccess
  ) throws(MemoryError) {
    try check(address, count)
    guard offset % pageSize == 0, offset >= 0, offset <= (memory.size + pageSize - 1) & ~(pageSize - 1) - count else {
      throw .badRange(name: memory.name, base: address, size: UInt64(count))
    }
    let flags = MAP_SHARED | MAP_FIXED | MAP_NORESERVE
    let mapped = unsafe mmap(base + Int(address), count, access.protection, flags, memory.descriptor, offset)
    guard unsafe mapped != MAP_FAILED else { throw .system(call: "mmap", errno: errno) }
    forget(Int(address)..<Int(address) + count)
    pieces.append(Piece(address: Int(address), count: count, memory: memory, offset: offset))
    try memory.isShown(by: self)
    if access == .readWrite { try dirty.protect(Int(address), count: count, access) }
  }

  /// Makes a page-aligned stretch inaccessible and forgets what was mapped there.
  public func unmap(_ address: UInt64, count: Int) throws(MemoryError) {
    try check(address, count)
    forget(Int(address)..<Int(address) + count)
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED
    guard unsafe mmap(base + Int(address), count, PROT_NONE, flags, -1, 0) != MAP_FAILED else {
      throw .system(call: "mmap", errno: errno)
    }
  }

  /// Changes what translated code may do with a page-aligned stretch of mapped pages.
  public func protect(_ address: UInt64, count: Int, _ access: PageAccess) throws(MemoryError) {
    try check(address, count)
    try dirty.protect(Int(address), count: count, access)
  }

  // MARK: Writes

  /// Notes writes to all memory that is shown, from now on, for ``passDirtyPages()``.
  func beginTracking() throws(MemoryError) { if !dirty.isTracking { try dirty.begin() } }

  /// Tells the regions that are shown what of them was written through the window since the last call.
  func passDirtyPages() {
    guard dirty.isTracking else { return }
    for range in dirty.take() {
      for case let part? in pieces.map({ $0.within(range) }) {
        part.memory.noteDirty(part.offset..<part.offset + part.count)
      }
    }
  }

  /// Takes a range of addresses out of what is known.
  private func forget(_ range: Range<Int>) {
    passDirtyPages()
    let before = pieces
    pieces = pieces.flatMap { piece in
      guard piece.within(range) != nil else { return [piece] }
      return [piece.within(..<range.lowerBound), piece.within(range.upperBound...)].compactMap { $0 }
    }
    for piece in before where !pieces.contains(where: { $0.memory === piece.memory }) {
      piece.memory.isNoLongerShown(by: self)
    }
    dirty.forget(range.lowerBound, count: range.count)
  }

  private func check(_ address: UInt64, _ count: Int) throws(MemoryError) {
    guard address % UInt64(pageSize) == 0 else { throw .unaligned(address: address) }
    guard count % pageSize == 0 else { throw .unaligned(address: address &+ UInt64(truncatingIfNeeded: count)) }
    guard count > 0, covers(address, count: UInt64(count)) else {
      throw .badRange(name: "window", base: address, size: UInt64(truncatingIfNeeded: count))
    }
  }
}

extension MemoryWindow {
  /// Maps every whole page of direct memory in `space`, RAM read-write and ROM read-only; the rest becomes
  /// inaccessible. Call again after the layout changed: protections set since are lost.
  public func mapAll(of space: FlatMap) throws(MemoryError) {
    try unmap(0, count: Int(size))
    for stretch in space.layout { try mapPages(of: space, from: stretch.first, through: stretch.last) }
  }

  /// Maps or unmaps again the pages that a region of `space` touches; for `FlatMap.didChangeLayout`.
  public func remap(_ region: Region, of space: FlatMap) throws(MemoryError) {
    let page = UInt64(pageSize)
    guard region.base < size else { return }
    let first = region.base.alignedDown(to: page)
    let end = min(region.last.alignedDown(to: page), size - page) + page
    try unmap(first, count: Int(end - first))
    for stretch in space.layout where stretch.first < end && stretch.last >= first {
      try mapPages(of: space, from: max(stretch.first, first), through: min(stretch.last, end - 1))
    }
  }

  /// Maps the whole pages within `first...last`, which belong to one stretch of the layout.
  private func mapPages(of space: FlatMap, from first: UInt64, through last: UInt64) throws(MemoryError) {
    let page = UInt64(pageSize)
    let start = first.alignedUp(to: page)
    guard start >= first, start < size, last >= start, last - start >= page - 1 else { return }
    let count = Int(min(((last - start) &+ 1).alignedDown(to: page), size - start))
    guard let direct = space.ram(at: start), direct.offset % pageSize == 0 else { return }
    let access: PageAccess = direct.isWritable ? .readWrite : .readOnly
    try map(direct.memory, offset: direct.offset, at: start, count: count, access)
  }
}

extension PageAccess {
  var protection: Int32 {
    switch self {
    case .none: PROT_NONE
    case .readOnly: PROT_READ
    case .readWrite: PROT_READ | PROT_WRITE
    }
  }
}
