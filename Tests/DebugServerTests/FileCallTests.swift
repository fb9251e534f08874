// Semihosting with the debugger's files: what the guest asks GDB for, and what it is given back.

import DebugServer
import Foundation
import Machine
import Testing

/// Opens a file, writes to it, asks for its length, closes it, and ends with the length as exit code.
private enum FilesProgram {
  static let data: UInt64 = Program.base + 0x1000

  /// An operation with its block in the data page; the result is stored to other places in the page.
  private static func call(_ words: inout [UInt32], _ operation: UInt32, block: UInt32, storing: [UInt32] = []) {
    words.append(operation << 20 | 0x513)
    address(&words, block)
    words += [0x01F0_1013, 0x0010_0073, 0x4070_5013]
    for place in storing {
      address(&words, place)
      words.append(0x00A5_B023)
    }
  }

  private static func address(_ words: inout [UInt32], _ offset: UInt32) {
    let position = UInt32(4 * words.count)
    words += [0x0000_1597, (offset &- position) << 20 | 0x0005_8593]
  }

  static let code: [UInt8] = {
    var words: [UInt32] = []
    call(&words, 0x01, block: 0x00, storing: [0x40, 0x60])
    call(&words, 0x05, block: 0x40)
    call(&words, 0x0C, block: 0x60, storing: [0x28])
    call(&words, 0x02, block: 0x60)
    call(&words, 0x18, block: 0x20)
    return words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
  }()

  static func page(_ name: String, count: UInt64) -> [UInt8] {
    var page = [UInt8](repeating: 0, count: 0x400)
    func put(_ values: [UInt64], _ place: Int) {
      let bytes = values.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) } }
      page.replaceSubrange(place..<place + bytes.count, with: bytes)
    }
    put([data + 0x100, 4, UInt64(name.utf8.count)], 0x00)
    put([0x20026, 0], 0x20)
    put([0, data + 0x80, count], 0x40)
    page.replaceSubrange(0x80..<0x86, with: Array("hello\n".utf8))
    page.replaceSubrange(0x100..<0x100 + name.utf8.count, with: Array(name.utf8))
    return page
  }

  /// Waits for a character of the console, and ends with it as exit code.
  static let reader: [UInt8] = {
    var words: [UInt32] = []
    call(&words, 0x07, block: 0x00, storing: [0x28])
    call(&words, 0x18, block: 0x20)
    return words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
  }()

  static func board(
    _ name: String, count: UInt64 = 6, target: SemihostingTarget = .gdb, code: [UInt8] = code
  ) throws -> TestBoard {
    let code = try TemporaryFile(code)
    let page = try TemporaryFile(page(name, count: count))
    return try TestBoard {
      $0.semihosting = true
      $0.semihostingTarget = target
      $0.loads = [
        ImageFile(path: code.path, address: Program.base, setsEntry: true), ImageFile(path: page.path, address: data),
      ]
    }
  }
}

struct FileCallTests {
  @Test(arguments: [SemihostingTarget.gdb, .auto])
  func callsGoToTheClient(target: SemihostingTarget) throws {
    let board = try FilesProgram.board("x.txt", target: target)
    let client = try Client(port: board.port)
    try client.begin()
    client.send("c")
    #expect(try client.receive() == "Fopen,80001100/6,601,1a4")
    #expect(try client.ask("m80001100,6") == "782e74787400")
    client.send("F5")
    #expect(try client.receive() == "Fwrite,5,80001080,6")
    client.send("F6")
    #expect(try client.receive() == "Flseek,5,0,1")
    client.send("F6")
    #expect(try client.receive() == "Flseek,5,0,2")
    client.send("F2a")
    #expect(try client.receive() == "Flseek,5,6,0")
    client.send("F6")
    #expect(try client.receive() == "Fclose,5")
    client.send("F0")
    #expect(try client.receive() == "W2a")
  }

  @Test func theClientMayInterrupt() throws {
    let board = try FilesProgram.board("x.txt")
    let client = try Client(port: board.port)
    try client.begin()
    client.send("c")
    #expect(try client.receive().hasPrefix("Fopen"))
    client.send("F-1,4,C")
    #expect(try client.receive().hasPrefix("T02"))
    // The guest stands behind its call, with −1 and the error.
    #expect(try client.register(10) == .max)
    client.send("c")
    #expect(try client.receive().hasPrefix("W"))
  }

  @Test func aClientThatLeavesEndsTheCall() throws {
    let board = try FilesProgram.board("x.txt")
    let client = try Client(port: board.port)
    try client.begin()
    client.send("c")
    #expect(try client.receive().hasPrefix("Fopen"))
    client.disconnect()
    #expect(end(of: board) != nil)
  }

  /// Numbers at the ends of their types, of the guest and of the client.
  @Test func sizesAndAnswersMayBeAnything() throws {
    let board = try FilesProgram.board("x.txt", count: .max)
    let client = try Client(port: board.port)
    try client.begin()
    client.send("c")
    #expect(try client.receive().hasPrefix("Fopen"))
    client.send("F5")
    #expect(try client.receive() == "Fwrite,5,80001080,1000000", "no more than a client has memory for")
    client.send("F7fffffffffffffff")
    #expect(try client.receive() == "Flseek,5,0,1")
    client.send("F-8000000000000000")
    #expect(try client.receive() == "Fclose,5")
    client.send("F0,ffffffff")
    #expect(try client.receive() == "Wff")
  }

  @Test(arguments: ["F7fffffffffffffff", "F80000000", "F-1,16"]) func aHandleThatIsNoneIsAnError(_ answer: String)
    throws
  {
    let board = try FilesProgram.board("x.txt")
    let client = try Client(port: board.port)
    try client.begin()
    client.send("c")
    #expect(try client.receive().hasPrefix("Fopen"))
    client.send(answer)
    // All further calls fail here; none goes to the client.
    #expect(try client.receive() == "Wff")
  }

  @Test func aNameWithoutEndIsNotForTheClient() throws {
    let board = try FilesProgram.board("x.txt")
    board.machine.perform { try? $0.space.copyIn([UInt8](repeating: 0xFF, count: 8), at: FilesProgram.data + 0x10) }
    let client = try Client(port: board.port)
    try client.begin()
    #expect(try client.ask("c") == "Wff")
  }

  // MARK: Calls that are cut

  /// A stop waits until the client has done what it was asked for.
  @Test func aStopComesBehindTheCall() throws {
    let board = try FilesProgram.board("x.txt")
    let client = try Client(port: board.port)
    try client.begin()
    client.send("c")
    #expect(try client.receive().hasPrefix("Fopen"))
    board.machine.stop()
    client.send("F5")
    #expect(brief(try client.receive()) == "T02thread:1")
    #expect(try client.register(10) == 0x1005)
    #expect(try client.ask("c") == "Fwrite,5,80001080,6")
  }

  /// `reset halt` from elsewhere, while the client is at work: its answer is of no use any more.
  @Test func aResetCutsTheCall() throws {
    let board = try FilesProgram.board("x.txt")
    let client = try Client(port: board.port)
    try client.begin()
    client.send("c")
    #expect(try client.receive().hasPrefix("Fopen"))
    board.machine.stop()
    board.machine.perform { $0.reset(.debugger) }
    #expect(brief(try client.receive()) == "T02thread:1")
    client.send("F5")
    #expect(try client.register(pcRegister) == Program.base)
    #expect(try client.register(10) == 0)
    #expect(try client.ask("c").hasPrefix("Fopen"))
    client.send("F7")
    #expect(try client.receive() == "Fwrite,7,80001080,6")
  }

  @Test func aRestartCutsTheCall() throws {
    let board = try FilesProgram.board("x.txt")
    let client = try Client(port: board.port)
    try client.begin()
    client.send("c")
    #expect(try client.receive().hasPrefix("Fopen"))
    #expect(brief(try client.ask("vRun;")) == "T05thread:1")
    #expect(try client.register(pcRegister) == Program.base)
    #expect(try client.ask("c").hasPrefix("Fopen"))
    client.send("F7")
    #expect(try client.receive() == "Fwrite,7,80001080,6")
  }

  /// The guest asks anew from where it was put; what the client answers to the first call is not taken for the second.
  @Test func aRestoredGuestAsksAgain() throws {
    let board = try FilesProgram.board("x.txt")
    board.machine.perform { try? $0.saveSnapshot(named: "start") }
    let client = try Client(port: board.port)
    try client.begin()
    client.send("c")
    #expect(try client.receive().hasPrefix("Fopen"))
    board.machine.perform { try? $0.restoreSnapshot(named: "start") }
    try eventually(board.machine.perform(\.waitsForDebugger))
    client.send("F5")
    #expect(try client.receive().hasPrefix("Fopen"))
    board.machine.perform { try? $0.saveSnapshot(named: "waiting") }
    client.send("F7")
    #expect(try client.receive() == "Fwrite,7,80001080,6")
    board.machine.perform { try? $0.restoreSnapshot(named: "waiting") }
    client.send("F6")
    #expect(try client.receive().hasPrefix("Fopen"), "the call that waited is made again")
  }

  /// A guest that waits for the console goes on after a restore, and what it has read since is forgotten.
  @Test func aRestoredGuestReadsTheConsoleAgain() throws {
    let board = try FilesProgram.board("x.txt", target: .native, code: FilesProgram.reader)
    board.machine.perform { try? $0.saveSnapshot(named: "start") }
    board.machine.resume()
    usleep(50_000)
    board.machine.perform { try? $0.saveSnapshot(named: "waiting") }
    for snapshot in ["start", "waiting"] {
      board.machine.perform { try? $0.restoreSnapshot(named: snapshot) }
      board.machine.resume()
      usleep(20_000)
      board.machine.perform { try? $0.restoreSnapshot(named: snapshot) }
      let path = board.machine.perform(\.consolePath)
      for letter in [0x41, 0x42] as [UInt8] {
        board.machine.inject([letter], to: path)
        #expect(end(of: board) == Int32(letter))
        board.machine.perform { try? $0.restoreSnapshot(named: snapshot) }
        board.machine.resume()
      }
      board.machine.stop()
    }
  }

  /// The exit code, once there is one.
  private func end(of board: TestBoard) -> Int32? {
    let deadline = Date(timeIntervalSinceNow: 20)
    while Date() < deadline {
      if case .exited(let code) = board.machine.perform({ $0.lastStop }) { return code }
      usleep(10_000)
    }
    return nil
  }

  @Test func withoutAClientCallsAreServedHere() throws {
    let board = try FilesProgram.board("x.txt")
    board.machine.resume()
    // No root is given: the file does not open, and its length is −1.
    #expect(end(of: board) == -1)
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/gdb-multiarch"), "GDB is not installed"))
  func gdbWritesTheFile() throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID().uuidString).txt")
    defer { try? FileManager.default.removeItem(at: file) }
    let board = try FilesProgram.board(file.path())
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/timeout")
    process.arguments = [
      "60", "/usr/bin/gdb-multiarch", "-nx", "-batch", "-ex", "set architecture riscv:rv64", "-ex",
      "target extended-remote 127.0.0.1:\(board.port)", "-ex", "continue",
    ]
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(try String(contentsOf: file, encoding: .utf8) == "hello\n", "\(output)")
    #expect(output.contains("exited with code 06"), "\(output)")
  }
}
