// Runs one program to its end and tells what it cost: posix_spawn, and wait4 for the child's resource usage.

import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// How a child ended.
enum ChildExit: Equatable, CustomStringConvertible {
  case code(Int32), signal(Int32), timeout
  /// Stopped by its ``Conversation``, which had come to its end.
  case finished

  var description: String {
    switch self {
    case .code(let code): "exit code \(code)"
    case .signal(let signal): "signal \(signal)"
    case .timeout: "timeout"
    case .finished: "stopped"
    }
  }
}

/// What to type to a child when it prints something, and the text after which its work is done.
struct Conversation {
  /// Printed text that is waited for, and the answer.
  let prompt, answer: String
  /// The text that ends it, printed after the answer; the child is killed, unless it ends by itself.
  let last: String
  let endsByItself: Bool
}

struct ChildProcess {
  let exit: ChildExit
  /// CPU seconds of the child and of the children it waited for.
  let user, system: Double

  /// Runs `command`, its standard input empty but for the conversation; standard output and error go to `output`.
  static func run(
    _ command: [String], output: String, timeout: Double, conversation: Conversation? = nil
  ) throws(BenchError) -> ChildProcess {
    var ends: [Int32] = [-1, -1]
    guard unsafe pipe(&ends) == 0 else { throw BenchError("no pipe: error \(errno)") }
    defer { close(ends[1]) }
    _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
    let child = try spawn(command, input: ends[0], output: output, isSilent: conversation == nil)
    let deadline = ContinuousClock.now + .seconds(timeout)
    var status: Int32 = 0
    var usage = rusage()
    var forced: ChildExit?
    var hasAnswered = false
    while true {
      let waited = unsafe wait4(child, &status, WNOHANG, &usage)
      if waited == child { break }
      if waited < 0, errno != EINTR { throw BenchError("cannot wait for \(command[0]): error \(errno)") }
      if let conversation, forced == nil {
        let text = String(decoding: FileManager.default.contents(atPath: output) ?? Data(), as: UTF8.self)
        if !hasAnswered, text.contains(conversation.prompt) {
          hasAnswered = true
          let bytes = Array(conversation.answer.utf8)
          _ = unsafe write(ends[1], bytes, bytes.count)
        }
        if hasAnswered, !conversation.endsByItself, text.contains(conversation.last) {
          forced = .finished
          kill(child, SIGKILL)
        }
      }
      if forced == nil, ContinuousClock.now > deadline {
        forced = .timeout
        kill(child, SIGKILL)
      }
      usleep(1000)
    }
    let signal = status & 0x7f
    return ChildProcess(
      exit: forced ?? (signal != 0 ? .signal(signal) : .code(status >> 8 & 0xff)),
      user: seconds(usage.ru_utime), system: seconds(usage.ru_stime))
  }

  private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) * 1e-6 }

  /// Starts the child; closes `input`, which it reads unless it is silent.
  static func spawn(
    _ command: [String], input: Int32, output: String, isSilent: Bool
  ) throws(BenchError) -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer {
      unsafe posix_spawn_file_actions_destroy(&actions)
      close(input)
    }
    if isSilent {
      unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    } else {
      unsafe posix_spawn_file_actions_adddup2(&actions, input, 0)
    }
    unsafe posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
    var arguments = unsafe command.map { unsafe strdup($0) } + [nil]
    defer { unsafe arguments.forEach { unsafe free($0) } }
    var child: pid_t = 0
    let error = unsafe posix_spawn(&child, command[0], &actions, nil, &arguments, environ)
    guard error == 0 else { throw BenchError("cannot start \(command[0]): error \(error)") }
    return child
  }
}
