// Flattened devicetree blobs (`.dtb`), written in one pass.
//
// Source: Devicetree Specification v0.4, chapter 5 (flattened format).

extension Devicetree {
  /// The tree as a blob of version 17, with `padding` spare bytes at its end for a guest that edits it in place.
  public func blob(padding: Int = 0) throws(DevicetreeError) -> [UInt8] {
    var writer = BlobWriter()
    writer.add(root)
    let reserved = (reservations + [Range(base: 0, size: 0)]).flatMap {
      PropertyValue.u64($0.base).encoded + PropertyValue.u64($0.size).encoded
    }
    let header = 40
    let structure = header + reserved.count
    let body = writer.structure + BlobWriter.word(BlobWriter.end)
    let strings = structure + body.count
    let total = strings + writer.strings.count + max(0, padding)
    guard total <= 64 << 20 else { throw .cannotWrite(reason: "it is larger than 64 MiB") }
    // Magic, size, three offsets, version and the oldest compatible one, the boot CPU, two sizes.
    let fields: [UInt32] = [
      0xD00D_FEED, UInt32(total), UInt32(structure), UInt32(strings), UInt32(header), 17, 16, bootCPU,
      UInt32(writer.strings.count), UInt32(body.count),
    ]
    return fields.flatMap(BlobWriter.word) + reserved + body + writer.strings
      + [UInt8](repeating: 0, count: max(0, padding))
  }
}

/// The structure block and the strings block as they grow.
private struct BlobWriter {
  static let end: UInt32 = 9
  private(set) var structure: [UInt8] = []
  private(set) var strings: [UInt8] = []
  private var names: [String: UInt32] = [:]

  static func word(_ value: UInt32) -> [UInt8] { value.bigEndianBytes }

  mutating func add(_ node: Node) {
    put(1)
    put(Array(node.name.utf8) + [0])
    for property in node.properties {
      put(3)
      put(UInt32(truncatingIfNeeded: property.bytes.count))
      put(offset(of: property.name))
      put(property.bytes)
    }
    for child in node.children { add(child) }
    put(2)
  }

  private mutating func put(_ value: UInt32) { structure += Self.word(value) }

  /// Everything is aligned to 4 bytes.
  private mutating func put(_ bytes: [UInt8]) {
    structure += bytes
    structure += [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
  }

  private mutating func offset(of name: String) -> UInt32 {
    if let known = names[name] { return known }
    let offset = UInt32(truncatingIfNeeded: strings.count)
    names[name] = offset
    strings += Array(name.utf8) + [0]
    return offset
  }
}
