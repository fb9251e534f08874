// Owns the reading of image files: what they hold, whatever their format.

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
    public init(address: UInt64, bytes: [UInt8], memorySize: UInt64? = nil, origin: String = "image") {
      self.address = address
      self.origin = origin
      self.bytes = bytes
      self.memorySize = max(memorySize ?? 0, UInt64(bytes.count))
    }
  }
  public var segments: [Segment] = []
  public var entry: UInt64?
  public var symbols: [Symbol] = []
  /// The ELF machine number and class, of an ELF file.
  public var elf: (machine: UInt16, bits: Int)?
  /// Of an ELF file for Arm that has them.
  public var attributes: BuildAttributes?
  public init() {}
}
