// Owns the test that what is built carries the boards.

import Boards
import Foundation
import Testing

@Suite struct BoardsTests {
  /// Beside the program stand the files of `boards/` themselves: links would lead nowhere once it is installed. Sources of
  /// firmware that is built by hand stay behind.
  @Test func standBesideTheProgram() throws {
    let files = FileManager.default
    let program = URL(filePath: try files.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
    let built = program.deletingLastPathComponent().appending(path: "martlet_Boards.resources").path
    let source = URL(filePath: #filePath).appending(path: "../../../boards").standardized.path
    let names = try files.subpathsOfDirectory(atPath: source).filter {
      !["Boards.swift", "README.md"].contains($0) && !$0.hasPrefix("swift")
    }.sorted()
    #expect(names.contains("riscv/virt.dts") && names.contains("riscv/demo/demo.elf"))
    #expect(try files.subpathsOfDirectory(atPath: built).sorted() == names)
    for name in [""] + names {
      let type = try files.attributesOfItem(atPath: built + "/" + name)[.type] as? FileAttributeType
      #expect(type == .typeRegular || type == .typeDirectory, "\(name)")
      if type == .typeRegular { #expect(files.contentsEqual(atPath: built + "/" + name, andPath: source + "/" + name)) }
    }
    if ProcessInfo.processInfo.environment["MARTLET_BOARDS"] == nil { #expect(Boards.folder == built) }
  }
}
