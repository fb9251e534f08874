// Owns an emulator with the program `debuggee` that waits for debuggers, and their ways to it: packets, and the real GDB.

import Foundation

/// An emulator that is killed when nobody needs it any more.
final class Debuggee {
  let machine: Contender
  private let program: Program
  private let folder: URL
  private let process: pid_t
  private let input: Int32
  private let port: UInt16
  /// Addresses of the program's functions and variables.
  let symbols: [String: UInt64]

  /// Nil where the program cannot run.
  init?(_ program: Program, on machine: Contender, folder: URL) throws(BenchError) {
    guard let command = machine.command(for: program) else { return nil }
    self.machine = machine
    self.program = program
    self.folder = folder
    port = try Self.freePort()
    symbols = try Self.symbols(of: program.elf, folder)
    var ends: [Int32] = [-1, -1]
    guard unsafe pipe(&ends) == 0 else { throw BenchError("no pipe: error \(errno)") }
    input = ends[1]
    _ = fcntl(input, F_SETFD, FD_CLOEXEC)
    process = try ChildProcess.spawn(
      command + [machine.isQEMU ? "-semihosting" : "--semihosting", "-S", "-gdb", "tcp::\(port)"], input: ends[0],
      output: folder.appendingPathComponent("debuggee.txt").path, isSilent: false)
  }

  deinit {
    kill(process, SIGKILL)
    var status: Int32 = 0
    _ = unsafe waitpid(process, &status, 0)
    close(input)
  }

  /// A port of the loopback interface that was free a moment ago.
  private static func freePort() throws(BenchError) -> UInt16 {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = unsafe withUnsafeMutablePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(socket, $0, size) == 0 ? unsafe getsockname(socket, $0, &size) : -1
      }
    }
    guard status == 0 else { throw BenchError("no port is free: error \(errno)") }
    return UInt16(bigEndian: address.sin_port)
  }

  private static func symbols(of elf: String, _ folder: URL) throws(BenchError) -> [String: UInt64] {
    let names = ["visit", "busy", "wait", "type", "fault", "noise"]
    let script = names.map { "printf \"figure \($0) %lu\\n\", (unsigned long) &\($0)" }.joined(separator: "\n")
    return try gdb(script, elf, folder).compactMapValues { UInt64(exactly: $0) }
  }

  /// A connection to the guest, which stands at the first call of `visit`.
  func connection() throws(BenchError) -> RemoteConnection {
    let connection = try RemoteConnection(port: port, patience: 10)
    let point = try address("visit")
    _ = try connection.ask("?")
    guard try connection.ask("Z0,\(point),4") == "OK" else { throw BenchError("there are no breakpoints") }
    try connection.run("vCont;c")
    _ = try connection.ask("z0,\(point),4")
    return connection
  }

  /// In hexadecimal, as packets have it.
  func address(_ symbol: String) throws(BenchError) -> String {
    guard let address = symbols[symbol] else { throw BenchError("the program has no \(symbol)") }
    return String(address, radix: 16)
  }

  /// The figures that a script of GDB's prints, which finds the guest where it was left.
  ///
  /// `timed NAME COUNT COMMAND` carries out a command and prints as a figure how many there were of what it was to do a
  /// second.
  func figures(ofScript lines: String) throws(BenchError) -> [String: Double] {
    let script = """
      set confirm off
      set pagination off
      python
      import time
      class Timed(gdb.Command):
        def __init__(self): gdb.Command.__init__(self, 'timed', gdb.COMMAND_USER)
        def invoke(self, words, _):
          name, count, command = words.split(None, 2)
          start = time.monotonic()
          gdb.execute(command, to_string=True)
          print('figure', name, int(count, 0) / (time.monotonic() - start))
      Timed()
      end
      target remote :\(port)
      \(lines)
      """
    return try Self.gdb(script, program.elf, folder)
  }

  private static func gdb(_ script: String, _ elf: String, _ folder: URL) throws(BenchError) -> [String: Double] {
    guard let gdb = Toolchain.find("gdb-multiarch") else { throw BenchError("gdb-multiarch is not installed") }
    let path = folder.appendingPathComponent("debugger.gdb").path
    let output = folder.appendingPathComponent("debugger.txt").path
    _ = FileManager.default.createFile(atPath: path, contents: Data(script.utf8))
    let run = try ChildProcess.run([gdb, "-batch", "-nx", "-x", path, elf], output: output, timeout: 120)
    let text = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
    var figures: [String: Double] = [:]
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count == 3, words[0] == "figure" { figures[String(words[1])] = Double(words[2]) }
    }
    guard run.exit == .code(0), !figures.isEmpty else { throw BenchError("gdb: \(run.exit), “\(text.suffix(300))”") }
    return figures
  }
}
