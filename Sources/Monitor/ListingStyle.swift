// Owns what listings heed of where they are shown: how wide it is, and whether it shows colours.

import Glibc

/// Where a listing is shown.
public struct ListingStyle: Sendable, Equatable {
  /// Characters a line; at least ``narrowest``.
  public var columns: Int
  public var isColoured: Bool

  public static var narrowest: Int { 60 }
  /// Where nobody says how wide it is: scripts, sockets, GDB.
  public static var plain: ListingStyle { ListingStyle(columns: 100, isColoured: false) }

  public init(columns: Int, isColoured: Bool) {
    self.columns = max(columns, Self.narrowest)
    self.isColoured = isColoured
  }

  /// For what stands indented.
  func indented(by count: Int) -> ListingStyle {
    var style = self
    style.columns -= count
    return style
  }

  /// That of the terminal at `descriptor`; ``plain`` if it is none. Colours are left out for `NO_COLOR` (no-color.org) and
  /// where the terminal is `dumb`.
  public static func terminal(_ descriptor: Int32) -> ListingStyle {
    var size = winsize()
    guard isatty(descriptor) != 0 else { return plain }
    let isKnown = unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    let isDumb = environment("TERM") == "dumb"
    return ListingStyle(
      columns: isKnown ? Int(size.ws_col) : plain.columns, isColoured: !isDumb && environment("NO_COLOR") == "")
  }

  private static func environment(_ name: String) -> String {
    unsafe getenv(name).map { unsafe String(cString: $0) } ?? ""
  }

  /// What a part of a listing is, for its colour.
  enum Part: String {
    case guest = "36", host = "32", heading = "1", rule = "2"
  }

  func paint(_ text: String, _ part: Part) -> String {
    isColoured && !text.isEmpty ? "\u{1B}[\(part.rawValue)m\(text)\u{1B}[0m" : text
  }

  /// `text` in lines of at most `width` characters, cut at spaces where there are some; all but the first are indented.
  static func wrapped(_ text: String, _ width: Int, indent: Int = 2) -> [String] {
    var lines: [String] = []
    var rest = Substring(text)
    var room = width
    while rest.count > room {
      let limit = rest.index(rest.startIndex, offsetBy: room)
      let space = rest[..<rest.index(after: limit)].lastIndex(of: " ").flatMap { $0 > rest.startIndex ? $0 : nil }
      let cut = space ?? limit
      lines.append((lines.isEmpty ? "" : String(repeating: " ", count: indent)) + rest[..<cut])
      rest = rest[cut...].drop { $0 == " " }
      room = max(width - indent, 1)
    }
    if !rest.isEmpty || lines.isEmpty {
      lines.append((lines.isEmpty ? "" : String(repeating: " ", count: indent)) + rest)
    }
    return lines
  }
}
