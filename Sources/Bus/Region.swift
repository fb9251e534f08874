// What an address map consists of: regions of memory and of devices.

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

  public init(name: String, base: UInt64, size: UInt64, backing: Backing, isOverlay: Bool = false) {
    self.name = name
    self.base = base
    self.size = size
    self.backing = backing
    self.isOverlay = isOverlay
    if case .device = backing { readsDirectly = false } else { readsDirectly = true }
  }

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
  public var memory: (RAMRegion, offset: Int)? {
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
