// gdb/swift.py on files that it cannot help: a message, whatever is in them.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/gdb-multiarch"), "GDB is not installed"))
struct SwiftNamesTests {
  private func gdb(_ commands: [String]) throws -> String {
    let process = Process()
    process.currentDirectoryURL = repository
    process.executableURL = URL(filePath: "/usr/bin/timeout")
    process.arguments =
      ["120", "/usr/bin/gdb-multiarch", "-nx", "-batch", "-ex", "source gdb/swift.py"]
      + commands.flatMap { ["-ex", $0] }
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return output
  }

  @Test(arguments: [
    ("swift-symbols", "no program is loaded"),
    ("swift-symbols /nonexistent", "No such file"),
    ("swift-symbols README.md", "it is no ELF file"),
    ("swift-symbols boards/riscv/demo/demo.elf", "nothing in it was compiled by swiftc"),
    ("swift-symbols /bin/sh", "it has no debug information"),
  ])
  func otherFilesAreNamed(command: String, message: String) throws {
    let output = try gdb([command])
    #expect(output.contains("swift-symbols: ") && output.contains(message), "\(output)")
  }

  @Test func damagedFilesAreNamed() throws {
    let firmware = try EmbeddedFirmware("virt")
    let output = try gdb([
      """
      python
      import random
      random.seed(1)
      original = open("\(firmware.path)", "rb").read()
      order, found = sections(original)
      refused = 0
      for _ in range(120):
          data = bytearray(original)
          for name in (".debug_info", ".debug_abbrev"):
              place, size = found[name][:2]
              for _ in range(8):
                  data[place + random.randrange(size)] = random.randrange(256)
          for _ in range(2):
              data[random.randrange(64)] = random.randrange(256)
          try:
              rename(data)
          except NotSwift:
              refused += 1
      print("refused", refused > 10)
      """
    ])
    #expect(output.hasSuffix("refused True\n"), "\(output)")
  }
}
