// Owns where instrumentation trace (Arm's ITM) goes: to the console, or to a file.

import Bus

/// Port 0 as text among what the first serial line prints, as viewers of SWO show it; other ports a line a write.
final class ConsoleTrace: TraceSink {
  private let line: SerialLine
  init(_ line: SerialLine) { self.line = line }

  func write(port: Int, _ bytes: [UInt8]) {
    guard port > 0 else { return line.write(bytes) }
    let value = bytes.reversed().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    line.write(Array("itm \(port): 0x\(value)\n".utf8))
  }
}

/// The packets of the trace protocol as they come out of SWO: a header with port and size, then the bytes
/// (ARMv7-M manual, D4.3 "Software Instrumentation packet").
final class FileTrace: TraceSink {
  private let output: Output
  init(_ output: Output) { self.output = output }

  func write(port: Int, _ bytes: [UInt8]) {
    let size: UInt8 = bytes.count == 4 ? 3 : UInt8(bytes.count)
    output.write([UInt8(port) << 3 | size] + bytes)
  }
}
