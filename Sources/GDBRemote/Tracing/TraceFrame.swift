// Owns what was collected at one hit of a tracepoint, as it is read later.

/// What was collected at one hit.
public struct TraceFrame: Sendable, Equatable {
  public struct Piece: Sendable, Equatable {
    public var address: UInt64
    public var bytes: [UInt8]

    package init(address: UInt64, bytes: [UInt8]) {
      self.address = address
      self.bytes = bytes
    }
  }

  public var tracepoint: Int
  public var programCounter: UInt64
  /// By number, in guest byte order.
  public var registers: [Int: [UInt8]] = [:]
  /// In the order of collection.
  public var memory: [Piece] = []
  public var variables: [Int: Int64] = [:]

  package init(tracepoint: Int, programCounter: UInt64) {
    self.tracepoint = tracepoint
    self.programCounter = programCounter
  }

  /// Bytes from `address` on, at most `count`, as far as one piece has them; empty if none has the first.
  public func bytes(at address: UInt64, count: Int) -> ArraySlice<UInt8> {
    let found = memory.first { address &- $0.address < UInt64($0.bytes.count) }
    return found.map { $0.bytes.dropFirst(Int(address &- $0.address)).prefix(count) } ?? []
  }

  /// GDB manual, section "Traceframe Info Format".
  var document: String {
    var text = """
      <?xml version="1.0"?>
      <!DOCTYPE traceframe-info SYSTEM "traceframe-info.dtd">
      <traceframe-info>

      """
    for piece in memory {
      text += "<memory start=\"0x\(String(piece.address, radix: 16))\""
      text += " length=\"0x\(String(piece.bytes.count, radix: 16))\"/>\n"
    }
    for number in variables.keys.sorted() {
      text += "<tvar id=\"0x\(String(UInt(bitPattern: number), radix: 16))\"/>\n"
    }
    return text + "</traceframe-info>\n"
  }
}

// MARK: - Trace files

extension TraceFrame {
  /// The frame as a block of a trace file, the way `qTBuffer` sends it (GDB manual, appendix "Trace File Format"). A file has
  /// registers all together or not at all: those that were not collected are 0 beside others that were.
  /// - Parameter general: numbers and bytes of the registers of the `g` packet, in its order.
  package func fileBlock(_ general: [(number: Int, byteCount: Int)], isBigEndian: Bool) -> [UInt8] {
    func ordered(_ value: UInt64, _ size: Int) -> [UInt8] {
      let bytes = (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
      return isBigEndian ? bytes.reversed() : bytes
    }
    var body: [UInt8] = []
    if general.contains(where: { registers[$0.number] != nil }) {
      body.append(UInt8(ascii: "R"))
      for (number, count) in general {
        let value = registers[number] ?? []
        body += value.count == count ? value : [UInt8](repeating: 0, count: count)
      }
    }
    for piece in memory {
      var (address, rest) = (piece.address, piece.bytes[...])
      while !rest.isEmpty {
        let part = rest.prefix(0xFFFF)
        body += [UInt8(ascii: "M")] + ordered(address, 8) + ordered(UInt64(part.count), 2) + part
        address &+= UInt64(part.count)
        rest = rest.dropFirst(part.count)
      }
    }
    for (number, value) in variables.sorted(by: { $0.key < $1.key }) {
      body.append(UInt8(ascii: "V"))
      body += ordered(UInt64(truncatingIfNeeded: number), 4) + ordered(UInt64(bitPattern: value), 8)
    }
    return ordered(UInt64(truncatingIfNeeded: tracepoint), 2) + ordered(UInt64(body.count), 4) + body
  }
}
