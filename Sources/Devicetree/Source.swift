// Devicetree files: blobs as they are, sources through the `dtc` program.

import Glibc
import Processes

extension Devicetree {
  /// Bytes of a file, and of what `dtc` makes of one.
  static let largestFile = 64 << 20

  /// Reads a `.dtb` blob or compiles a `.dts` source with `dtc`. What the file is, its first bytes and its name tell.
  public init(contentsOf path: String) throws(DevicetreeError) {
    let bytes = try Self.read(path)
    if bytes.starts(with: [0xd0, 0x0d, 0xfe, 0xed]) || path.hasSuffix(".dtb") {
      try self.init(blob: bytes, name: path)
    } else {
      try self.init(source: path)
    }
  }

  /// Compiles a source file; `/include/` is looked up beside the file and in `includeDirectories`.
  public init(source path: String, includeDirectories: [String] = []) throws(DevicetreeError) {
    guard let compiler = ProgramRun.find("dtc") else { throw .compilerMissing(path: path) }
    let run = ProgramRun(
      [compiler, "-q", "-I", "dts", "-O", "dtb", "-o", "-"] + includeDirectories.flatMap { ["-i", $0] } + [path],
      mostOutput: Self.largestFile)
    if let problem = run.problem { throw .source(path: path, message: "\(compiler): \(problem)") }
    guard run.status == 0 else {
      throw .source(path: path, message: run.messages.isEmpty ? "dtc gives no reason" : run.messages)
    }
    guard !run.output.isEmpty else { throw .source(path: path, message: "dtc wrote no blob. \(run.messages)") }
    try self.init(blob: run.output, name: path)
  }

  private static func read(_ path: String) throws(DevicetreeError) -> [UInt8] {
    func failure(_ reason: String) -> DevicetreeError { .file(path: path, reason: reason) }
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failure(reason(errno)) }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw failure(reason(errno)) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw failure("it is no regular file") }
    guard status.st_size <= largestFile else {
      throw failure("\(status.st_size) bytes are more than the \(largestFile) a devicetree may have")
    }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while bytes.count <= largestFile {
      let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw failure(reason(errno)) }
      if count == 0 { break }
      bytes += chunk.prefix(count)
    }
    return bytes
  }

  private static func reason(_ number: Int32) -> String {
    unsafe strerror(number).map { unsafe String(cString: $0) } ?? "error \(number)"
  }
}
