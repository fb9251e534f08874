// Runs the machine of the article "A target in an hour" under the real GDB, and compares the article to its code.

import Foundation
import Glibc
import TestSupport
import Testing

private let root = String(#filePath.dropLast("Tests/GDBRemoteTests/Toy/ToyTests.swift".count))

private func text(_ path: String) throws -> String { try String(contentsOfFile: root + path, encoding: .utf8) }

private func blocks(_ language: Substring, of article: String) -> [String] {
  article.matches(of: /```(\w+)\n((?:.*\n)*?)```/).filter { $0.1 == language }.map { String($0.2) }
}

@Suite struct ToyTests {
  private let article: String

  init() throws { article = try text("Sources/GDBRemote/GDBRemote.docc/ATargetInAnHour.md") }

  @Test func theArticleShowsTheCode() throws {
    let code = try ["Toy", "ToyServer"].map { try text("Tests/GDBRemoteTests/Toy/\($0).swift") }.joined()
    let shown = blocks("swift", of: article)
    #expect(shown.count >= 6)
    for block in shown { #expect(code.contains(block), "\(block)") }
  }

  @Test(.enabled(if: GDBProcess.isInstalled, "gdb-multiarch is not installed"))
  func theArticleShowsWhatGDBPrints() throws {
    let session = try #require(blocks("console", of: article).first)
    let lines = session.split(separator: "\n").filter { $0.hasPrefix("(gdb) ") }.map { String($0.dropFirst(6)) }
    let (port, listener) = try listen()
    let thread = Thread {
      let connection = accept(listener, nil, nil)
      serve(Toy(), to: connection)
      close(connection)
      close(listener)
    }
    thread.start()
    let typed = lines.map { $0.replacing(":2159", with: ":\(port)") }
    let output = try GDBProcess.output(typing: typed, port: port).replacing(":\(port)", with: ":2159")
    #expect(output == session, "\(output)")
  }

  /// A socket at a port that the system chooses.
  private func listen() throws -> (port: Int, listener: Int32) {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(listener, $0, size) == 0 && Glibc.listen(listener, 1) == 0 && getsockname(listener, $0, &size) == 0
      }
    }
    #expect(isBound)
    return (Int(UInt16(bigEndian: address.sin_port)), listener)
  }
}
