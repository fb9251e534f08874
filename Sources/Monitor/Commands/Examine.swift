// Owns `x`, `xp` and `print`: memory and values in chosen formats.

import Bits
import Machine

extension Command {
  static let examine = Command(
    "x", [.address.rest.optional], .look,
    "Memory at a virtual address, or where the last listing ended; FMT is [COUNT][x|d|u|o|t|c|s|i|a][b|h|w|g].",
    takesFormat: true,
    .pages { context, cursor throws(MonitorError) in
      try Examination(context, isPhysical: false).page(cursor)
    })

  static let examinePhysical = Command(
    "xp", [.address.rest.optional], .look, "As 'x', at a physical address.", takesFormat: true,
    .pages { context, cursor throws(MonitorError) in
      try Examination(context, isPhysical: true).page(cursor)
    })

  static let print = Command(
    "print", aliases: ["p"], [.number("EXPR").rest], .look,
    "The value of an expression: $reg, symbols, numbers, *ADDR, + - * / % & | ^ << >> ~.",
    takesFormat: true,
    .look { context throws(MonitorError) in
      guard let value = context.arguments.number("EXPR") else { throw context.arguments.usage }
      let format = try DisplayFormat(
        context.arguments.format, size: context.memory.wordSize, wordSize: context.memory.wordSize)
      if !context.arguments.format.isEmpty {
        return .custom([format.text(value)], .object([NamedValue("value", .text(format.text(value)))]))
      }
      let symbol = context.machine.symbols.describe(value)
      let decimal = Int64(bitPattern: value)
      return .custom(
        ["\(value.hex0x())  \(decimal)" + (symbol.map { "  <\($0)>" } ?? "")],
        .object([
          NamedValue("hex", .hex(value)), NamedValue("decimal", .text(String(decimal))),
          NamedValue("symbol", symbol.map { .text($0) } ?? .nothing),
        ]))
    })
}

/// What stands after the `/`.
struct DisplayFormat {
  var count = 1
  var letter: Character = "x"
  var size: Int

  /// - Parameter size: bytes of a value if the text does not say.
  init(_ text: String, size: Int, wordSize: Int) throws(MonitorError) {
    self.size = size
    var rest = text[...]
    let digits = rest.prefix { $0.isNumber }
    if !digits.isEmpty {
      guard let number = Int(digits), number > 0 else { throw .refused("'\(digits)' is no count (1 or more)") }
      count = number
      rest = rest.dropFirst(digits.count)
    }
    var hasSize = false
    for character in rest {
      switch character {
      case "x", "d", "u", "o", "t", "c", "s", "i", "a": letter = character
      case "b": (self.size, hasSize) = (1, true)
      case "h": (self.size, hasSize) = (2, true)
      case "w": (self.size, hasSize) = (4, true)
      case "g": (self.size, hasSize) = (8, true)
      default: throw .refused("'\(character)' is no format: x d u o t c s i a, no size: b h w g")
      }
    }
    if !hasSize, letter == "c" { self.size = 1 }
    if !hasSize, letter == "a" { self.size = wordSize }
  }

  func text(_ value: UInt64) -> String {
    let value = value & .mask(8 * size)
    return switch letter {
    case "d": String(value.signExtended(from: 8 * size))
    case "u": String(value)
    case "o": "0" + String(value, radix: 8)
    case "t": "0b" + padding(String(value, radix: 2), 8 * size)
    case "c": "\(value.signExtended(from: 8 * size)) " + Self.quoted(UInt8(truncatingIfNeeded: value))
    default: value.hex0x(digits: 2 * size)
    }
  }

  private func padding(_ text: String, _ width: Int) -> String {
    String(repeating: "0", count: max(0, width - text.count)) + text
  }

  static func quoted(_ byte: UInt8) -> String {
    (0x20..<0x7F).contains(byte) ? "'\(Character(UnicodeScalar(byte)))'" : "'\\x\(byte.hex(digits: 2))'"
  }
}

/// One `x` or `xp`.
private struct Examination {
  let context: Context
  let memory: DebugMemory
  let format: DisplayFormat
  let isPhysical: Bool

  init(_ context: Context, isPhysical: Bool) throws(MonitorError) {
    self.context = context
    memory = context.memory
    self.isPhysical = isPhysical
    format = try DisplayFormat(context.arguments.format, size: 4, wordSize: context.memory.wordSize)
  }

  func page(_ cursor: Cursor?) throws(MonitorError) -> Page {
    let cursor = if let cursor { cursor } else { Cursor(address: try start(), left: format.count) }
    switch format.letter {
    case "i": return try context.instructions(cursor, isPhysical: isPhysical)
    case "s": return try strings(cursor)
    default: return try values(cursor)
    }
  }

  private func start() throws(MonitorError) -> UInt64 {
    guard let word = context.arguments["ADDR"], let address = context.arguments.address else {
      guard let next = context.monitor.state.withLock({ $0.nextAddress }) else { throw context.arguments.usage }
      return next
    }
    return format.letter == "i" ? try memory.codeAddress(of: word) : address
  }

  private func goOn(at address: UInt64) { context.monitor.state.withLock { $0.nextAddress = address } }

  private func cannotRead(_ address: UInt64) -> MonitorError {
    isPhysical
      ? .refused(
        "\(address.hex0x()) cannot be read without side effects ('device reads allow' permits them), or nothing is there"
      )
      : memory.unreadable(address)
  }

  private func values(_ cursor: Cursor) throws(MonitorError) -> Page {
    let perLine = format.letter == "t" ? max(1, 4 / format.size) : format.letter == "c" ? 8 : 16 / format.size
    let count = min(cursor.left, perLine * Page.size)
    var all: [Value] = []
    var width = 0
    var rows: [(address: UInt64, texts: [String])] = []
    var address = cursor.address
    while all.count < count, let value = memory.read(address, size: format.size, isPhysical: isPhysical) {
      let text = format.letter == "a" ? value.hex0x() + memory.symbolSuffix(value) : format.text(value)
      width = max(width, text.count)
      if all.count % perLine == 0 { rows.append((address, [])) }
      all.append(.object([NamedValue("address", .hex(address)), NamedValue("value", .text(text))]))
      rows[rows.count - 1].texts.append(text)
      address &+= UInt64(format.size)
    }
    guard !all.isEmpty else { throw cannotRead(address) }
    goOn(at: address)
    var lines = rows.map { row in
      memory.addressText(row.address) + (isPhysical ? "" : memory.symbolSuffix(row.address)) + ":  "
        + row.texts.map { padded(left: $0, width) }.joined(separator: "  ")
    }
    guard all.count == count else {
      lines.append(cannotRead(address).description)
      return Page(lines: lines, values: all)
    }
    return Page(lines: lines, values: all, next: rest(cursor, count, address))
  }

  private func rest(_ cursor: Cursor, _ done: Int, _ address: UInt64) -> Cursor? {
    cursor.left > done ? Cursor(address: address, left: cursor.left - done) : nil
  }

  private func strings(_ cursor: Cursor) throws(MonitorError) -> Page {
    // A string may be long.
    let count = min(cursor.left, 16)
    var lines: [String] = []
    var texts: [Value] = []
    var address = cursor.address
    for _ in 0..<count {
      var bytes: [UInt8] = []
      let first = address
      while bytes.count < 4096, let byte = memory.read(address, size: 1, isPhysical: isPhysical) {
        address &+= 1
        if byte == 0 { break }
        bytes.append(UInt8(truncatingIfNeeded: byte))
      }
      guard address != first else {
        let error = cannotRead(first)
        guard !lines.isEmpty else { throw error }
        return Page(lines: lines + [error.description], values: texts)
      }
      let text = String(decoding: bytes, as: UTF8.self)
      let escaped = text.unicodeScalars.map { $0.value < 0x20 ? "\\x" + $0.value.hex(digits: 2) : String($0) }.joined()
      lines.append(memory.addressText(first) + ":  \"" + escaped + "\"")
      texts.append(.text(text))
    }
    goOn(at: address)
    return Page(lines: lines, values: texts, next: rest(cursor, count, address))
  }
}
