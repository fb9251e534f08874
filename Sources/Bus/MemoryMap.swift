// The seam between an engine and who keeps a map of guest memory: a board's address space, or the mappings of a process.

/// A map of guest memory. Whoever conforms decides what is mapped where, and puts it into ``flat``, through which all accesses go:
/// a concrete type, so that an access costs the same whatever the map.
public protocol MemoryMap: AnyObject {
  /// The same for as long as the map lives; it changes in place.
  var flat: FlatMap { get }
}

/// What ``flat`` knows and does, for those who hold the map.
extension MemoryMap {
  public var regions: [Region] { flat.regions }
  public var layout: [(first: UInt64, last: UInt64, region: Region)] { flat.layout }

  public var didWriteMemory: ((UInt64, Int) -> Void)? {
    get { flat.didWriteMemory }
    set { flat.didWriteMemory = newValue }
  }
  public var willTransfer: ((UInt64, Int, _ isWrite: Bool) -> Void)? {
    get { flat.willTransfer }
    set { flat.willTransfer = newValue }
  }
  public var didChangeLayout: ((Region) -> Void)? {
    get { flat.didChangeLayout }
    set { flat.didChangeLayout = newValue }
  }

  public func hostMemory(at address: UInt64, count: Int) -> (bytes: UnsafeMutableRawPointer, isWritable: Bool)? {
    unsafe flat.hostMemory(at: address, count: count)
  }
  public func region(at address: UInt64) -> Region? { flat.region(at: address) }
  public func stretch(at address: UInt64) -> (region: Region, last: UInt64)? { flat.stretch(at: address) }
  public func ram(at address: UInt64, count: Int = 1) -> DirectMemory? { flat.ram(at: address, count: count) }
  public func directPage(at address: UInt64) -> DirectMemory? { flat.directPage(at: address) }
  public func noteWrite(_ address: UInt64, _ count: Int) { flat.noteWrite(address, count) }

  public func read(_ address: UInt64, size: Int) throws(BusError) -> UInt64 { try flat.read(address, size: size) }
  public func write(_ address: UInt64, size: Int, _ value: UInt64) throws(BusError) {
    try flat.write(address, size: size, value)
  }
  public func readMemory(_ address: UInt64, size: Int) -> UInt64? { flat.readMemory(address, size: size) }
  public func peek(_ address: UInt64, size: Int) -> UInt64? { flat.peek(address, size: size) }
  public func copyIn(_ bytes: [UInt8], at address: UInt64) throws(BusError) { try flat.copyIn(bytes, at: address) }
  public func copyOut(at address: UInt64, count: Int) throws(BusError) -> [UInt8] {
    try flat.copyOut(at: address, count: count)
  }
}
