/// A devicetree as a value: look up by path, alias or phandle, and edit.

/// A whole tree, as a `.dtb` blob holds it.
public struct Devicetree: Sendable, Equatable {
  /// A stretch of physical addresses.
  public struct Range: Sendable, Equatable {
    public let base: UInt64
    public let size: UInt64

    public init(base: UInt64, size: UInt64) {
      self.base = base
      self.size = size
    }
  }

  public var root: Node
  /// Memory the guest must leave alone (the blob's memory reservation block).
  public var reservations: [Range]
  /// The CPU the boot starts on (`boot_cpuid_phys` of the header).
  public var bootCPU: UInt32

  public init(root: Node = Node(""), reservations: [Range] = [], bootCPU: UInt32 = 0) {
    self.root = root
    self.reservations = reservations
    self.bootCPU = bootCPU
  }

  /// The node at a full path (`/soc/serial@10000000`, unit addresses optional) or at a path that starts with an alias
  /// (`serial0`). What follows a `:` is ignored, as in `stdout-path`.
  public subscript(path: String) -> Node? {
    guard let indices = indices(of: path) else { return nil }
    return indices.reduce(root) { $0.children[$1] }
  }

  /// The full path with unit addresses that `path` stands for.
  public func fullPath(_ path: String) -> String? {
    guard let indices = indices(of: path) else { return nil }
    return self.path(indices)
  }

  /// Paths of all nodes, parents before their children.
  public var paths: [String] {
    var list: [String] = []
    visit { indices, _ in list.append(self.path(indices)) }
    return list
  }

  /// The path of the node with this phandle.
  public func path(phandle: UInt32) -> String? {
    var found: String?
    visit { indices, node in
      if found == nil, node.phandle == phandle { found = self.path(indices) }
    }
    return found
  }

  /// Paths of the nodes that list any of these strings in `compatible`.
  public func paths(compatible: Set<String>) -> [String] {
    var list: [String] = []
    visit { indices, node in
      if !compatible.isDisjoint(with: node.compatible) { list.append(self.path(indices)) }
    }
    return list
  }

  /// A phandle that no node has.
  public var unusedPhandle: UInt32 {
    var highest: UInt32 = 0
    visit { _, node in
      if let phandle = node.phandle, phandle < 0xffff_fff0 { highest = max(highest, phandle) }
    }
    return highest + 1
  }

  // MARK: Editing

  /// Edits the node at `path` in place.
  public mutating func update(_ path: String, _ edit: (inout Node) -> Void) throws(DevicetreeError) {
    guard let indices = indices(of: path) else { throw .noNode(path) }
    Self.update(&root, indices[...], edit)
  }

  /// Adds `node` as the last child of the node at `parent`; replaces a child of the same name.
  public mutating func add(_ node: Node, to parent: String) throws(DevicetreeError) {
    try update(parent) { parent in
      if let index = parent.children.firstIndex(where: { $0.name == node.name }) {
        parent.children[index] = node
      } else {
        parent.children.append(node)
      }
    }
  }

  /// Removes the node at `path` and all below it.
  public mutating func remove(_ path: String) throws(DevicetreeError) {
    guard let indices = indices(of: path), let last = indices.last else { throw .noNode(path) }
    Self.update(&root, indices.dropLast()) { $0.children.remove(at: last) }
  }

  private static func update(_ node: inout Node, _ indices: ArraySlice<Int>, _ edit: (inout Node) -> Void) {
    guard let first = indices.first else { return edit(&node) }
    update(&node.children[first], indices.dropFirst(), edit)
  }

  // MARK: Walking

  /// Child positions from the root to the node that `path` names.
  func indices(of path: String) -> [Int]? {
    var path = path.prefix { $0 != ":" }[...]
    if !path.hasPrefix("/") {
      let alias = path.prefix { $0 != "/" }
      guard let aliases = root.children.first(where: { $0.name == "aliases" }),
        let target = aliases.string(String(alias)), target.hasPrefix("/")
      else { return nil }
      path = (target + path.dropFirst(alias.count))[...]
    }
    var indices: [Int] = []
    var node = root
    for component in path.split(separator: "/") {
      guard let index = node.childIndex(component) else { return nil }
      indices.append(index)
      node = node.children[index]
    }
    return indices
  }

  func path(_ indices: [Int]) -> String {
    var node = root
    var path = ""
    for index in indices {
      node = node.children[index]
      path += "/" + node.name
    }
    return path.isEmpty ? "/" : path
  }

  /// The nodes from the root to the one at `indices`, both included.
  func chain(_ indices: [Int]) -> [Node] {
    var chain = [root]
    for index in indices { chain.append(chain[chain.count - 1].children[index]) }
    return chain
  }

  private func visit(_ body: ([Int], Node) -> Void) {
    func walk(_ node: Node, _ indices: [Int]) {
      body(indices, node)
      for (index, child) in node.children.enumerated() { walk(child, indices + [index]) }
    }
    walk(root, [])
  }
}
