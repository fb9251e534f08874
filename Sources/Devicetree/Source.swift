/// Devicetree files: blobs as they are, sources through the `dtc` program.
import Foundation

extension Devicetree {
  /// Reads a `.dtb` blob or compiles a `.dts` source with `dtc`. What the file is, its first bytes and its name tell.
  public init(contentsOf path: String) throws(DevicetreeError) {
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw .file(path: path, reason: (error as NSError).localizedFailureReason ?? error.localizedDescription)
    }
    if data.starts(with: [0xd0, 0x0d, 0xfe, 0xed]) || path.hasSuffix(".dtb") {
      try self.init(blob: [UInt8](data), name: path)
    } else {
      try self.init(source: path)
    }
  }

  /// Compiles a source file; `/include/` is looked up beside the file and in `includeDirectories`.
  public init(source path: String, includeDirectories: [String] = []) throws(DevicetreeError) {
    guard let compiler = Self.findProgram("dtc") else { throw .compilerMissing(path: path) }
    let process = Process()
    let messages = Pipe()
    let output = URL(fileURLWithPath: NSTemporaryDirectory())
      .appendingPathComponent("martlet-\(UUID().uuidString).dtb")
    defer { try? FileManager.default.removeItem(at: output) }
    process.executableURL = URL(fileURLWithPath: compiler)
    process.arguments =
      ["-q", "-I", "dts", "-O", "dtb", "-o", output.path] + includeDirectories.flatMap { ["-i", $0] } + [path]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = messages
    let text: String
    do {
      try process.run()
      text = String(decoding: messages.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    } catch {
      throw .source(path: path, message: "cannot start \(compiler): \(error.localizedDescription)")
    }
    process.waitUntilExit()
    let message = text.trimmingCharacters(in: .whitespacesAndNewlines)
    guard process.terminationReason == .exit, process.terminationStatus == 0 else {
      throw .source(path: path, message: message.isEmpty ? "dtc gives no reason" : message)
    }
    guard let blob = try? Data(contentsOf: output) else {
      throw .source(path: path, message: "dtc wrote no blob. \(message)")
    }
    try self.init(blob: [UInt8](blob), name: path)
  }

  /// The first executable file of this name in `PATH`.
  private static func findProgram(_ name: String) -> String? {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
    return path.split(separator: ":").map { "\($0)/\(name)" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }
}
