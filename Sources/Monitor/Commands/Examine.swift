// Owns `x`, `xp` and `print`: memory and values in chosen formats.

import Bits
import Machine

extension Command {
  static let examine = Command(
    "x", "ADDR", .look, "Memory at a virtual address; FMT is [COUNT][x|d|u|o|t|c|s|i|a][b|h|w|g].",
    arguments: [.address],
    takesFormat: true, .look { context throws(MonitorError) in try Examination(context, isPhysical: false).listing() })

  static let examinePhysical = Command(
    "xp", "ADDR", .look, "As 'x', at a physical address.", arguments: [.address], takesFormat: true,
    .look { context throws(MonitorError) in try Examination(context, isPhysical: true).listing() })

  static let print = Command(
    "print", aliases: ["p"], "EXPR", .look,
    "The value of an expression: $reg, symbols, numbers, *ADDR, + - * / % & | ^ << >> ~.",
    arguments: [.address], takesFormat: true,
    .look { context throws(MonitorError) in
      guard !context.arguments.isEmpty else { throw context.arguments.usage }
      let value = try context.evaluate(context.arguments.joined)
      let format = try DisplayFormat(
        context.arguments.format, size: context.memory.wordSize, wordSize: context.memory.wordSize)
      if !context.arguments.format.isEmpty {
        return .custom([format.text(value)], .object([Field("value", .text(format.text(value)))]))
      }
      let symbol = context.machine.symbols.describe(value)
      let decimal = Int64(bitPattern: value)
      return .custom(
        ["\(value.hex0x())  \(decimal)" + (symbol.map { "  <\($0)>" } ?? "")],
        .object([
          Field("hex", .hex(value)), Field("decimal", .text(String(decimal))),
          Field("symbol", symbol.map { .text($0) } ?? .nothing),
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
      guard let number = Int(digits), (1...65536).contains(number) else {
        throw .refused("'\(digits)' is no count (1 to 65536)")
      }
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
  let memory: DebugMemory
  let monitor: Monitor
  let format: DisplayFormat
  let start: UInt64
  let isPhysical: Bool

  init(_ context: Context, isPhysical: Bool) throws(MonitorError) {
    memory = context.memory
    monitor = context.monitor
    self.isPhysical = isPhysical
    format = try DisplayFormat(context.arguments.format, size: 4, wordSize: context.memory.wordSize)
    if context.arguments.isEmpty {
      guard let next = context.monitor.state.withLock({ $0.nextAddress }) else { throw context.arguments.usage }
      start = next
    } else {
      start = try context.address(context.arguments.joined)
    }
  }

  func listing() throws(MonitorError) -> Listing {
    switch format.letter {
    case "i": try instructions()
    case "s": try strings()
    default: try values()
    }
  }

  private func goOn(at address: UInt64) { monitor.state.withLock { $0.nextAddress = address } }

  private func cannotRead(_ address: UInt64) -> MonitorError {
    isPhysical
      ? .refused(
        "\(address.hex0x()) cannot be read without side effects ('device reads allow' permits them), or nothing is there"
      )
      : memory.unreadable(address)
  }

  private func values() throws(MonitorError) -> Listing {
    let perLine = format.letter == "t" ? max(1, 4 / format.size) : format.letter == "c" ? 8 : 16 / format.size
    var lines: [String] = []
    var all: [Value] = []
    var width = 0
    var rows: [(UInt64, [String])] = []
    for index in 0..<format.count {
      let address = start &+ UInt64(index * format.size)
      guard let value = memory.read(address, size: format.size, isPhysical: isPhysical) else {
        if index == 0 { throw cannotRead(address) }
        break
      }
      let text = format.letter == "a" ? value.hex0x() + memory.symbolSuffix(value) : format.text(value)
      width = max(width, text.count)
      all.append(.text(text))
      if index % perLine == 0 { rows.append((address, [])) }
      rows[rows.count - 1].1.append(text)
    }
    for (address, texts) in rows {
      let suffix = isPhysical ? "" : memory.symbolSuffix(address)
      lines.append(
        memory.addressText(address) + suffix + ":  " + texts.map { padded(left: $0, width) }.joined(separator: "  "))
    }
    goOn(at: start &+ UInt64(all.count * format.size))
    if all.count < format.count {
      lines.append(cannotRead(start &+ UInt64(all.count * format.size)).description)
    }
    return .custom(lines, .object([Field("address", .hex(start)), Field("values", .list(all))]))
  }

  private func instructions() throws(MonitorError) -> Listing {
    let listing = try Disassembly(memory, start: start, count: format.count, isPhysical: isPhysical)
    goOn(at: listing.end)
    return listing.listing
  }

  private func strings() throws(MonitorError) -> Listing {
    var lines: [String] = []
    var texts: [Value] = []
    var address = start
    for _ in 0..<format.count {
      var bytes: [UInt8] = []
      let first = address
      while let byte = memory.read(address, size: 1, isPhysical: isPhysical) {
        address &+= 1
        if byte == 0 || bytes.count == 4096 { break }
        bytes.append(UInt8(truncatingIfNeeded: byte))
      }
      guard address != first else { throw cannotRead(first) }
      let text = String(decoding: bytes, as: UTF8.self)
      let escaped = text.unicodeScalars.map { $0.value < 0x20 ? "\\x" + $0.value.hex(digits: 2) : String($0) }.joined()
      lines.append(memory.addressText(first) + ":  \"" + escaped + "\"")
      texts.append(.text(text))
    }
    goOn(at: address)
    return .custom(lines, .list(texts))
  }
}
