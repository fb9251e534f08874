// The flattened map of an address space as hot code looks it up: flat, and without counting references.

/// What is known of a stretch of guest physical addresses that one region answers.
@usableFromInline
struct SegmentRow: BitwiseCopyable {
  @usableFromInline var first: UInt64
  @usableFromInline var last: UInt64
  @usableFromInline var memory: UInt
  /// Index of the region.
  var region: Int
  /// Where the region starts.
  var base: UInt64
  @usableFromInline var isWritable: Bool
  @usableFromInline var isShared: Bool
}

/// A stretch of guest physical addresses that one region answers, until the layout changes. A reference into the table:
/// copies of its rows would be what an access to a device costs most.
@safe public struct Segment: BitwiseCopyable {
  @usableFromInline let row: UnsafePointer<SegmentRow>

  init(_ row: UnsafePointer<SegmentRow>) { unsafe self.row = unsafe row }

  @inlinable public var first: UInt64 { unsafe row.pointee.first }
  @inlinable public var last: UInt64 { unsafe row.pointee.last }
  /// Host address of the byte at `first`, where reads come from memory; 0 where a device answers them.
  @inlinable public var memory: UInt { unsafe row.pointee.memory }
  /// Whether writes go to memory.
  @inlinable public var isWritable: Bool { unsafe row.pointee.isWritable }
  /// Whether another region shows the same memory.
  @inlinable public var isShared: Bool { unsafe row.pointee.isShared }
  var region: Int { unsafe row.pointee.region }
  var base: UInt64 { unsafe row.pointee.base }
}

/// Disjoint stretches in ascending order, in memory of their own: looking one up takes no check for overlapping accesses.
@safe
struct SegmentTable: ~Copyable {
  @safe private struct Storage {
    var segments = unsafe UnsafeMutableBufferPointer<SegmentRow>(start: nil, count: 0)
    /// By number of region.
    var targets = unsafe UnsafeMutableBufferPointer<Unmanaged<RegionTarget>?>(start: nil, count: 0)
    /// The stretch found last.
    var latest = 0
  }

  private let storage: UnsafeMutablePointer<Storage>

  init() {
    unsafe storage = .allocate(capacity: 1)
    unsafe storage.initialize(to: Storage())
  }

  deinit {
    free()
    unsafe storage.deallocate()
  }

  private func free() {
    unsafe storage.pointee.segments.deallocate()
    unsafe storage.pointee.targets.deallocate()
  }

  /// Holds these stretches in place of those before.
  /// - Parameter targets: by number of region; the caller keeps them.
  func replace(with segments: [SegmentRow], targets: [RegionTarget?]) {
    free()
    var new = Storage()
    unsafe new.segments = .allocate(capacity: segments.count)
    unsafe new.targets = .allocate(capacity: targets.count)
    _ = unsafe new.segments.initialize(from: segments)
    _ = unsafe new.targets.initialize(from: targets.map { unsafe $0.map { unsafe Unmanaged.passUnretained($0) } })
    unsafe storage.pointee = new
  }

  /// Lets who answers where reads, or writes, are not those of memory do so.
  /// - Returns: nil for memory, where nobody was asked.
  @inline(__always)
  func ask<T>(_ segment: Segment, _ body: (any MMIOTarget, _ index: Int) -> T) -> T? {
    unsafe storage.pointee.targets[segment.region]?._withUnsafeGuaranteedRef { body($0.device, $0.index) }
  }

  var all: [SegmentRow] { unsafe Array(storage.pointee.segments) }

  /// The stretch that contains `address`.
  @inline(__always)
  func find(_ address: UInt64) -> Segment? {
    let (base, count, latest) = unsafe (
      storage.pointee.segments.baseAddress, storage.pointee.segments.count, storage.pointee.latest
    )
    guard let base = unsafe base, count > 0 else { return nil }
    let known = unsafe UnsafePointer(base + latest)
    if unsafe known.pointee.first <= address, unsafe address <= known.pointee.last { return unsafe Segment(known) }
    var (low, high) = (0, count)
    while low < high {
      let middle = (low &+ high) / 2
      if unsafe base[middle].last < address { low = middle &+ 1 } else { high = middle }
    }
    guard low < count, unsafe base[low].first <= address else { return nil }
    unsafe storage.pointee.latest = low
    return unsafe Segment(base + low)
  }
}

/// Who answers the accesses to a region that is not plain memory. Constant, so that calls of the device count no references.
final class RegionTarget {
  let device: any MMIOTarget
  let index: Int

  init(_ device: any MMIOTarget, index: Int) {
    self.device = device
    self.index = index
  }
}

/// Numbers in host memory as guests see them, for those who have bounded the address.
public enum HostBytes {
  /// 1, 2, 4 or 8 bytes, little endian, zero-extended.
  @inlinable @inline(__always)
  public static func load(_ bytes: UnsafeMutableRawPointer, size: Int) -> UInt64 {
    switch size {
    case 1: UInt64(unsafe bytes.load(as: UInt8.self))
    case 2: UInt64(UInt16(littleEndian: unsafe bytes.loadUnaligned(as: UInt16.self)))
    case 4: UInt64(UInt32(littleEndian: unsafe bytes.loadUnaligned(as: UInt32.self)))
    case 8: UInt64(littleEndian: unsafe bytes.loadUnaligned(as: UInt64.self))
    default: preconditionFailure("an access has 1, 2, 4 or 8 bytes")
    }
  }

  /// Stores the low 1, 2, 4 or 8 bytes of `value`, little endian.
  @inlinable @inline(__always)
  public static func store(_ value: UInt64, _ bytes: UnsafeMutableRawPointer, size: Int) {
    switch size {
    case 1: unsafe bytes.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
    case 2: unsafe bytes.storeBytes(of: UInt16(truncatingIfNeeded: value).littleEndian, as: UInt16.self)
    case 4: unsafe bytes.storeBytes(of: UInt32(truncatingIfNeeded: value).littleEndian, as: UInt32.self)
    case 8: unsafe bytes.storeBytes(of: value.littleEndian, as: UInt64.self)
    default: preconditionFailure("an access has 1, 2, 4 or 8 bytes")
    }
  }
}
