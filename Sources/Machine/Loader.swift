// Owns what reading an image file comes to, whatever its format.

import Bits
import Bus

/// An image ready to be copied into guest memory.
public struct Image: Sendable {
  public struct Segment: Sendable {
    /// Physical address.
    public var address: UInt64
    public var bytes: [UInt8]
    /// Bytes in memory; beyond `bytes` they are zero.
    public var memorySize: UInt64
    /// What it is, for messages: a file's path.
    public var origin: String
    /// It holds nothing but headers of its file, and may be left out where there is no memory.
    public var isHeaders: Bool

    public init(
      address: UInt64, bytes: [UInt8], memorySize: UInt64? = nil, origin: String = "image", isHeaders: Bool = false
    ) {
      self.address = address
      self.origin = origin
      self.bytes = bytes
      self.memorySize = max(memorySize ?? 0, UInt64(bytes.count))
      self.isHeaders = isHeaders
    }

    public var range: AddressRange { AddressRange(base: address, size: memorySize) }
  }
  public var segments: [Segment] = []
  public var entry: UInt64?
  public var symbols: [Symbol] = []
  /// A file of bytes that says nothing of addresses.
  public var isRaw = false
  /// The ELF machine number, class and byte order, of an ELF file.
  public var elf: (machine: UInt16, bits: Int, order: Endianness)?
  /// An ELF file itself, for its debugging information.
  public var file: [UInt8]?
  /// Of an ELF file for Arm that has them.
  public var attributes: BuildAttributes?
  public init() {}

  /// Adds bytes: to the last segment if they follow it, else as a new one.
  mutating func append(_ data: ArraySlice<UInt8>, at address: UInt64) {
    guard !data.isEmpty else { return }
    let last = segments.count - 1
    if last >= 0, segments[last].address &+ segments[last].memorySize == address {
      segments[last].bytes += data
      segments[last].memorySize += UInt64(data.count)
    } else {
      segments.append(Segment(address: address, bytes: Array(data)))
    }
  }
}
