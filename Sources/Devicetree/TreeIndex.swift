// Where the nodes of a tree are, so that each question costs the same however many nodes there are.

import Synchronization

/// The places of nodes: child positions from the root.
struct TreeIndex: Sendable {
  /// An entry of `ranges`: where addresses of a bus are in those of the bus above.
  struct Window: Sendable {
    var child, parent, size: UInt64
  }

  /// Full paths, parents before their children.
  private(set) var paths: [String] = []
  /// Of nodes that share a path, the first.
  private(set) var places: [String: [Int]] = [:]
  /// Of nodes that share a phandle, the path of the first.
  private(set) var phandles: [UInt32: String] = [:]
  private(set) var highestPhandle: UInt32 = 0

  init(_ root: Node) { add(root, "", []) }

  private mutating func add(_ node: Node, _ path: String, _ place: [Int]) {
    let path = place.isEmpty ? "/" : path
    paths.append(path)
    if places[path] == nil { places[path] = place }
    if let phandle = node.phandle {
      if phandles[phandle] == nil { phandles[phandle] = path }
      // The largest ones are reserved (Devicetree Specification v0.4, 2.3.3).
      if phandle < 0xffff_fff0 { highestPhandle = max(highestPhandle, phandle) }
    }
    for (position, child) in node.children.enumerated() {
      add(child, (path == "/" ? "" : path) + "/" + child.name, place + [position])
    }
  }
}

/// The index of a tree as it is between two edits, made when it is first asked for.
final class LazyIndex: Sendable {
  private let index = Mutex<TreeIndex?>(nil)
  private let windows = Mutex<[String: [TreeIndex.Window]]>([:])

  func windows(of bus: String) -> [TreeIndex.Window]? { windows.withLock { $0[bus] } }
  func keep(_ list: [TreeIndex.Window], of bus: String) { windows.withLock { $0[bus] = list } }

  func of(_ root: Node) -> TreeIndex {
    index.withLock { known in
      if let known { return known }
      let made = TreeIndex(root)
      known = made
      return made
    }
  }
}
