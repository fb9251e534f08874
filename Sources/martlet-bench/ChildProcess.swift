// Runs one program to its end and tells what it cost: posix_spawn, and wait4 for the child's resource usage.

import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// How a child ended.
enum ChildExit: Equatable, CustomStringConvertible {
  case code(Int32), signal(Int32), timeout

  var description: String {
    switch self {
    case .code(let code): "exit code \(code)"
    case .signal(let signal): "signal \(signal)"
    case .timeout: "timeout"
    }
  }
}

struct ChildProcess {
  let exit: ChildExit
  /// CPU seconds of the child and of the children it waited for.
  let user, system: Double

  /// Runs `command` with empty standard input; standard output and error go to the file `output`.
  static func run(_ command: [String], output: String, timeout: Double) throws(BenchError) -> ChildProcess {
    let child = try spawn(command, output: output)
    let deadline = ContinuousClock.now + .seconds(timeout)
    var status: Int32 = 0
    var usage = rusage()
    var expired = false
    while true {
      let waited = unsafe wait4(child, &status, WNOHANG, &usage)
      if waited == child { break }
      if waited < 0, errno != EINTR { throw BenchError("cannot wait for \(command[0]): error \(errno)") }
      if !expired, ContinuousClock.now > deadline {
        expired = true
        kill(child, SIGKILL)
      }
      usleep(1000)
    }
    let signal = status & 0x7f
    return ChildProcess(
      exit: expired ? .timeout : signal != 0 ? .signal(signal) : .code(status >> 8 & 0xff),
      user: seconds(usage.ru_utime), system: seconds(usage.ru_stime))
  }

  private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) * 1e-6 }

  private static func spawn(_ command: [String], output: String) throws(BenchError) -> pid_t {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
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
