// Owns patterns of names: `uart_*`, `irq?_handler`.

/// A pattern in which `*` stands for any characters and `?` for one.
struct Glob: Sendable {
  private let pattern: [Character]

  init(_ pattern: String) { self.pattern = Array(pattern) }

  static func isPattern(_ word: String) -> Bool { word.contains { $0 == "*" || $0 == "?" } }

  /// In time proportional to the product of both lengths.
  func matches(_ name: String) -> Bool {
    let name = Array(name)
    var (place, character) = (0, 0)
    // Where the last star is, and what it stands for ends.
    var star: (place: Int, end: Int)?
    while character < name.count {
      if place < pattern.count, pattern[place] == "*" {
        star = (place, character)
        place += 1
      } else if place < pattern.count, pattern[place] == "?" || pattern[place] == name[character] {
        (place, character) = (place + 1, character + 1)
      } else if let last = star {
        star = (last.place, last.end + 1)
        (place, character) = (last.place + 1, last.end + 1)
      } else {
        return false
      }
    }
    return pattern[place...].allSatisfy { $0 == "*" }
  }
}
