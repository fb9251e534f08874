// The memory translated code lives in: pages mapped writable at one place and executable at another.

import CHost
import Glibc

/// Memory for machine code, filled from its start. Never writable and executable through one mapping.
@safe
public final class CodeCache {
  public let size: Int
  /// Host address at which the code runs.
  public let base: UInt64
  public private(set) var used = 0
  /// Bytes, from the start, whose pages were asked for.
  private var populated = 0
  private let writable: UnsafeMutableRawPointer
  private let executable: UnsafeMutableRawPointer

  public init(size requested: Int) throws(HostError) {
    let page = 4096
    let size = (max(requested, 64 << 10) + page - 1) / page * page
    // Offsets are 32-bit and every branch must reach every place.
    guard size <= 1 << 30 else { throw .setup("a code cache has at most 1 GiB") }
    var write: UnsafeMutableRawPointer?
    var execute: UnsafeMutableRawPointer?
    let error = unsafe chost_code_memory(UInt64(size), &write, &execute)
    guard error == 0, let write = unsafe write, let execute = unsafe execute else {
      throw .setup("mapping the code cache: error \(-error)")
    }
    self.size = size
    unsafe writable = write
    unsafe executable = execute
    base = UInt64(UInt(bitPattern: execute))
  }

  deinit {
    unsafe munmap(writable, size)
    unsafe munmap(executable, size)
  }

  /// The last page, which never holds code.
  public var pollPage: UInt64 { base + UInt64(size - PollPage.size) }
  /// What ``LoopChains`` patches.
  public var writableMemory: UnsafeMutableRawPointer { unsafe writable }

  /// The free rest, and where its first byte will run. Valid while the cache lives.
  public var free: (memory: UnsafeMutableRawBufferPointer, address: UInt64) {
    unsafe (
      UnsafeMutableRawBufferPointer(start: writable + used, count: size - PollPage.size - used), base + UInt64(used)
    )
  }

  /// Keeps `count` bytes that were written at the start of `free`; the next ones start at a multiple of 16.
  public func commit(_ count: Int) {
    precondition(count >= 0 && count <= size - PollPage.size - used)
    used = min(size, (used + count + 15) & ~15)
    if used + Self.stride / 2 > populated { populate() }
  }

  /// Bytes whose pages are asked for together: a page fault for each would cost more than the code in it.
  private static var stride: Int { 64 << 10 }
  /// `MADV_POPULATE_WRITE`; before Linux 5.14 it fails, which changes nothing but speed.
  private static var populateWrite: Int32 { 23 }

  private func populate() {
    let end = min(size, used + Self.stride)
    guard end > populated else { return }
    _ = unsafe madvise(writable + populated, end - populated, Self.populateWrite)
    populated = (end + 4095) & ~4095
  }

  /// Forgets everything from byte `offset` on.
  public func rewind(to offset: Int) { used = min(used, offset) }

  /// Replaces four bytes at a multiple of 4 at once, as running code sees it.
  public func patch(_ value: Int32, at offset: Int) {
    precondition(offset >= 0 && offset & 3 == 0 && offset + 4 <= used)
    unsafe writable.storeBytes(of: value, toByteOffset: offset, as: Int32.self)
  }

  /// Replaces bytes that no other thread runs.
  public func patchBytes(_ bytes: [UInt8], at offset: Int) {
    precondition(offset >= 0 && offset + bytes.count <= used)
    for (index, byte) in bytes.enumerated() {
      unsafe writable.storeBytes(of: byte, toByteOffset: offset + index, as: UInt8.self)
    }
  }

  public func bytes(_ range: Range<Int>) -> [UInt8] {
    precondition(range.lowerBound >= 0 && range.upperBound <= used)
    return unsafe Array(UnsafeRawBufferPointer(start: executable + range.lowerBound, count: range.count))
  }
}
