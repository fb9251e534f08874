// Every board of the repository compiles, and all its addresses and interrupts resolve.
import Devicetree
import Foundation
import Testing

@Suite struct BoardTests {
  static let boards: [String] = {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../boards").standardizedFileURL.resolvingSymlinksInPath()
    let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
    return (files?.allObjects as? [URL] ?? []).map(\.path).filter { $0.hasSuffix(".dts") }.sorted()
  }()

  @Test func boardsAreFound() {
    #expect(Self.boards.contains { $0.hasSuffix("/riscv/virt.dts") })
  }

  @Test(arguments: boards)
  func everythingResolves(path: String) throws {
    let tree = try Devicetree(contentsOf: path)
    for path in tree.paths {
      _ = try tree.regions(of: path)
      _ = try tree.interrupts(of: path)
    }
    let console = try #require(tree["/chosen"]?.string("stdout-path"))
    #expect(tree[console] != nil)
    // Microcontrollers have neither a timer of their CPUs' own nor a memory node at the root.
    let isMicrocontroller = path.contains("/arm/")
    #expect(isMicrocontroller || tree["/cpus"]?.number("timebase-frequency") != nil)
    let memories = tree.paths.filter { tree[$0]?.compatible.contains("mmio-sram") ?? false }
    #expect(try !tree.regions(of: memories.first ?? "/memory").isEmpty)
    #expect(try Devicetree(blob: tree.blob(), name: path) == tree)
  }
}
