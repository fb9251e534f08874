// Decoding of what depends on other nodes: `reg` through the parents' `ranges`, and interrupts.
//
// Source: Devicetree Specification v0.4, sections 2.3.6 (`reg`), 2.3.8 (`ranges`), 2.4 (interrupts).

/// An interrupt a node raises: which controller, and the specifier that controller understands.
public struct InterruptSpecifier: Sendable, Equatable {
  /// Full path of the controller's node.
  public let controller: String
  public let cells: [UInt32]
}

extension Devicetree {
  /// The `reg` entries of a node in addresses of the root; empty without `reg`, and for nodes on a bus that is not
  /// mapped (no `ranges`), such as `/cpus`.
  public func regions(of path: String) throws(DevicetreeError) -> [Range] {
    guard let indices = indices(of: path) else { throw .noNode(path) }
    let chain = chain(indices)
    guard let reg = chain[chain.count - 1].property("reg"), chain.count > 1 else { return [] }
    var ranges: [Range] = []
    for entry in try entries(
      reg, at: path, fields: [.address(of: chain[chain.count - 2]), .size(of: chain[chain.count - 2])])
    {
      ranges.append(Range(base: entry[0], size: entry[1]))
    }
    for level in stride(from: chain.count - 2, to: 0, by: -1) {
      let bus = chain[level]
      guard bus.has("ranges") else { return [] }
      let busPath = self.path(Array(indices.prefix(level)))
      guard let windows = try windows(of: bus, below: chain[level - 1], at: busPath) else { continue }
      for index in ranges.indices {
        let range = ranges[index]
        guard let window = windows.first(where: { range.base >= $0.child && range.base - $0.child < $0.size }) else {
          throw .property(node: path, property: "reg", reason: "address \(range.base) is not in 'ranges' of \(busPath)")
        }
        ranges[index] = Range(base: range.base - window.child &+ window.parent, size: range.size)
      }
    }
    return ranges
  }

  /// How a bus maps its children's addresses; nil: as they are. Read once for all of them.
  private func windows(
    of bus: Node, below parent: Node, at path: String
  ) throws(DevicetreeError) -> [TreeIndex.Window]? {
    guard let property = bus.property("ranges"), !property.bytes.isEmpty else { return nil }
    if let known = lazyIndex.windows(of: path) { return known }
    let fields: [CellField] = [.address(of: bus), .address(of: parent), .size(of: bus)]
    var windows: [TreeIndex.Window] = []
    for entry in try entries(property, at: path, fields: fields) {
      windows.append(TreeIndex.Window(child: entry[0], parent: entry[1], size: entry[2]))
    }
    lazyIndex.keep(windows, of: path)
    return windows
  }

  /// The interrupts of a node, from `interrupts-extended` or else `interrupts`; empty when it has none.
  public func interrupts(of path: String) throws(DevicetreeError) -> [InterruptSpecifier] {
    guard let indices = indices(of: path) else { throw .noNode(path) }
    let chain = chain(indices)
    let node = chain[chain.count - 1]
    if node.has("interrupts-extended") {
      return try references(in: "interrupts-extended", of: path, cellCount: "#interrupt-cells").map {
        InterruptSpecifier(controller: $0.path, cells: $0.cells)
      }
    }
    guard let property = node.property("interrupts") else { return [] }
    let controller = try interruptParent(indices, chain, path)
    guard let count = self[controller]?.u32("#interrupt-cells"), count > 0 else {
      throw .property(node: controller, property: "#interrupt-cells", reason: "missing, but '\(path)' interrupts it")
    }
    guard let cells = property.cells, !cells.isEmpty, cells.count % Int(count) == 0 else {
      throw .property(node: path, property: "interrupts", reason: "not a multiple of \(count) cells")
    }
    return stride(from: 0, to: cells.count, by: Int(count)).map {
      InterruptSpecifier(controller: controller, cells: Array(cells[$0..<$0 + Int(count)]))
    }
  }

  /// A list of (phandle, specifier) as in `interrupts-extended` or `clocks`; `cellCount` names the property of the
  /// target that says how many cells follow its phandle.
  public func references(
    in property: String, of path: String, cellCount: String
  ) throws(DevicetreeError) -> [(path: String, cells: [UInt32])] {
    guard let node = self[path] else { throw .noNode(path) }
    guard let cells = node.cells(property) else {
      throw .property(node: path, property: property, reason: "missing, or not a list of cells")
    }
    var list: [(path: String, cells: [UInt32])] = []
    var position = 0
    while position < cells.count {
      guard let target = self.path(phandle: cells[position]), let node = self[target] else {
        throw .property(node: path, property: property, reason: "no node has phandle \(cells[position])")
      }
      guard let count = node.u32(cellCount) else {
        throw .property(node: target, property: cellCount, reason: "missing, but '\(path)' refers to it")
      }
      guard Int(count) <= cells.count - position - 1 else {
        throw .property(node: path, property: property, reason: "ends within a specifier of \(count) cells")
      }
      list.append((target, Array(cells[position + 1..<position + 1 + Int(count)])))
      position += 1 + Int(count)
    }
    return list
  }

  /// The controller that `interrupts` of a node refers to: the nearest `interrupt-parent`, or the nearest ancestor that
  /// is a controller itself.
  private func interruptParent(_ indices: [Int], _ chain: [Node], _ path: String) throws(DevicetreeError) -> String {
    for level in stride(from: chain.count - 1, through: 0, by: -1) {
      if level < chain.count - 1, chain[level].has("#interrupt-cells") {
        return self.path(Array(indices.prefix(level)))
      }
      guard let property = chain[level].property("interrupt-parent") else { continue }
      guard let phandle = property.u32, let target = self.path(phandle: phandle) else {
        let owner = self.path(Array(indices.prefix(level)))
        throw .property(node: owner, property: "interrupt-parent", reason: "no node has this phandle")
      }
      return target
    }
    throw .property(node: path, property: "interrupts", reason: "no 'interrupt-parent' here or above")
  }

  /// A number of cells that a bus node defines for its children.
  private enum CellField {
    case address(of: Node)
    case size(of: Node)

    var count: Int {
      switch self {
      case .address(let bus): Int(bus.u32("#address-cells") ?? 2)
      case .size(let bus): Int(bus.u32("#size-cells") ?? 1)
      }
    }
  }

  /// Splits a property into entries of numbers of these widths.
  private func entries(
    _ property: Property, at path: String, fields: [CellField]
  ) throws(DevicetreeError) -> [[UInt64]] {
    let counts = fields.map(\.count)
    guard counts.allSatisfy({ $0 <= 2 }) else {
      let widest = counts.max() ?? 0
      throw .property(node: path, property: property.name, reason: "numbers of \(widest) cells are not supported")
    }
    let total = counts.reduce(0, +)
    guard total > 0, let cells = property.cells, cells.count % total == 0 else {
      throw .property(node: path, property: property.name, reason: "not a multiple of \(total) cells")
    }
    var entries: [[UInt64]] = []
    var position = 0
    while position < cells.count {
      var entry: [UInt64] = []
      for count in counts {
        entry.append(cells[position..<position + count].reduce(0) { $0 << 32 | UInt64($1) })
        position += count
      }
      entries.append(entry)
    }
    return entries
  }
}
