// Owns the firmware in Embedded Swift for the tests: built from boards/swift with this toolchain, gone after its use.

import Foundation

public struct FirmwareError: Error, CustomStringConvertible {
  public var description: String
}

public final class EmbeddedFirmware {
  /// The ELF file.
  public let path: String
  /// `mps2_an386` or `virt`.
  public let board: String

  public static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../boards/swift")
    .standardized

  /// - Throws: what the compiler said, be it an error or a warning.
  public init(_ board: String) throws {
    self.board = board
    path = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID().uuidString).elf").path()
    let process = Process()
    process.executableURL = Self.folder.appending(path: "build")
    process.arguments = [board, path]
    let pipe = Pipe()
    process.standardError = pipe
    process.standardOutput = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0, output.isEmpty else { throw FirmwareError(description: output) }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
