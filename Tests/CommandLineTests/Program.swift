// Owns how the tests run the built `martlet`: its arguments, its input, what it printed and how it ended.

import Foundation
import Testing

/// What a run of the program came to.
struct Run {
  var code: Int32
  var output: String
  var errors: String
}

enum Program {
  /// The binary beside the tests; nil if it is not built.
  static let path: String? = {
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return [own, CommandLine.arguments[0]].map { ($0 as NSString).deletingLastPathComponent + "/martlet" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }()

  static let missing: Comment =
    "martlet is not built beside the tests; run 'swift build' in the same configuration first"

  /// Runs the program to its end; after 60 seconds it is killed.
  static func run(_ arguments: [String], input: String = "") throws -> Run {
    try run(path ?? "", arguments, input: input)
  }

  /// Runs a shell script in which `"$0" "$@"` is the program with its arguments.
  static func shell(_ script: String, _ arguments: [String], input: String = "") throws -> Run {
    try run("/bin/sh", ["-c", script, path ?? ""] + arguments, input: input)
  }

  private static func run(_ executable: String, _ arguments: [String], input: String) throws -> Run {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = arguments
    let pipes = (input: Pipe(), output: Pipe(), errors: Pipe())
    process.standardInput = pipes.input
    process.standardOutput = pipes.output
    process.standardError = pipes.errors
    try process.run()
    try pipes.input.fileHandleForWriting.write(contentsOf: Data(input.utf8))
    try pipes.input.fileHandleForWriting.close()
    let identifier = process.processIdentifier
    let watchdog = DispatchWorkItem { kill(identifier, SIGKILL) }
    DispatchQueue.global().asyncAfter(deadline: .now() + 60, execute: watchdog)
    let output = pipes.output.fileHandleForReading.readDataToEndOfFile()
    let errors = pipes.errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    watchdog.cancel()
    return Run(
      code: process.terminationStatus, output: String(decoding: output, as: UTF8.self),
      errors: String(decoding: errors, as: UTF8.self))
  }

  /// Makes a Unix socket and does something with it and a path, such as `bind` or `connect`; nil if that fails.
  static func unixSocket(
    _ path: String, _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> FileHandle? {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
    let result = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { socket in
        unsafe body(descriptor, socket, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    if result == 0 { return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true) }
    close(descriptor)
    return nil
  }

  /// Sends bytes to a Unix socket, and returns what comes back within a second; nothing if nobody listens there.
  static func ask(_ path: String, _ text: String) throws -> String {
    guard let handle = unsafe unixSocket(path, connect) else { return "" }
    try handle.write(contentsOf: Data(text.utf8))
    var answer = ""
    var ready = pollfd(fd: handle.fileDescriptor, events: Int16(POLLIN), revents: 0)
    while unsafe poll(&ready, 1, 1000) == 1 {
      let data = handle.availableData
      if data.isEmpty { break }
      answer += String(decoding: data, as: UTF8.self)
    }
    return answer
  }

  /// Writes bytes to a file of their own and gives its path.
  static func file(_ bytes: [UInt8], _ name: String = "guest.bin") throws -> String {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let url = folder.appendingPathComponent(name)
    try Data(bytes).write(to: url)
    return url.path
  }
}

/// Guest programs of a few RV64 instructions, for the start of the `virt` board's memory.
enum Guest {
  static func bytes(_ words: [UInt32]) -> [UInt8] {
    words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * UInt32($0))) } }
  }

  /// `lui rd, value >> 12; addi rd, rd, value & 0xFFF`, for values whose bit 11 is clear.
  static func load(_ register: UInt32, _ value: UInt32) -> [UInt32] {
    [value & 0xFFFF_F000 | register << 7 | 0x37, (value & 0x7FF) << 20 | register << 15 | register << 7 | 0x13]
  }

  static let loop: [UInt32] = [0x0000_006F]

  /// Prints through the UART.
  static func say(_ text: String) -> [UInt32] {
    load(5, 0x1000_0000) + text.utf8.flatMap { load(6, UInt32($0)) + [0x0062_8023] }
  }

  /// Writes to the test finisher: switches the machine off.
  static func finish(_ word: UInt32) -> [UInt32] { load(5, 0x10_0000) + load(6, word) + [0x0062_A023] + loop }

  /// A semihosting call.
  static func call(_ operation: UInt32, _ parameter: [UInt32]) -> [UInt32] {
    load(10, operation) + parameter + [0x01F0_1013, 0x0010_0073, 0x4070_5013]
  }

  /// `auipc a1, 0; addi a1, a1, distance`: the address so many bytes behind this pair.
  static func address(_ distance: UInt32) -> [UInt32] { [0x0000_0597, distance << 20 | 0x0005_8593] }

  static func words(_ text: String) -> [UInt32] {
    let bytes = Array(text.utf8) + [UInt8](repeating: 0, count: 4 - text.utf8.count % 4)
    return stride(from: 0, to: bytes.count, by: 4).map { at in
      (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << (8 * UInt32($1)) }
    }
  }
}
