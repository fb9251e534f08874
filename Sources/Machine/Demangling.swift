// Owns the names of compiled Swift and C++ as their sources have them.

@unsafe @preconcurrency import CHost
import Glibc

enum Demangling {
  /// The demangled form of a symbol's name; nil if it is not mangled.
  ///
  /// Swift tells declarations that are private to a file apart by a number, `(name in _0123…)`, which is left out.
  static func sourceName(_ name: String) -> String? {
    guard ["$s", "$S", "$e", "_$s", "_T0", "_Z"].contains(where: name.hasPrefix) else { return nil }
    guard let text = unsafe chost_demangle(name) else { return nil }
    defer { unsafe free(text) }
    return withoutDiscriminators(unsafe String(cString: text))
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
