// A devicetree as a value: look up by path, alias or phandle, and edit.

/// A whole tree, as a `.dtb` blob holds it.
public struct Devicetree: Sendable {
  /// A stretch of physical addresses.
  public struct Range: Sendable, Equatable {
    public let base: UInt64
    public let size: UInt64

    public init(base: UInt64, size: UInt64) {
      self.base = base
      self.size = size
    }
  }

  public var root: Node { didSet { lazyIndex = LazyIndex() } }
  private(set) var lazyIndex = LazyIndex()
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

  private var index: TreeIndex { lazyIndex.of(root) }

  /// Paths of all nodes, parents before their children.
  public var paths: [String] { index.paths }

  /// The path of the node with this phandle.
  public func path(phandle: UInt32) -> String? { index.phandles[phandle] }

  /// Paths of the nodes that list any of these strings in `compatible`.
  public func paths(compatible: Set<String>) -> [String] {
    paths.filter { path in self[path].map { !compatible.isDisjoint(with: $0.compatible) } ?? false }
  }

  /// A phandle that no node has.
  public var unusedPhandle: UInt32 { index.highestPhandle + 1 }

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

  /// Edits every node in place, parents before their children, which keep their names.
  public mutating func updateAll(_ edit: (_ path: String, inout Node) -> Void) {
    func walk(_ node: inout Node, _ path: String) {
      edit(path.isEmpty ? "/" : path, &node)
      for position in node.children.indices {
        walk(&node.children[position], path + "/" + node.children[position].name)
      }
    }
    walk(&root, "")
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
    if let place = index.places[String(path)] { return place }
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
}

/// Trees are equal by what they hold.
extension Devicetree: Equatable {
  public static func == (one: Devicetree, other: Devicetree) -> Bool {
    one.root == other.root && one.reservations == other.reservations && one.bootCPU == other.bootCPU
  }
}
