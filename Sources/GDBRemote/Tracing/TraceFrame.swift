// Owns what was collected at one hit of a tracepoint: written piece by piece while the guest runs, read as a whole later.

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

/// The pieces of a frame as the buffer keeps them: a letter, what the piece is of, its bytes. Numbers lie lowest byte first.
package struct TraceFrameWriter: Sendable {
  /// In bytes, of one frame.
  static let limit = 1 << 20

  package private(set) var bytes: [UInt8] = []
  /// Something did not fit.
  private(set) var isOverfull = false

  package init() {}

  mutating func clear() {
    bytes.removeAll(keepingCapacity: true)
    isOverfull = false
  }

  /// - Parameter write: appends the register's bytes, and answers whether there is such a register.
  @inline(__always)
  mutating func addRegister(_ number: Int, _ write: (inout [UInt8]) -> Bool) {
    let start = bytes.count
    add(UInt8(ascii: "R"), UInt64(truncatingIfNeeded: number), size: 4)
    put(0, size: 4)
    if write(&bytes), bytes.count <= Self.limit { close(start + 5, from: start + 9) } else { undo(start) }
  }

  /// - Parameter write: appends the bytes that can be read.
  @inline(__always)
  package mutating func addMemory(_ address: UInt64, _ count: UInt64, _ write: (Int, inout [UInt8]) -> Void) {
    guard count > 0 else { return }
    let start = bytes.count
    guard count <= UInt64(Self.limit), start + Int(count) <= Self.limit else { return isOverfull = true }
    add(UInt8(ascii: "M"), address, size: 8)
    put(0, size: 4)
    write(Int(count), &bytes)
    if bytes.count > start + 13 { close(start + 9, from: start + 13) } else { undo(start) }
  }

  mutating func addVariable(_ number: Int, _ value: Int64) {
    guard bytes.count <= Self.limit else { return isOverfull = true }
    add(UInt8(ascii: "V"), UInt64(truncatingIfNeeded: number), size: 4)
    put(UInt64(bitPattern: value), size: 8)
  }

  private mutating func add(_ letter: UInt8, _ number: UInt64, size: Int) {
    bytes.append(letter)
    put(number, size: size)
  }

  private mutating func put(_ value: UInt64, size: Int) {
    for place in 0..<size { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * place))) }
  }

  /// Fills in the length of the piece whose bytes begin at `start`.
  private mutating func close(_ place: Int, from start: Int) {
    let count = bytes.count - start
    for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: count >> (8 * index)) }
  }

  private mutating func undo(_ start: Int) {
    if bytes.count > Self.limit { isOverfull = true }
    bytes.removeLast(bytes.count - start)
  }
}

extension TraceFrame {
  /// Reads what ``TraceFrameWriter`` has written.
  package init(tracepoint: Int, programCounter: UInt64, pieces bytes: [UInt8]) {
    self.tracepoint = tracepoint
    self.programCounter = programCounter
    var rest = bytes[...]
    func number(_ size: Int) -> UInt64 {
      defer { rest = rest.dropFirst(size) }
      return rest.prefix(size).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    func content() -> [UInt8] {
      let count = Int(number(4))
      defer { rest = rest.dropFirst(count) }
      return Array(rest.prefix(count))
    }
    while let letter = rest.popFirst() {
      switch letter {
      case UInt8(ascii: "R"):
        let register = Int(number(4))
        registers[register] = content()
      case UInt8(ascii: "M"):
        let address = number(8)
        memory.append(Piece(address: address, bytes: content()))
      default:
        let variable = Int(number(4))
        variables[variable] = Int64(bitPattern: number(8))
      }
    }
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
