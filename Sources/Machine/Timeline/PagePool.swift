// Owns copies of pages of guest memory, each of which has a number.

import Bus
import Glibc

/// Room for copies of 4 KiB pages. A copy belongs to one holder, who gives it back; number 0 is a page of zeros.
@safe
final class PagePool {
  typealias Copy = UInt32
  static let zeros: Copy = 0

  /// Address space for as many pages as there may be; it takes memory where it is used.
  private let base: UnsafeMutableRawPointer
  private let capacity: Int
  private var free: [Copy] = []
  private var made: Copy = 1

  /// Bytes of the pages in use.
  var bytes: Int { (Int(made) - 1 - free.count) * pageSize }

  /// For copies of `limit` bytes.
  init(limit: Int) throws(MemoryError) {
    capacity = (limit / pageSize + 1) * pageSize
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    let pages = unsafe mmap(nil, capacity, PROT_READ | PROT_WRITE, flags, -1, 0)
    guard let pages = unsafe pages, unsafe pages != MAP_FAILED else { throw .system(call: "mmap", errno: errno) }
    unsafe base = unsafe pages
  }

  deinit { unsafe munmap(base, capacity) }

  private func place(_ copy: Copy) -> UnsafeMutableRawPointer {
    precondition(Int(copy) * pageSize < capacity, "more copies of pages than there is room for")
    return unsafe base + Int(copy) * pageSize
  }

  /// Copies a page of memory; a page of zeros takes no room.
  func copy(_ page: Int, of memory: RAMRegion) -> Copy {
    guard differs(Self.zeros, from: page, of: memory) else { return Self.zeros }
    let copy = free.popLast() ?? new()
    unsafe place(copy).copyMemory(from: memory.alias + page * pageSize, byteCount: pageSize)
    return copy
  }

  private func new() -> Copy {
    defer { made += 1 }
    return made
  }

  func release(_ copy: Copy) { if copy != Self.zeros { free.append(copy) } }

  /// One more copy of what a copy holds.
  func duplicate(_ copy: Copy) -> Copy {
    guard copy != Self.zeros else { return copy }
    let other = free.popLast() ?? new()
    unsafe place(other).copyMemory(from: place(copy), byteCount: pageSize)
    return other
  }

  /// A copy of a page's bytes.
  func copy(_ bytes: ArraySlice<UInt8>) -> Copy {
    guard bytes.contains(where: { $0 != 0 }) else { return Self.zeros }
    let copy = free.popLast() ?? new()
    unsafe bytes.withUnsafeBytes { unsafe place(copy).copyMemory(from: $0.baseAddress!, byteCount: pageSize) }
    return copy
  }

  func bytes(of copy: Copy) -> [UInt8] {
    unsafe [UInt8](UnsafeRawBufferPointer(start: place(copy), count: pageSize))
  }

  /// Whether a page of memory holds something else than a copy.
  func differs(_ copy: Copy, from page: Int, of memory: RAMRegion) -> Bool {
    unsafe memcmp(place(copy), memory.alias + page * pageSize, pageSize) != 0
  }

  /// Puts a copy back.
  func restore(_ copy: Copy, to page: Int, of memory: RAMRegion) {
    unsafe (memory.alias + page * pageSize).copyMemory(from: place(copy), byteCount: pageSize)
  }
}
