// Owns how tests speak to GDB as editors do: over its machine interface, with a program served by a running Martlet.

import Foundation
import Glibc
import Testing

/// A GDB in machine-interface mode.
final class MachineInterface {
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private var pending = ""
  private var token = 0
  /// Everything GDB wrote.
  private(set) var transcript = ""

  static let gdb = "/usr/bin/gdb-multiarch"
  static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: gdb) }

  init() throws {
    process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    process.arguments = ["-k", "5", "100", Self.gdb, "-nx", "--interpreter=mi2"]
    process.standardInput = input
    process.standardOutput = output
    process.standardError = output
    try process.run()
    // A read that waits no longer than a test should.
    _ = fcntl(output.fileHandleForReading.fileDescriptor, F_SETFL, O_NONBLOCK)
  }

  deinit {
    try? input.fileHandleForWriting.close()
    process.terminate()
  }

  /// Sends a command and waits for its result record, which it returns without the token.
  @discardableResult
  func ask(_ command: String, expecting result: String = "done") throws -> String {
    token += 1
    try input.fileHandleForWriting.write(contentsOf: Data("\(token)\(command)\n".utf8))
    let line = try next("\(token)^")
    let record = String(line.dropFirst("\(token)".count))
    #expect(record.hasPrefix("^" + result), "\(command): \(record)")
    return record
  }

  /// The next record that starts with these characters.
  func next(_ prefix: String) throws -> String {
    let deadline = Date(timeIntervalSinceNow: 40)
    while Date() < deadline {
      while let end = pending.firstIndex(of: "\n") {
        let line = String(pending[..<end])
        pending = String(pending[pending.index(after: end)...])
        if line.hasPrefix(prefix) { return line }
      }
      let chunk = output.fileHandleForReading.availableText
      transcript += chunk
      pending += chunk
      if chunk.isEmpty { usleep(10_000) }
    }
    throw CocoaError(.fileReadUnknown, userInfo: [NSLocalizedDescriptionKey: "GDB does not answer:\n" + transcript])
  }
}

extension FileHandle {
  fileprivate var availableText: String {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(fileDescriptor, $0.baseAddress, $0.count) }
    return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
  }
}

/// A running Martlet.
final class Server {
  private let process = Process()
  private let output = Pipe()
  private let input = Pipe()

  /// - Parameter launcher: what is called in place of the program itself, such as a wrapper.
  init(_ arguments: [String], launcher: String? = nil, environment: [String: String] = [:]) throws {
    process.executableURL = URL(fileURLWithPath: launcher ?? Program.path ?? "")
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = input
    process.standardOutput = output
    process.standardError = output
    try process.run()
    _ = fcntl(output.fileHandleForReading.fileDescriptor, F_SETFL, O_NONBLOCK)
  }

  deinit {
    process.terminate()
    process.waitUntilExit()
  }

  var identifier: Int32 { process.processIdentifier }

  func send(_ text: String) throws { try input.fileHandleForWriting.write(contentsOf: Data(text.utf8)) }

  /// Waits until the program has printed a text; returns all that it printed until then.
  func wait(for text: String, within seconds: Double = 30) -> String {
    let deadline = Date(timeIntervalSinceNow: seconds)
    var all = ""
    while !all.contains(text), Date() < deadline {
      all += output.fileHandleForReading.availableText
      usleep(10_000)
    }
    return all
  }

  /// The exit code, after the program ended by itself or was killed.
  func end(within seconds: Double = 10) -> Int32 {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while process.isRunning, Date() < deadline { usleep(10_000) }
    if process.isRunning { process.terminate() }
    process.waitUntilExit()
    return process.terminationStatus
  }

  /// Ends the program so that it can do nothing about it.
  func kill() {
    Glibc.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// A TCP port that nobody listens at now.
  static func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { socket in
        unsafe bind(descriptor, socket, size) == 0 ? unsafe getsockname(descriptor, socket, &size) : -1
      }
    }
    try #require(result == 0)
    return Int(in_port_t(bigEndian: address.sin_port))
  }
}
