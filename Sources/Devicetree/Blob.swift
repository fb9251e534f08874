// Flattened devicetree blobs (`.dtb`), read with libfdt.
//
// Source: Devicetree Specification v0.4, chapter 5 (flattened format).

import CFDT

extension Devicetree {
  /// Nodes may be nested this deep.
  static let maximumDepth = 64

  /// Reads a blob. `name` stands in errors. Bytes after the blob's own size are ignored.
  public init(blob bytes: [UInt8], name: String) throws(DevicetreeError) {
    var result = Result<Devicetree, DevicetreeError>.failure(.blob(name: name, reason: "empty"))
    unsafe bytes.withUnsafeBytes { buffer in
      result = unsafe BlobReader(buffer, name: name).read()
    }
    self = try result.get()
  }
}

/// libfdt's text for an error it returned.
private func fdtMessage(_ status: Int32) -> String {
  unsafe String(cString: fdt_strerror(status))
}

/// Reads one blob; valid only while the buffer is.
@safe
private struct BlobReader {
  let buffer: UnsafeRawBufferPointer
  let name: String

  init(_ buffer: UnsafeRawBufferPointer, name: String) {
    unsafe self.buffer = buffer
    self.name = name
  }

  func read() -> Result<Devicetree, DevicetreeError> {
    do {
      return .success(try tree())
    } catch {
      return .failure(error)
    }
  }

  private func tree() throws(DevicetreeError) -> Devicetree {
    guard let fdt = unsafe buffer.baseAddress, unsafe buffer.count >= 40 else {
      throw .blob(name: name, reason: "\(unsafe buffer.count) bytes are too few for a header")
    }
    if let reason = oversizedName { throw .blob(name: name, reason: reason) }
    var status = unsafe fdt_check_header(fdt)
    if status == 0 {
      guard field(20) >= Self.oldestVersion else {
        throw .blob(
          name: name, reason: "its format is version \(field(20)), before \(Self.oldestVersion); have dtc write it anew"
        )
      }
      status = unsafe fdt_check_full(fdt, buffer.count)
    }
    guard status == 0 else { throw .blob(name: name, reason: fdtMessage(status)) }
    var reservations: [Devicetree.Range] = []
    for index in 0..<max(0, unsafe fdt_num_mem_rsv(fdt)) {
      var base: UInt64 = 0
      var size: UInt64 = 0
      if unsafe fdt_get_mem_rsv(fdt, index, &base, &size) == 0 { reservations.append(.init(base: base, size: size)) }
    }
    let bootCPU = (28..<32).reduce(UInt32(0)) { $0 << 8 | UInt32(unsafe buffer[$1]) }
    return Devicetree(root: try unsafe nodes(fdt), reservations: reservations, bootCPU: bootCPU)
  }

  /// The big-endian number at an offset in the header.
  private func field(_ offset: Int) -> Int { (offset..<offset + 4).reduce(0) { $0 << 8 | Int(unsafe buffer[$1]) } }

  /// Of the format. In older ones a node's name was a path; where it is none, libfdt's own check follows a null pointer.
  private static var oldestVersion: Int { 16 }

  /// Bytes of a property's name; the specification has 31.
  private static var longestName: Int { 1024 }

  /// What is wrong with the strings block: libfdt looks for the end of each property's name anew.
  private var oversizedName: String? {
    let (start, size, whole) = (field(12), field(32), unsafe buffer.count)
    guard start <= whole, size <= whole - start else { return nil }
    var length = 0
    for position in start..<start + size {
      length = unsafe buffer[position] == 0 ? 0 : length + 1
      if length > Self.longestName { return "a property's name has more than \(Self.longestName) bytes" }
    }
    return nil
  }

  /// Walks the nodes in order, keeping the path of unfinished ones.
  private func nodes(_ fdt: UnsafeRawPointer) throws(DevicetreeError) -> Node {
    var open: [Node] = []
    var offset: Int32 = 0
    var depth: Int32 = 0
    while offset >= 0, depth >= 0 {
      while open.count > Int(depth) { try close(&open, offset) }
      guard open.count == Int(depth), depth < Devicetree.maximumDepth else {
        throw .blob(name: name, reason: "nodes are nested deeper than \(Devicetree.maximumDepth)")
      }
      open.append(try unsafe node(fdt, offset))
      offset = unsafe fdt_next_node(fdt, offset, &depth)
    }
    guard offset >= 0 || offset == -FDT_ERR_NOTFOUND else { throw .blob(name: name, reason: fdtMessage(offset)) }
    while open.count > 1 { try close(&open, offset) }
    guard let root = open.first else { throw .blob(name: name, reason: "no root node") }
    return root
  }

  /// Moves the last open node into its parent.
  private func close(_ open: inout [Node], _ offset: Int32) throws(DevicetreeError) {
    let node = open.removeLast()
    guard !open.isEmpty else { throw .blob(name: name, reason: "a second root node at offset \(offset)") }
    open[open.count - 1].children.append(node)
  }

  private func node(_ fdt: UnsafeRawPointer, _ offset: Int32) throws(DevicetreeError) -> Node {
    var length: Int32 = 0
    guard let pointer = unsafe fdt_get_name(fdt, offset, &length),
      let text = unsafe String(validatingCString: pointer)
    else { throw .blob(name: name, reason: "bad node name at structure offset \(offset)") }
    var properties: [Property] = []
    var position = unsafe fdt_first_property_offset(fdt, offset)
    while position >= 0 {
      var key: UnsafePointer<CChar>?
      guard let value = unsafe fdt_getprop_by_offset(fdt, position, &key, &length), let key = unsafe key,
        let propertyName = unsafe String(validatingCString: key), length >= 0
      else { throw .blob(name: name, reason: "bad property of node '\(text)' at structure offset \(position)") }
      let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: value, count: Int(length)))
      properties.append(Property(propertyName, .bytes(bytes)))
      position = unsafe fdt_next_property_offset(fdt, position)
    }
    return Node(text, properties)
  }
}
