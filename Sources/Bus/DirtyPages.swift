// Owns the tracking of writes to a mapping of guest memory: see `CHost/DirtyPages.h`.

import CHost
import Glibc

/// Which pages of a mapping were written since somebody last looked. While nobody tracks them it costs nothing; while
/// somebody does, the first write to a stretch of 16 pages after each look, or to more where writes go on and on, takes a fault.
@safe
final class DirtyPages {
  private let pages: OpaquePointer
  private(set) var isTracking = false

  /// For the `size` bytes of address space at `base`, where nothing may be accessed yet.
  init(base: UnsafeMutableRawPointer, size: Int) throws(MemoryError) {
    guard let pages = unsafe chost_dirty_make(base, UInt64(size)) else {
      throw .system(call: "tracking writes", errno: ENOMEM)
    }
    unsafe self.pages = pages
  }

  deinit { unsafe chost_dirty_free(pages) }

  /// Sets what may be done with a stretch of pages.
  func protect(_ offset: Int, count: Int, _ access: PageAccess) throws(MemoryError) {
    try check(unsafe chost_dirty_protect(pages, UInt64(offset), UInt64(count), access.protection), "mprotect")
  }

  /// Nothing is mapped at these pages any more.
  func forget(_ offset: Int, count: Int) { unsafe chost_dirty_forget(pages, UInt64(offset), UInt64(count)) }

  func begin() throws(MemoryError) {
    try check(chost_faults_install(), "sigaction")
    try check(unsafe chost_dirty_begin(pages), "mprotect")
    isTracking = true
  }

  /// The stretches that were written since the last call, in bytes from the base, ascending.
  func take() -> [Range<Int>] {
    var capacity = 256
    while true {
      var count = 0
      let found = unsafe [ChostDirtyStretch](unsafeUninitializedCapacity: capacity) { buffer, used in
        count = unsafe chost_dirty_take(pages, buffer.baseAddress, capacity)
        used = count <= capacity ? count : 0
      }
      if count <= capacity { return found.map { Int($0.start)..<Int($0.start + $0.count) } }
      capacity = count
    }
  }

  private func check(_ result: Int32, _ call: String) throws(MemoryError) {
    if result < 0 { throw .system(call: call, errno: -result) }
  }
}
