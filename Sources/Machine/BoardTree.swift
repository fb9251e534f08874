// Owns the edits of a board's devicetree that the user's choices call for: CPUs, memory, boot arguments.

import Bus
import Devicetree
import GuestKit

extension Devicetree {
  /// Paths of the CPU nodes, in order.
  var cpuPaths: [String] {
    guard let cpus = self["/cpus"] else { return [] }
    return cpus.children.filter { $0.string("device_type") == "cpu" || $0.name.hasPrefix("cpu@") }
      .map { "/cpus/" + $0.name }
  }

  /// Paths of the memory nodes: those of the root, then the on-chip memories of microcontrollers.
  var memoryPaths: [String] {
    let main = root.children.filter { $0.string("device_type") == "memory" || $0.name.hasPrefix("memory@") }
      .map { "/" + $0.name }
    let known = Set(main)
    return main
      + paths.filter { path in
        guard !known.contains(path), let node = self[path] else { return false }
        return node.isEnabled && node.compatible.contains("mmio-sram")
      }
  }

  /// Makes `count` CPUs out of the first one, and gives each the interrupts that the first one gets.
  mutating func setCPUCount(_ count: Int) throws(DevicetreeError) {
    let paths = Set(cpuPaths)
    guard let first = cpuPaths.first, let template = self[first] else { return }
    var phandles: [UInt32] = [template.children.first?.phandle ?? 0]
    var next = unusedPhandle
    func fresh() -> UInt32 {
      defer { next &+= 1 }
      return next
    }
    var cpus: [Node] = []
    for number in 1..<max(1, count) {
      var cpu = template
      cpu.name = "cpu@" + String(number, radix: 16)
      cpu.set("reg", .cells([UInt32(number)]))
      if cpu.has("phandle") { cpu.set("phandle", .cells([fresh()])) }
      for position in cpu.children.indices where cpu.children[position].has("phandle") {
        let phandle = fresh()
        phandles.append(phandle)
        cpu.children[position].set("phandle", .cells([phandle]))
      }
      cpus.append(cpu)
    }
    try update("/cpus") { node in
      // A map of CPUs that are not there any more would be no map.
      node.children.removeAll {
        paths.contains("/cpus/" + $0.name) && "/cpus/" + $0.name != first || $0.name == "cpu-map"
      }
      node.children += cpus
    }
    spreadInterrupts(from: phandles)
  }

  /// Repeats the `interrupts-extended` entries of the first CPU's controller for the other CPUs' controllers.
  private mutating func spreadInterrupts(from phandles: [UInt32]) {
    guard phandles[0] != 0 else { return }
    updateAll { _, node in
      guard let cells = node.cells("interrupts-extended"), cells.count % 2 == 0 else { return }
      let own = stride(from: 0, to: cells.count, by: 2).filter { cells[$0] == phandles[0] }.map { cells[$0 + 1] }
      guard !own.isEmpty else { return }
      node.set("interrupts-extended", .cells(phandles.flatMap { phandle in own.flatMap { [phandle, $0] } }))
    }
  }

  /// The memory that `-m` sizes: what `/chosen/martlet,main-memory` refers to, or the first.
  var mainMemoryPath: String? {
    self["/chosen"]?.u32("martlet,main-memory").flatMap { path(phandle: $0) } ?? memoryPaths.first
  }

  /// The microcontroller's flash memory: what `/chosen/zephyr,flash` refers to, or the first.
  var flashPath: String? {
    let flashes = paths.filter { self[$0].map { $0.isEnabled && $0.compatible.contains("soc-nv-flash") } ?? false }
    let chosen = self["/chosen"]?.u32("zephyr,flash").flatMap { path(phandle: $0) }
    return flashes.first { $0 == chosen } ?? flashes.first
  }

  /// Gives a node one region of `size` bytes where its first one is.
  mutating func setSize(of path: String, _ size: UInt64) throws(DevicetreeError) {
    let parent = path.lastIndex(of: "/").flatMap { self[$0 == path.startIndex ? "/" : String(path[..<$0])] }
    let addressCells = Int(parent?.u32("#address-cells") ?? 2)
    let sizeCells = Int(parent?.u32("#size-cells") ?? 1)
    guard let reg = self[path]?.cells("reg"), addressCells <= 2, sizeCells == 2 || sizeCells == 1 && size >> 32 == 0,
      reg.count >= addressCells + sizeCells
    else { throw .property(node: path, property: "reg", reason: "has no room for a size of \(size) bytes") }
    let cells = [UInt32(size >> 32), UInt32(truncatingIfNeeded: size)].suffix(sizeCells)
    try update(path) { $0.set("reg", .cells(Array(reg.prefix(addressCells)) + cells)) }
  }

  /// A number as the root's children write it in `reg`: in as many cells (one or two) as this property of the root says.
  func rootCells(_ value: UInt64, _ property: String, _ standard: UInt32) -> [UInt32] {
    let low = UInt32(truncatingIfNeeded: value)
    return (root.u32(property) ?? standard) == 2 ? [UInt32(value >> 32), low] : [low]
  }

  /// Sets properties of `/chosen`, making the node if there is none.
  mutating func setChosen(_ edit: (inout Node) -> Void) throws(DevicetreeError) {
    if self["/chosen"] == nil { try add(Node("chosen"), to: "/") }
    try update("/chosen", edit)
  }
}
