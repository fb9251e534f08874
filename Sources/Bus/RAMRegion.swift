// Guest memory (RAM or ROM): a memfd mapped read-write for the emulator itself.

import Bits
import CHost
import Glibc

/// The page size of host mappings, in bytes.
public let pageSize = 4096

/// Guest memory of fixed size, zero at first, owned by this object.
///
/// The emulator reads and writes it here; a `MemoryWindow` maps the same pages again for translated code.
/// Offsets are in bytes from the start of the region. Every access is checked against `size`.
@safe
public final class RAMRegion {
  public let name: String
  /// Bytes the guest sees.
  public let size: Int
  /// The memfd behind the pages.
  public let descriptor: Int32
  /// The emulator's own read-write mapping, `size` bytes rounded up to whole pages.
  public let alias: UnsafeMutableRawPointer
  private let mappedSize: Int
  /// Of `alias`; nil until writes are tracked.
  private var dirty: DirtyPages?
  /// What was written through other mappings, or without any.
  private var notedDirty: [Range<Int>] = []
  /// The windows that show it.
  private var views: [View] = []

  private struct View {
    unowned let window: MemoryWindow
    /// By which a window is known that is on its way out.
    let identity: ObjectIdentifier
  }

  /// Allocates `size` bytes; pages take host memory only once touched.
  public init(name: String, size: Int) throws(MemoryError) {
    guard size > 0, size <= 1 << 46 else {
      throw .badRange(name: name, base: 0, size: UInt64(truncatingIfNeeded: size))
    }
    let mappedSize = (size + pageSize - 1) & ~(pageSize - 1)
    let descriptor = unsafe chost_memory_file("martlet-" + name, Int64(mappedSize))
    guard descriptor >= 0 else { throw .system(call: "memfd_create", errno: -descriptor) }
    let pointer = unsafe mmap(nil, mappedSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, descriptor, 0)
    guard let pointer = unsafe pointer, unsafe pointer != MAP_FAILED else {
      let number = errno
      close(descriptor)
      throw .system(call: "mmap", errno: number)
    }
    self.name = name
    self.size = size
    self.descriptor = descriptor
    unsafe self.alias = pointer
    self.mappedSize = mappedSize
  }

  deinit {
    unsafe munmap(alias, mappedSize)
    close(descriptor)
  }

  /// Whether `count` bytes at `offset` lie inside the region.
  @inlinable
  public func contains(offset: Int, count: Int) -> Bool {
    offset >= 0 && count >= 0 && offset <= size && count <= size - offset
  }

  /// Reads 1, 2, 4 or 8 bytes, zero-extended. Traps when out of bounds: callers resolve addresses first.
  @inlinable
  public func load(_ offset: Int, size count: Int, _ order: Endianness = .little) -> UInt64 {
    precondition(contains(offset: offset, count: count), "load outside of guest memory")
    switch count {
    case 1: return UInt64(unsafe alias.load(fromByteOffset: offset, as: UInt8.self))
    case 2: return UInt64(fix(unsafe alias.loadUnaligned(fromByteOffset: offset, as: UInt16.self), order))
    case 4: return UInt64(fix(unsafe alias.loadUnaligned(fromByteOffset: offset, as: UInt32.self), order))
    case 8: return fix(unsafe alias.loadUnaligned(fromByteOffset: offset, as: UInt64.self), order)
    default: preconditionFailure("an access has 1, 2, 4 or 8 bytes")
    }
  }

  /// Writes the low 1, 2, 4 or 8 bytes of `value`. Traps when out of bounds.
  @inlinable
  public func store(_ value: UInt64, at offset: Int, size count: Int, _ order: Endianness = .little) {
    precondition(contains(offset: offset, count: count), "store outside of guest memory")
    switch count {
    case 1: unsafe alias.storeBytes(of: UInt8(truncatingIfNeeded: value), toByteOffset: offset, as: UInt8.self)
    case 2:
      let fixed = fix(UInt16(truncatingIfNeeded: value), order)
      unsafe alias.storeBytes(of: fixed, toByteOffset: offset, as: UInt16.self)
    case 4:
      let fixed = fix(UInt32(truncatingIfNeeded: value), order)
      unsafe alias.storeBytes(of: fixed, toByteOffset: offset, as: UInt32.self)
    case 8: unsafe alias.storeBytes(of: fix(value, order), toByteOffset: offset, as: UInt64.self)
    default: preconditionFailure("an access has 1, 2, 4 or 8 bytes")
    }
  }

  /// Host value of a memory value in `order`, and the reverse.
  @inlinable
  func fix<T: FixedWidthInteger>(_ value: T, _ order: Endianness) -> T {
    order == .little ? T(littleEndian: value) : T(bigEndian: value)
  }
}

extension RAMRegion {
  /// A copy of `count` bytes at `offset`. Traps when out of bounds.
  public func bytes(at offset: Int, count: Int) -> [UInt8] {
    precondition(contains(offset: offset, count: count), "read outside of guest memory")
    return unsafe [UInt8](UnsafeRawBufferPointer(start: alias + offset, count: count))
  }

  /// Copies `bytes` to `offset`. Traps when out of bounds.
  public func write(_ bytes: some Collection<UInt8>, at offset: Int) {
    precondition(contains(offset: offset, count: bytes.count), "write outside of guest memory")
    unsafe UnsafeMutableRawBufferPointer(start: alias + offset, count: bytes.count).copyBytes(from: bytes)
  }

  /// Sets `count` bytes at `offset` to `byte`. Traps when out of bounds.
  public func fill(_ byte: UInt8 = 0, at offset: Int, count: Int) {
    precondition(contains(offset: offset, count: count), "fill outside of guest memory")
    unsafe (alias + offset).initializeMemory(as: UInt8.self, repeating: byte, count: count)
  }

  /// The page-aligned byte ranges that have ever been touched; all others read as zero.
  ///
  /// What a snapshot has to copy. Uses `SEEK_DATA` of the memfd.
  public func populatedRanges() -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    var position = 0
    while position < mappedSize {
      let start = Int(chost_memory_file_data(descriptor, Int64(position)))
      guard start >= 0 else { break }
      let hole = Int(chost_memory_file_hole(descriptor, Int64(start)))
      position = hole > start ? hole : mappedSize
      ranges.append(start..<position)
    }
    return ranges
  }

  /// Gives the pages of a page-aligned range back to the host; they read as zero again.
  public func discard(_ range: Range<Int>) throws(MemoryError) {
    let result = chost_memory_file_discard(descriptor, Int64(range.lowerBound), Int64(range.count))
    guard result == 0 else { throw .system(call: "fallocate", errno: -result) }
    noteDirty(range)
  }

  // MARK: Writes

  /// Tracks writes from now on, through whatever mapping. The kernel must not be made to write to the memory then.
  public func beginTracking() throws(MemoryError) {
    guard dirty == nil else { return }
    let pages = try unsafe DirtyPages(base: alias, size: mappedSize)
    try pages.protect(0, count: mappedSize, .readWrite)
    try pages.begin()
    dirty = pages
    for view in views { try view.window.beginTracking() }
  }

  func isShown(by window: MemoryWindow) throws(MemoryError) {
    let identity = ObjectIdentifier(window)
    if !views.contains(where: { $0.identity == identity }) { views.append(View(window: window, identity: identity)) }
    if dirty != nil { try window.beginTracking() }
  }

  func isNoLongerShown(by window: MemoryWindow) { views.removeAll { $0.identity == ObjectIdentifier(window) } }

  /// Pages of this range were written.
  func noteDirty(_ range: Range<Int>) { if dirty != nil { notedDirty.append(range) } }

  /// The stretches of whole pages that may have been written since the last call, ascending, without overlaps.
  public func takeDirtyPages() -> [Range<Int>] {
    for view in views { view.window.passDirtyPages() }
    let all = (notedDirty + (dirty?.take() ?? [])).sorted { $0.lowerBound < $1.lowerBound }
    notedDirty.removeAll(keepingCapacity: true)
    var merged: [Range<Int>] = []
    for range in all {
      if let last = merged.last, range.lowerBound <= last.upperBound {
        merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
      } else {
        merged.append(range)
      }
    }
    return merged
  }

  /// A 64-bit hash of the contents; whether an untouched page is backed or not makes no difference.
  public func digest() -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for range in populatedRanges() {
      for page in stride(from: range.lowerBound, to: range.upperBound, by: pageSize) {
        let words = unsafe UnsafeRawBufferPointer(start: alias + page, count: pageSize).bindMemory(to: UInt64.self)
        var any: UInt64 = 0
        var pageHash = UInt64(page)
        for index in 0..<words.count {
          let word = unsafe words[index]
          any |= word
          pageHash = (pageHash ^ word) &* 0x9e37_79b9_7f4a_7c15
          pageHash ^= pageHash >> 29
        }
        if any != 0 { hash = (hash ^ pageHash) &* 0x100_0000_01b3 }
      }
    }
    return hash
  }
}
