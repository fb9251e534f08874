// Owns the map file of Linux perf: a line of start, size (both hexadecimal) and name for each piece of code
// (tools/perf/Documentation/jit-interface.txt).

final class PerfMap: CodeSink {
  private let file: TraceFile

  init(_ file: TraceFile) { self.file = file }

  func add(_ name: String, at address: UInt64, _ code: [UInt8]) {
    file.append(Array((String(address, radix: 16) + " " + String(code.count, radix: 16) + " " + name + "\n").utf8))
  }

  /// The format knows no time, so that addresses must have one name.
  func clear() { file.truncate() }
}
