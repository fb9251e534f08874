// Owns the editing of monitor lines that arrive byte by byte.

/// A line editor for a stream of bytes: backspace, Ctrl-U, Ctrl-C, history by the arrow keys, completion by Tab.
struct LineInput {
  /// What is to be done about a key.
  enum Event: Equatable {
    case show([UInt8])
    case line(String)
    /// Tab: complete this text.
    case complete(String)
    /// Ctrl-D on an empty line.
    case end
  }

  /// Whether the other side shows nothing by itself, as a terminal in raw mode.
  let echoes: Bool
  private var text: [UInt8] = []
  private var history: [String] = []
  private var position = 0
  private var escape: [UInt8] = []

  init(echoes: Bool) { self.echoes = echoes }

  mutating func feed(_ bytes: [UInt8]) -> [Event] { bytes.flatMap { key($0) } }

  /// Puts `addition` behind what is typed.
  mutating func append(_ addition: String) -> [Event] {
    text += addition.utf8
    return show(Array(addition.utf8))
  }

  /// The text typed so far.
  var current: String { String(decoding: text, as: UTF8.self) }

  private mutating func key(_ byte: UInt8) -> [Event] {
    if !escape.isEmpty || byte == 0x1B { return escapeKey(byte) }
    switch byte {
    case 0x0A, 0x0D: return enter()
    case 0x7F, 0x08:
      guard !text.isEmpty else { return [] }
      while let last = text.popLast(), last & 0xC0 == 0x80 {}
      return show([0x08, 0x20, 0x08])
    case 0x15: return replace(by: "")
    case 0x03:
      text.removeAll()
      return show(Array("^C\n".utf8)) + [.line("")]
    case 0x04: return text.isEmpty ? [.end] : []
    case 0x09: return [.complete(current)]
    case 0x20...:
      text.append(byte)
      return show([byte])
    default: return []
    }
  }

  private mutating func enter() -> [Event] {
    let line = current
    text.removeAll()
    if !line.isEmpty, history.last != line { history.append(line) }
    position = history.count
    return show([0x0A]) + [.line(line)]
  }

  private mutating func escapeKey(_ byte: UInt8) -> [Event] {
    escape.append(byte)
    guard escape.count == 3 || escape.count == 2 && byte != UInt8(ascii: "[") else { return [] }
    escape.removeAll()
    switch byte {
    case UInt8(ascii: "A") where position > 0:
      position -= 1
      return replace(by: history[position])
    case UInt8(ascii: "B") where position < history.count:
      position += 1
      return replace(by: position < history.count ? history[position] : "")
    default: return []
    }
  }

  private mutating func replace(by line: String) -> [Event] {
    let erased = [UInt8](repeating: 0x08, count: current.count)
    let blank = [UInt8](repeating: 0x20, count: current.count)
    text = Array(line.utf8)
    return show(erased + blank + erased + text)
  }

  private func show(_ bytes: [UInt8]) -> [Event] { echoes && !bytes.isEmpty ? [.show(bytes)] : [] }
}
