// Owns the view of the devicetree that device models get.

import Bus
import Devicetree

/// A devicetree node as `Bus` shows it to devices.
struct TreeView: NodeView {
  let tree: Devicetree
  let path: String
  private let node: Node
  /// `reg` in root addresses.
  let regions: [AddressRange]

  init?(_ tree: Devicetree, _ path: String) throws(DevicetreeError) {
    guard let node = tree[path] else { return nil }
    self.tree = tree
    self.path = path
    self.node = node
    regions = try tree.regions(of: path).map { AddressRange(base: $0.base, size: $0.size) }
  }

  var name: String { node.name }
  var compatible: [String] { node.compatible }
  func has(_ property: String) -> Bool { node.has(property) }
  func cells(_ property: String) -> [UInt32]? { node.cells(property) }
  func strings(_ property: String) -> [String]? { node.strings(property) }
  func node(path: String) -> (any NodeView)? { (try? TreeView(tree, path)) ?? nil }
  func node(phandle: UInt32) -> (any NodeView)? { tree.path(phandle: phandle).flatMap { node(path: $0) } }
}
