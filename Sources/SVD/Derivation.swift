// Owns `derivedFrom`: what a name refers to, and what an element takes over from another.
//
// Source: Arm, "CMSIS-SVD description format" 1.3: peripherals, registers, clusters, fields and enumeratedValues may be
// derived; a name alone is one of the same level, or the only one in the file; `TIM1.CR1.CEN` says the way to it.

/// Elements of one level, found by their names.
final class SVDLevel {
  let elements: [XMLElement]
  let outer: SVDLevel?
  private lazy var index: [String: [Int]] = {
    var index: [String: [Int]] = [:]
    for (number, element) in elements.enumerated() {
      for name in Set([element.title, element.title.withoutIndex]) where !name.isEmpty {
        index[name, default: []].append(number)
      }
    }
    return index
  }()

  /// The names of an array's elements, should one of them be meant.
  private lazy var indexed: [String: Int] = {
    var index: [String: Int] = [:]
    for (number, element) in elements.enumerated() where element.title.contains("%s") {
      guard let dim = try? element.number("dim"), dim <= 1024, index.count < 1 << 16 else { continue }
      for copy in (try? element.copies()) ?? [] { index[copy.name] = number }
    }
    return index
  }()

  init(_ elements: [XMLElement], in outer: SVDLevel?) {
    self.elements = elements
    self.outer = outer
  }

  func named(_ name: Substring) -> [XMLElement] {
    if let numbers = index[String(name)] { return numbers.map { elements[$0] } }
    return indexed[String(name)].map { [elements[$0]] } ?? []
  }
}

/// Resolves derivations within one file.
final class SVDDerivations {
  private let peripherals: SVDLevel
  /// Every element that others may be derived from, by kind and name.
  private lazy var everywhere: [String: [(element: XMLElement, level: SVDLevel)]] = {
    var all: [String: [(element: XMLElement, level: SVDLevel)]] = [:]
    func walk(_ level: SVDLevel) {
      for element in level.elements {
        all[element.name + " " + element.title, default: []].append((element, level))
        let members = element.members
        if !members.isEmpty { walk(SVDLevel(members, in: level)) }
      }
    }
    walk(peripherals)
    return all
  }()

  /// Derivations resolved so far, and the most of a file: each looks through a level, and derived clusters in derived
  /// clusters double.
  private var count = 0
  private static let most = 1 << 16

  init(_ peripherals: SVDLevel) { self.peripherals = peripherals }

  /// An element with what it takes over from the one it is derived from.
  func whole(_ element: XMLElement, in level: SVDLevel, depth: Int = 0) throws(SVDError) -> XMLElement {
    guard let path = element.attributes["derivedFrom"]?.trimmed, !path.isEmpty else { return element }
    count += 1
    guard count <= Self.most else {
      throw SVDError(line: element.line, message: "more than \(Self.most) derivations", isFatal: true)
    }
    guard depth < 16 else {
      throw SVDError(line: element.line, message: "derivedFrom '\(path.excerpt)' goes round in a circle")
    }
    guard let (origin, home) = find(path, like: element, from: level, depth) else {
      throw SVDError(
        line: element.line, message: "derivedFrom '\(path.excerpt)': there is no \(element.name) of that name")
    }
    return element.derived(from: try whole(origin, in: home, depth: depth + 1))
  }

  /// The way from this level, or from one around it, and else the only element so called anywhere.
  private func find(
    _ path: String, like element: XMLElement, from level: SVDLevel, _ depth: Int
  ) -> (XMLElement, SVDLevel)? {
    let words = path.split(separator: ".")
    var next: SVDLevel? = level
    while let level = next {
      if let found = walk(words[...], like: element, in: level, depth) { return found }
      next = level.outer
    }
    guard words.count == 1 else { return nil }
    return everywhere[element.name + " " + path]?.first { $0.element.place != element.place }
  }

  private func walk(
    _ words: ArraySlice<Substring>, like element: XMLElement, in level: SVDLevel, _ depth: Int
  ) -> (XMLElement, SVDLevel)? {
    guard let word = words.first else { return nil }
    let candidates = level.named(word)
    guard words.count > 1 else {
      // One that names itself is found only if there is no other: a circle.
      let fitting = candidates.filter { $0.name == element.name }
      return (fitting.first { $0.place != element.place } ?? fitting.first).map { ($0, level) }
    }
    for candidate in candidates {
      // What a derived element contains is in the one it is derived from.
      guard depth < 16, let whole = try? whole(candidate, in: level, depth: depth + 1) else { continue }
      if let found = walk(words.dropFirst(), like: element, in: SVDLevel(whole.members, in: level), depth + 1) {
        return found
      }
    }
    return nil
  }
}

extension XMLElement {
  /// The elements inside that have names of their own.
  var members: [XMLElement] {
    switch name {
    case "peripheral": child("registers")?.members ?? []
    case "register": child("fields")?.members ?? []
    case "registers", "cluster": children.filter { $0.name == "register" || $0.name == "cluster" }
    case "fields": children.filter { $0.name == "field" }
    case "field": children.filter { $0.name == "enumeratedValues" }
    default: []
    }
  }

  /// This element, completed by what another says and it does not: own registers and fields are added to those of the
  /// other, or replace those of the same name.
  fileprivate func derived(from origin: XMLElement) -> XMLElement {
    var whole = self
    var own = Set(children.map(\.name))
    // The three ways to say a field's bits exclude one another.
    let positions: Set = ["bitOffset", "lsb", "msb", "bitRange"]
    if !own.isDisjoint(with: positions) {
      if own.contains("bitOffset"), !own.contains("bitWidth"), let bits = try? origin.bits("") {
        whole.children.append(XMLElement(name: "bitWidth", text: "\(bits.count)", line: line, place: place))
        own.insert("bitWidth")
      }
      own.formUnion(positions)
    }
    // An array's dimensions are its own, unless its name waits for an index that it does not have.
    let takesDimensions = title.contains("%s") && !own.contains("dim")
    let names = Set(members.map(\.title))
    for child in origin.children {
      switch child.name {
      case "registers", "fields":
        if let position = whole.children.firstIndex(where: { $0.name == child.name }) {
          let names = Set(whole.children[position].members.map(\.title))
          whole.children[position].children += child.members.filter { !names.contains($0.title) }
        } else {
          whole.children.append(child)
        }
      case "register", "cluster": if !names.contains(child.title) { whole.children.append(child) }
      case _ where child.name.hasPrefix("dim"): if takesDimensions { whole.children.append(child) }
      default: if !own.contains(child.name) { whole.children.append(child) }
      }
    }
    return whole
  }
}

extension String {
  /// `CH[%s]` and `CH%s` without the index: `CH`.
  fileprivate var withoutIndex: String { replacing("[%s]", with: "").replacing("%s", with: "") }
}
