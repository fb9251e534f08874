// Owns the firmware in Embedded Swift for the tests: built from boards/swift with this toolchain, gone after its use.

import DebugServer
import Foundation
import Machine
import Testing

final class SwiftFirmware {
  let path: String
  private let name: String

  init(_ name: String) throws {
    self.name = name
    path = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID().uuidString).elf").path()
    let process = Process()
    process.executableURL = repository.appending(path: "boards/swift/build")
    process.arguments = [name, path]
    let pipe = Pipe()
    process.standardError = pipe
    process.standardOutput = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "\(output)")
    #expect(output.isEmpty, "the firmware compiles without a word")
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The board it is for, stopped before its first instruction.
  func board(options: DebugServer.Options = .init(), console: Console? = nil) throws -> TestBoard {
    try TestBoard(options: options, console: console) {
      $0.loads = []
      switch self.name {
      case "virt":
        $0.cpuModel = "rv32"
        $0.bios = self.path
      default:
        $0.board = repository.appending(path: "boards/arm/mps2_an385.dts").path()
        $0.cpuModel = "cortex-m4"
        $0.memorySize = nil
        $0.kernel = self.path
      }
    }
  }
}
