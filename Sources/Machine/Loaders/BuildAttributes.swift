// Owns the build attributes of Arm's ELF files (Addenda to the ABI for the Arm Architecture, "Build Attributes").

/// What the toolchain says a file was built for: the integer attributes of the whole file, by tag.
public struct BuildAttributes: Sendable, Equatable {
  public private(set) var values: [UInt64: UInt64] = [:]
  /// Tag_CPU_name
  public private(set) var cpuName: String?

  /// Reads the contents of `.ARM.attributes`. What is malformed ends the reading: a file runs without attributes too.
  init(_ bytes: ArraySlice<UInt8>) {
    guard bytes.first == UInt8(ascii: "A") else { return }
    var reader = Reader(rest: bytes.dropFirst())
    while let length = reader.word(), length > 4, var section = reader.take(Int(length) - 4) {
      guard section.string() == "aeabi" else { continue }
      while let scope = section.number(), let size = section.word(), size > 5,
        let body = section.take(Int(size) - 5)
      {
        // 1 is the whole file.
        if scope == 1 { read(body) }
      }
    }
  }

  private mutating func read(_ body: Reader) {
    var body = body
    while let tag = body.number() {
      // CPU_raw_name, CPU_name, and odd ones above 32 are strings; 32 is a number and a string.
      switch tag {
      case 4, 5:
        guard let text = body.string() else { return }
        if tag == 5 { cpuName = text }
      case 32: guard body.number() != nil, body.string() != nil else { return }
      case 33... where tag & 1 == 1: guard body.string() != nil else { return }
      default:
        guard let value = body.number() else { return }
        values[tag] = value
      }
    }
  }

  private struct Reader {
    var rest: ArraySlice<UInt8>

    mutating func word() -> UInt32? {
      guard rest.count >= 4 else { return nil }
      defer { rest = rest.dropFirst(4) }
      return rest.prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    mutating func take(_ count: Int) -> Reader? {
      guard count >= 0, rest.count >= count else { return nil }
      defer { rest = rest.dropFirst(count) }
      return Reader(rest: rest.prefix(count))
    }

    /// ULEB128
    mutating func number() -> UInt64? {
      var value: UInt64 = 0
      for (index, byte) in rest.prefix(9).enumerated() {
        value |= UInt64(byte & 0x7F) << UInt64(7 * index)
        if byte & 0x80 == 0 {
          rest = rest.dropFirst(index + 1)
          return value
        }
      }
      return nil
    }

    mutating func string() -> String? {
      guard let end = rest.firstIndex(of: 0) else { return nil }
      defer { rest = rest[(end + 1)...] }
      return String(decoding: rest[..<end], as: UTF8.self)
    }
  }
}
