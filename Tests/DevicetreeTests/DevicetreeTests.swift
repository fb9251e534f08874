// Reading, resolving, editing and writing trees.
import Devicetree
import Testing

@Suite struct DevicetreeTests {
  @Test func propertiesHaveTypedViews() throws {
    let tree = try sample()
    #expect(tree.root.compatible == ["vendor,board", "vendor,family"])
    #expect(tree["/soc/serial"]?.cells("interrupts") == [10, 11])
    #expect(tree["/soc/plic@4000"]?.has("interrupt-controller") == true)
    #expect(tree["/memory@80000000"]?.string("device_type") == "memory")
    #expect(tree["/soc/serial@1001"] == nil)
    #expect(tree.reservations == [.init(base: 0x8000_0000, size: 0x1000)])
    #expect(Property("p", .u64(0x1_0000_0002)).number == 0x1_0000_0002)
    #expect(Property("p", .bytes([1, 2, 3])).cells == nil)
    #expect(Property("p", .bytes([0x41])).strings == nil)
    #expect(Property("p", .bytes([0xff, 0])).strings == nil)
  }

  @Test func aliasesAndPhandlesResolve() throws {
    let tree = try sample()
    #expect(tree.fullPath("serial0:115200n8") == "/soc/serial@1000")
    #expect(tree.fullPath("serial1") == nil)
    let phandle = try #require(tree["/soc/plic"]?.phandle)
    #expect(tree.path(phandle: phandle) == "/soc/plic@4000")
    #expect(tree.path(phandle: tree.unusedPhandle) == nil)
    #expect(tree.paths(compatible: ["ns16550a"]) == ["/soc/serial@1000"])
  }

  @Test func addressesGoThroughRanges() throws {
    let tree = try sample()
    #expect(
      try tree.regions(of: "serial0") == [.init(base: 0x1000_1000, size: 0x100), .init(base: 0x1_0000_0800, size: 8)])
    #expect(try tree.regions(of: "/memory") == [.init(base: 0x8000_0000, size: 0x800_0000)])
    #expect(try tree.regions(of: "/cpus/cpu@0") == [])
    #expect(try tree.regions(of: "/soc/bus/sensor@48") == [])
    let error = #expect(throws: DevicetreeError.self) { try tree.regions(of: "/soc/far@200000") }
    #expect(error.map { "\($0)" }?.contains("/soc/far@200000") == true)
  }

  @Test func interruptsFindTheirController() throws {
    var tree = try sample()
    let serial = try tree.interrupts(of: "serial0")
    #expect(serial.map(\.controller) == ["/soc/plic@4000", "/soc/plic@4000"])
    #expect(serial.map(\.cells) == [[10], [11]])
    let plic = try tree.interrupts(of: "/soc/plic")
    #expect(plic.map(\.controller) == Array(repeating: "/cpus/cpu@0/interrupt-controller", count: 2))
    #expect(plic.map(\.cells) == [[11], [9]])
    try tree.update("/soc/plic") { $0.set("interrupts-extended", .cells([77, 1])) }
    #expect(throws: DevicetreeError.self) { try tree.interrupts(of: "/soc/plic") }
    try tree.update("/") { $0.remove("interrupt-parent") }
    #expect(throws: DevicetreeError.self) { try tree.interrupts(of: "serial0") }
  }

  @Test func editedTreesComeBackFromABlob() throws {
    var tree = try sample()
    try tree.update("/chosen") { $0.set("bootargs", .string("console=ttyS0")) }
    try tree.update("/memory") { $0.set("reg", .cells([0, 0x8000_0000, 0, 0x1000_0000])) }
    try tree.add(Node("virtio@2000", [Property("reg", .cells([0x2000, 0x100])), Property("on", .empty)]), to: "/soc")
    try tree.remove("/soc/far")
    tree.bootCPU = 3
    let back = try Devicetree(blob: try tree.blob(padding: 4096), name: "edited")
    #expect(back == tree)
    #expect(back["/soc/virtio"]?.property("on")?.bytes == [])
    #expect(throws: DevicetreeError.noNode("/soc/far")) { try tree.remove("/soc/far") }
  }

  @Test func largeTreesGrowTheBuffer() throws {
    let bytes = [UInt8](repeating: 0x5a, count: 100_000)
    let tree = Devicetree(root: Node("", [Property("big", .bytes(bytes))]))
    #expect(try Devicetree(blob: tree.blob(), name: "big").root.property("big")?.bytes == bytes)
  }
}
