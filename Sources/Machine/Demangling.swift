// Owns the names of compiled Swift and C++ as their sources have them.

@unsafe @preconcurrency import CHost
import Glibc

enum Demangling {
  /// The demangled form of a symbol's name; nil if it is not mangled.
  ///
  /// Swift tells declarations that are private to a file apart by a number, `(name in _0123…)`, which is left out.
  static func sourceName(_ name: String) -> String? {
    guard ["$s", "$S", "$e", "_$s", "_T0", "_Z"].contains(where: name.hasPrefix) else { return nil }
    guard references(of: name) <= mostReferences, let text = unsafe chost_demangle(name) else { return nil }
    defer { unsafe free(text) }
    return withoutDiscriminators(unsafe String(cString: text))
  }

  /// What a name may refer back to. Each time it can double the demangled form, and files are made whose names do so.
  private static let mostReferences = 24

  /// How often a mangled name refers to a part of itself, or more. Swift: "Mangling.rst", "Substitutions", where a number
  /// says how often; C++: Itanium C++ ABI, 5.1.10 "Compression" and 5.1.5.10, template parameters. In both an identifier
  /// stands behind its length.
  private static func references(of name: String) -> Int {
    var count = 0
    var rest = Array(name.utf8)[...]
    let isCPlusPlus = name.hasPrefix("_Z")
    while let letter = rest.popFirst() {
      switch letter {
      case UInt8(ascii: "S") where isCPlusPlus, UInt8(ascii: "T") where isCPlusPlus:
        let number = rest.prefix { isDigit($0) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
        rest = rest.dropFirst(number.count)
        if rest.first == UInt8(ascii: "_") { count += 1 }
      case UInt8(ascii: "A") where !isCPlusPlus, UInt8(ascii: "S") where !isCPlusPlus:
        let number = rest.prefix(while: isDigit)
        rest = rest.dropFirst(number.count)
        let letters = rest.prefix { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
        if letter == UInt8(ascii: "A") { count += 1 + letters.count }
        count += number.reduce(0) { min($0 * 10 + Int($1 & 15), mostReferences + 1) }
      case UInt8(ascii: "1")...UInt8(ascii: "9"):
        let number = [letter] + rest.prefix(while: isDigit)
        let length = number.reduce(0) { min($0 * 10 + Int($1 & 15), name.utf8.count) }
        rest = rest.dropFirst(number.count - 1 + length)
      default: break
      }
    }
    return count
  }

  private static func isDigit(_ character: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character)
  }

  private static func withoutDiscriminators(_ name: String) -> String {
    var result = ""
    var rest = name[...]
    while let (before, declaration, after) = firstDiscriminator(rest) {
      result += before + declaration
      rest = after
    }
    return result + rest
  }

  private static func firstDiscriminator(_ text: Substring) -> (Substring, Substring, Substring)? {
    var from = text.startIndex
    while let open = text[from...].firstIndex(of: "(") {
      let inside = text[text.index(after: open)...]
      let declaration = inside.prefix { $0 != " " && $0 != "(" && $0 != ")" }
      let tail = inside.dropFirst(declaration.count)
      let number = tail.dropFirst(5).prefix { $0.isHexDigit }
      if tail.hasPrefix(" in _"), !number.isEmpty, tail.dropFirst(5 + number.count).first == ")" {
        return (text[..<open], declaration, tail.dropFirst(6 + number.count))
      }
      from = text.index(after: open)
    }
    return nil
  }

  /// A demangled name without parameters, types and `static`, its parts joined by dots: `Module.Type.function`. Nil for
  /// what only compilers speak of (specializations, descriptors, …).
  static func qualifiedName(_ name: String) -> String? {
    var text = name[...]
    if text.hasPrefix("static ") { text = text.dropFirst(7) }
    text = text.prefix { $0 != "(" }
    if let colon = text.firstIndex(of: " "), text[colon...].hasPrefix(" : ") { text = text[..<colon] }
    guard !text.isEmpty, !text.contains(" ") else { return nil }
    return dotted(String(text))
  }

  /// `Module::Type::function`, as debuggers and C++ write it, with dots.
  static func dotted(_ name: String) -> String { name.replacing("::", with: ".") }
}
