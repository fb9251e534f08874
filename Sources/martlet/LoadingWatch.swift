// Owns the time before the event loop runs, in which a large or hostile file may keep the main thread busy: signals and
// --timeout end the program then too.

import Glibc
import Synchronization

final class LoadingWatch: Sendable {
  private let isOver = Atomic<Bool>(false)
  private let timeout: Double?

  /// - Parameter timeout: seconds from now on.
  init(timeout: Double?) {
    self.timeout = timeout
    if let timeout { Self.setAlarm(timeout) }
  }

  /// From here on the event loop looks at signals and the clock.
  func end() {
    isOver.store(true, ordering: .sequentiallyConsistent)
    Self.setAlarm(0)
  }

  /// Takes a signal; ends the program while it loads. Nothing is written yet, and children end with us.
  /// - Returns: whether the signal needs no more.
  func hear(_ number: Int32) -> Bool {
    guard !isOver.load(ordering: .sequentiallyConsistent) else { return number == SIGALRM }
    guard number == SIGALRM else { Terminal.die(of: number) }
    Log.note("loading took more than the \(timeout ?? 0) s of --timeout")
    Terminal.restore()
    _exit(ExitCode.timeout.rawValue)
  }

  private static func setAlarm(_ seconds: Double) {
    let whole = Int(seconds)
    let part = Int((seconds - Double(whole)) * 1e6)
    var timer = itimerval()
    timer.it_value = timeval(tv_sec: whole, tv_usec: seconds > 0 && whole == 0 ? max(1, part) : part)
    unsafe setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
  }
}
