// Owns the symbols of loaded images, by name and by address.

/// A named address range of an image.
public struct Symbol: Sendable, Equatable {
  /// As the program's source has it: demangled.
  public var name: String
  /// As the file has it.
  public var linkName: String
  /// Of a function, where its first instruction is.
  public var address: UInt64
  public var size: UInt64
  /// Of several at an address the lowest gives the name: functions and objects before labels, global before weak before
  /// local ones.
  public var rank: UInt8
  /// A variable, and no code.
  public var isData: Bool

  public init(name: String, address: UInt64, size: UInt64, rank: UInt8 = 0, isData: Bool = false) {
    linkName = name
    self.name = Demangling.sourceName(name) ?? name
    self.address = address
    self.size = size
    self.rank = rank
    self.isData = isData
  }

  /// It is known to be a function or an object; not so of a mere label.
  public var isTyped: Bool { rank < 4 }
}

public struct SymbolTable: Sendable {
  /// Sorted by address; at one address the best is the last.
  public private(set) var symbols: [Symbol] = []
  /// Indices by every name that means a symbol.
  private var byName: [String: [Int]] = [:]

  public init() {}

  public mutating func add(_ new: [Symbol]) {
    symbols += new
    symbols.sort { ($0.address, $1.rank, $1.name) < ($1.address, $0.rank, $0.name) }
    byName.removeAll()
    for (index, symbol) in symbols.enumerated() {
      byName[symbol.linkName, default: []].append(index)
      guard symbol.name != symbol.linkName else { continue }
      byName[symbol.name, default: []].append(index)
      if let short = Demangling.qualifiedName(symbol.name) { byName[short, default: []].append(index) }
    }
  }

  /// The symbols called so, one for each address: mangled, demangled, or demangled without parameters and types
  /// (`Module.Type.function`, with `.` or `::`).
  public func named(_ name: String) -> [Symbol] {
    let found = byName[name] ?? byName[Demangling.dotted(name)] ?? []
    var addresses: Set<UInt64> = []
    return found.map { symbols[$0] }.filter { addresses.insert($0.address).inserted }
  }

  /// The symbol that covers `address` (or the nearest before it, without a size), with the distance.
  public func covering(_ address: UInt64) -> (symbol: Symbol, offset: UInt64)? {
    var low = 0
    var high = symbols.count
    while low < high {
      let middle = (low + high) / 2
      if symbols[middle].address <= address { low = middle + 1 } else { high = middle }
    }
    guard let nearest = symbols[..<low].last else { return nil }
    if nearest.size == 0, address - nearest.address < 0x1000 { return (nearest, address - nearest.address) }
    // What lies nearest may be a part of what covers the address.
    let outer = symbols[max(0, low - 16)..<low].last { address - $0.address < $0.size }
    return outer.map { ($0, address - $0.address) }
  }

  /// `name+0x10`, or nil.
  public func describe(_ address: UInt64) -> String? {
    guard let (symbol, offset) = covering(address) else { return nil }
    return offset == 0 ? symbol.name : symbol.name + "+0x" + String(offset, radix: 16)
  }
}
