// Owns the symbols of loaded images, by name and by address.

/// A named address range of an image.
public struct Symbol: Sendable, Equatable {
  public var name: String
  public var address: UInt64
  public var size: UInt64
  public init(name: String, address: UInt64, size: UInt64) {
    self.name = name
    self.address = address
    self.size = size
  }
}

public struct SymbolTable: Sendable {
  /// Sorted by address.
  public private(set) var symbols: [Symbol] = []
  private var byName: [String: Int] = [:]

  public init() {}

  public mutating func add(_ new: [Symbol]) {
    symbols += new
    symbols.sort { ($0.address, $0.name) < ($1.address, $1.name) }
    byName = Dictionary(symbols.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  public subscript(name: String) -> Symbol? { byName[name].map { symbols[$0] } }

  /// The symbol that covers `address` (or the nearest before it, without a size), with the distance.
  public func covering(_ address: UInt64) -> (symbol: Symbol, offset: UInt64)? {
    var low = 0
    var high = symbols.count
    while low < high {
      let middle = (low + high) / 2
      if symbols[middle].address <= address { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return nil }
    let found = symbols[low - 1]
    let offset = address - found.address
    guard found.size == 0 ? offset < 0x1000 : offset < found.size else { return nil }
    return (found, offset)
  }

  /// `name+0x10`, or nil.
  public func describe(_ address: UInt64) -> String? {
    guard let (symbol, offset) = covering(address) else { return nil }
    return offset == 0 ? symbol.name : symbol.name + "+0x" + String(offset, radix: 16)
  }
}
