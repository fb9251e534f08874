// Trees of thousands of nodes and sources that ask for too much: in the time they should take, or refused.
import Devicetree
import Foundation
import Glibc
import Testing

@Suite struct LargeTreeTests {
  /// Side by side, and one below another as deep as it goes.
  private static func tree(_ count: Int) -> Devicetree {
    let windows = (0..<UInt32(count)).flatMap { number -> [UInt32] in [0, number * 16, 0x1000_0000 + number * 16, 16] }
    var soc = Node("soc", [Property("#interrupt-cells", .cells([1])), Property("ranges", .cells(windows))])
    soc.set("#address-cells", .cells([2]))
    for number in 0..<count {
      let name = String(number * 16, radix: 16)
      soc.children.append(
        Node(
          "device@\(name)",
          [
            Property("phandle", .cells([UInt32(number + 1)])), Property("reg", .cells([0, UInt32(number * 16), 4])),
            Property("own-\(number)", .string("x")), Property("interrupts-extended", .cells([1, 0])),
            Property("#interrupt-cells", .cells([1])),
          ]))
    }
    return Devicetree(root: Node("", [Property("#address-cells", .cells([1]))], children: [soc]))
  }

  @Test(.timeLimit(.minutes(1))) func everyQuestionIsQuick() throws {
    let tree = Self.tree(20_000)
    let read = try Devicetree(blob: tree.blob(), name: "large")
    #expect(read == tree)
    for path in read.paths {
      #expect(read[path] != nil)
      for range in try read.regions(of: path) { #expect(range.base >= 0x1000_0000) }
      _ = try read.interrupts(of: path)
    }
    for phandle in 1...20_000 { #expect(read.path(phandle: UInt32(phandle)) != nil) }
    #expect(read.unusedPhandle == 20_001)
  }

  /// What is asked after an edit is asked of the edited tree.
  @Test func editsAreSeen() throws {
    var tree = Self.tree(3)
    #expect(tree["/soc/device@10"]?.phandle == 2)
    try tree.update("/soc/device@10") { node in
      node.name = "other"
      node.set("phandle", .cells([9]))
    }
    #expect(tree["/soc/device@10"] == nil && tree["/soc/other"] != nil)
    #expect(tree.path(phandle: 2) == nil && tree.path(phandle: 9) == "/soc/other" && tree.unusedPhandle == 10)
    let copy = tree
    tree.updateAll { path, node in if path.hasPrefix("/soc/") { node.set("seen", .string(path)) } }
    #expect(tree["/soc/other"]?.string("seen") == "/soc/other" && copy["/soc/other"]?.has("seen") == false)
    tree.root.children.removeAll()
    #expect(tree["/soc"] == nil && tree.paths == ["/"] && copy["/soc"] != nil)
  }

  @Test(.timeLimit(.minutes(1)), arguments: ["/dev/zero", "/dev/urandom"])
  func sourcesThatIncludeADeviceAreRefused(device: String) throws {
    try withFile(Array("/dts-v1/;\n/ { a = /incbin/(\"\(device)\"); };\n".utf8), suffix: ".dts") { path in
      let error = #expect(throws: DevicetreeError.self) { try Devicetree(contentsOf: path) }
      #expect(error.map { "\($0)" }?.contains(path) == true)
    }
  }

  @Test func filesThatAreNoneAreRefused() throws {
    for path in ["/dev/zero", "/tmp"] {
      let error = #expect(throws: DevicetreeError.self) { try Devicetree(contentsOf: path) }
      #expect(error.map { "\($0)" }?.contains("no regular file") == true)
    }
  }

  /// The name of each property is looked for the end of: names without one would be, again and again.
  @Test(.timeLimit(.minutes(1))) func endlessNamesAreRefused() throws {
    let properties = (0..<50_000).map { _ in Property("a", .empty) }
    var blob = try Devicetree(root: Node("", properties)).blob()
    let strings = blob[12..<16].reduce(0) { $0 << 8 | Int($1) }
    blob.replaceSubrange(strings..<strings + 2, with: [UInt8](repeating: 0x61, count: 8 << 20) + [0])
    for (place, value) in [(4, blob.count), (32, 8 << 20 + 1)] {
      blob.replaceSubrange(place..<place + 4, with: (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) })
    }
    let error = #expect(throws: DevicetreeError.self) { try Devicetree(blob: blob, name: "names") }
    #expect(error.map { "\($0)" }?.contains("more than 1024 bytes") == true, "\(String(describing: error))")
  }
}
