// Owns which harts form a cluster (Devicetree binding "CPU topology", node `cpu-map`).

import Devicetree

extension Devicetree {
  /// For each CPU, in their order, the number of its cluster, counted from 0. The innermost cluster counts; without a
  /// `cpu-map`, and for what is not in it, it is 0.
  package var cpuClusters: [Int] {
    var clusters = [String: Int]()
    var count = 0
    func visit(_ node: Node, _ cluster: Int?) {
      if let phandle = node.u32("cpu"), let path = path(phandle: phandle) {
        clusters[path] = cluster ?? 0
      }
      var own: Int?
      for child in node.children {
        if child.name.hasPrefix("cluster") || child.name.hasPrefix("socket") {
          visit(child, nil)
        } else {
          if own == nil, cluster == nil {
            own = count
            count += 1
          }
          visit(child, cluster ?? own)
        }
      }
    }
    for child in self["/cpus/cpu-map"]?.children ?? [] { visit(child, nil) }
    return cpuPaths.map { clusters[$0] ?? 0 }
  }
}

extension Machine {
  /// The cluster of each hart, counted from 0.
  public var clusters: [Int] {
    let known = tree.cpuClusters
    return engine.vcpus.indices.map { known.indices.contains($0) ? known[$0] : 0 }
  }
}
