// Owns the Intel HEX format: Intel's "Hexadecimal Object File Format Specification", revision A; and the Universal Hex
// format: Micro:bit Educational Foundation, "Universal Hex Format Specification" 0.4.0.

/// Reads the data and start address of one Intel HEX file. A Universal Hex file has parts for several boards: those for
/// this one are taken, and what belongs to no part.
struct IntelHexReader {
  private let bytes: [UInt8]
  private let name: String
  private var image = Image()
  /// Added to the 16-bit offsets of data records.
  private var base: UInt32 = 0
  /// After an extended segment address, offsets wrap within 64 KiB.
  private var isSegmented = false
  private var isComplete = false
  /// The boards whose parts are taken.
  private let boards: [UInt16]
  /// The board that the part being read is for; nil outside of parts.
  private var part: UInt16?
  /// The boards that the file has parts for.
  private var parts: Set<UInt16> = []

  /// A colon and a record header in hexadecimal, or the file name people give such files.
  static func recognizes(_ bytes: [UInt8], name: String) -> Bool {
    let start = bytes.drop { $0 == 0x0A || $0 == 0x0D || $0 == 0x20 }
    guard start.first == 0x3A else { return false }
    let header = start.dropFirst().prefix(8)
    return header.count == 8 && header.allSatisfy { digit($0) != nil } || name.hasSuffix(".hex")
      || name.hasSuffix(".ihex")
  }

  init(_ bytes: [UInt8], name: String, boards: [UInt16] = []) {
    self.bytes = bytes
    self.name = name
    self.boards = boards
  }

  consuming func read() throws(MachineError) -> Image {
    var line = 0
    for text in bytes.split(omittingEmptySubsequences: false, whereSeparator: { $0 == 0x0A }) {
      line += 1
      let record = text.filter { $0 != 0x0D && $0 != 0x20 && $0 != 0x09 }
      if record.isEmpty { continue }
      guard !isComplete else { throw failure(line, "there is data after the end-of-file record; remove it") }
      try add(decode(record, line), line)
    }
    guard isComplete else {
      throw failure(line, "the end-of-file record ':00000001FF' is missing; the file may be truncated: make it again")
    }
    guard parts.isEmpty || !parts.isDisjoint(with: boards) else {
      let own = boards.isEmpty ? "none of them" : "only those for \(list(boards))"
      throw .badInput("\(name): a Universal Hex file with parts for \(list(parts)), and this board takes \(own)")
    }
    return image
  }

  private static func digit(_ character: UInt8) -> UInt8? {
    switch character {
    case 0x30...0x39: character - 0x30
    case 0x41...0x46: character - 0x37
    case 0x61...0x66: character - 0x57
    default: nil
    }
  }

  /// A record's bytes from its length to its last data byte, the checksum verified and dropped.
  private func decode(_ record: [UInt8], _ line: Int) throws(MachineError) -> [UInt8] {
    guard record[0] == 0x3A else { throw failure(line, "a record starts with ':'") }
    guard record.count % 2 == 1, record.count >= 11 else {
      throw failure(line, "\(record.count - 1) hexadecimal digits are no whole record")
    }
    var decoded: [UInt8] = []
    for index in stride(from: 1, to: record.count, by: 2) {
      guard let high = Self.digit(record[index]), let low = Self.digit(record[index + 1]) else {
        throw failure(line, "column \(index + 1) is not hexadecimal")
      }
      decoded.append(high << 4 | low)
    }
    guard decoded.count == Int(decoded[0]) + 5 else {
      throw failure(line, "the record announces \(decoded[0]) data bytes and has \(decoded.count - 5)")
    }
    let sum = decoded.dropLast().reduce(0, &+)
    guard sum &+ decoded[decoded.count - 1] == 0 else {
      throw failure(line, "the checksum is \(decoded[decoded.count - 1].hex0x()), it should be \((0 &- sum).hex0x())")
    }
    return decoded.dropLast()
  }

  private mutating func add(_ record: [UInt8], _ line: Int) throws(MachineError) {
    let offset = UInt32(record[1]) << 8 | UInt32(record[2])
    let data = record[4...]
    let value = data.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    switch (record[3], data.count) {
    case (0, _): if isWanted { addData(data, offset) }
    case (1, 0): isComplete = true
    case (2, 2): (base, isSegmented) = (value << 4, true)
    case (3, 4): if isWanted { image.entry = UInt64((value >> 16) << 4 &+ value & 0xFFFF) }
    case (4, 2): (base, isSegmented) = (value << 16, false)
    case (5, 4): if isWanted { image.entry = UInt64(value) }
    case (1...5, let count): throw failure(line, "a record of type \(record[3]) cannot have \(count) data bytes")
    case (10, 2...):
      let board = UInt16(data[4]) << 8 | UInt16(data[5])
      part = board
      parts.insert(board)
    case (11, _): part = nil
    // Padding, and what other tools keep there.
    case (12, _), (14, _): break
    case (13, _):
      guard part != nil else { throw failure(line, "data of a board (type 13) before the record that names it") }
      if isWanted { addData(data, offset) }
    case (let type, _): throw failure(line, "record type \(type) does not exist; types are 0 to 5 and 10 to 14")
    }
  }

  private var isWanted: Bool { part.map { boards.contains($0) } ?? true }

  private func list(_ boards: some Collection<UInt16>) -> String {
    boards.sorted().map { "0x" + String($0, radix: 16) }.joined(separator: ", ")
  }

  private mutating func addData(_ data: ArraySlice<UInt8>, _ offset: UInt32) {
    // A segment ends at 64 KiB and goes on at its start, the address space likewise.
    let end: UInt64 = isSegmented ? 0x1_0000 : 1 << 32 - UInt64(base)
    let room = Int(end - min(end, UInt64(offset)))
    image.append(data.prefix(room), at: UInt64(base) + UInt64(offset))
    image.append(data.dropFirst(room), at: isSegmented ? UInt64(base) : 0)
  }

  private func failure(_ line: Int, _ text: String) -> MachineError {
    .badInput("\(name): broken Intel HEX file, line \(line): \(text)")
  }
}
