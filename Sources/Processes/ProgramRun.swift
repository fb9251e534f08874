// Owns a run of another program on what may be anything: with limits, and never longer than ours.

import Bits
import CHost
import Glibc

/// A program that was run to its end, and what it wrote.
public struct ProgramRun {
  public private(set) var output: [UInt8] = []
  /// What it said on standard error.
  public private(set) var messages = ""
  /// Its exit code; of one that a signal ended, 128 and the signal's number.
  public private(set) var status: Int32 = -1
  /// Why there is no result, if that is not the program's own doing.
  public private(set) var problem: String?

  /// Seconds, by the user's clock, and of processor time.
  private static let mostSeconds: Int32 = 20
  /// Bytes.
  private static let mostMemory: UInt64 = 1 << 30
  private static let mostMessages = 1 << 16

  /// Runs a program to its end, without input.
  /// - Parameters:
  ///   - arguments: its path first.
  ///   - mostOutput: in bytes.
  ///   - isCancelled: asked ten times a second; the program is ended then.
  public init(_ arguments: [String], mostOutput: Int, isCancelled: () -> Bool = { false }) {
    var child = chost_child()
    var words: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
    defer { unsafe words.forEach { unsafe free($0) } }
    let failure = unsafe chost_child_start(&child, &words, Self.mostMemory, UInt32(Self.mostSeconds))
    guard failure == 0 else {
      problem = unsafe strerror(-failure).map { unsafe String(cString: $0) } ?? "it cannot be started"
      return
    }
    var said: [UInt8] = []
    let end = HostClock.seconds + Double(Self.mostSeconds)
    var polls = [child.output, child.messages].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while polls.contains(where: { $0.fd >= 0 }), problem == nil {
      guard HostClock.seconds < end else {
        problem = "it takes more than \(Self.mostSeconds) s"
        break
      }
      if isCancelled() { problem = "interrupted" }
      guard problem == nil, unsafe poll(&polls, 2, 100) > 0 else { continue }
      for index in polls.indices where polls[index].revents != 0 {
        let count = unsafe read(polls[index].fd, &chunk, chunk.count)
        if count <= 0 {
          if count == 0 || errno != EINTR { polls[index].fd = -1 }
        } else if index == 0 {
          output += chunk.prefix(count)
          if output.count > mostOutput { problem = "it makes more than \(mostOutput) bytes" }
        } else if said.count < Self.mostMessages {
          said += chunk.prefix(count)
        }
      }
    }
    if problem != nil { kill(child.process, SIGKILL) }
    status = unsafe chost_child_end(&child)
    if status == 128 + SIGXCPU { problem = "it takes more than \(Self.mostSeconds) s" }
    messages = String(decoding: said, as: UTF8.self)
    while messages.last?.isWhitespace == true { messages.removeLast() }
  }

  /// The path of a program in one of the folders of `PATH`; nil if there is none.
  public static func find(_ name: String) -> String? {
    let folders = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/usr/bin:/bin"
    return folders.split(separator: ":").map { "\($0)/\(name)" }.first { unsafe access($0, X_OK) == 0 }
  }
}
