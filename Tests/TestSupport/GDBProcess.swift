// Runs the real GDB and takes down what it prints: over a script, or by commands that are typed one by one.

import Foundation
import Glibc

private let gdb = "/usr/bin/gdb-multiarch"
private let repository = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized

/// GDB waits for something that does not come.
public struct GDBStalled: Error {
  public var output: String
}

public struct GDBProcess {
  public static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: gdb) }

  private let process = Process()
  private let output = Pipe()

  private init(_ arguments: [String], port: Int, program: String?) {
    process.currentDirectoryURL = repository
    process.executableURL = URL(filePath: "/usr/bin/timeout")
    process.arguments = [
      "-k", "5", "240", gdb, "-nx", "-q", "-ex", "set pagination off", "-ex", "set width 0", "-ex", "set confirm off",
      "-ex", "set $port = \(port)",
    ]
    if let program { process.arguments? += ["-ex", "file \(program)", "-ex", "set $program = \"\(program)\""] }
    process.arguments? += arguments
    process.standardOutput = output
    process.standardError = output
    process.standardInput = FileHandle.nullDevice
  }

  private func start() throws {
    // Test threads block signals, and children inherit that: GDB would not see its Ctrl-C.
    var none = sigset_t()
    var before = sigset_t()
    unsafe sigemptyset(&none)
    unsafe pthread_sigmask(SIG_SETMASK, &none, &before)
    try process.run()
    unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
  }

  /// What GDB prints for a script.
  public static func output(ofScript path: String, port: Int, program: String? = nil) throws -> String {
    let run = GDBProcess(["-batch", "-x", path], port: port, program: program)
    try run.start()
    let output = run.output.fileHandleForReading.readDataToEndOfFile()
    run.process.waitUntilExit()
    return String(decoding: output, as: UTF8.self)
  }

  /// What GDB prints when the lines are typed, each after the prompt, with the lines behind their prompts. Threads may halt in
  /// between: a line `#await TEXT` waits until the text has come since the last command. The last line is `quit`.
  public static func output(typing lines: [String], port: Int) throws -> String {
    let run = GDBProcess([], port: port, program: nil)
    let input = Pipe()
    run.process.standardInput = input
    try run.start()
    defer {
      run.process.terminate()
      run.process.waitUntilExit()
    }
    let prompt = "(gdb) "
    var all = ""
    var new = ""
    /// Until `isDone`, then until nothing has come for a while.
    func read(settling: Int32 = 0, until isDone: () -> Bool) throws {
      let deadline = Date(timeIntervalSinceNow: 30)
      let descriptor = run.output.fileHandleForReading.fileDescriptor
      while true {
        let isSettling = isDone()
        var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        let left = isSettling ? settling : Int32(max(0, deadline.timeIntervalSinceNow * 1000))
        guard unsafe poll(&poller, 1, left) > 0 else {
          if isSettling { return }
          throw GDBStalled(output: all + new)
        }
        let data = run.output.fileHandleForReading.availableData
        if data.isEmpty { return }
        new += String(decoding: data, as: UTF8.self)
      }
    }
    for line in lines {
      if let text = line.wholeMatch(of: /#await (.*)/)?.1 {
        try read(settling: 150) { new.contains(text) }
        continue
      }
      try read { new.contains(prompt) }
      // What came behind the prompt has pushed it away.
      if !new.hasSuffix(prompt) { new += prompt }
      all += new + line + "\n"
      new = ""
      try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
    }
    try read { false }
    return all + new
  }
}
