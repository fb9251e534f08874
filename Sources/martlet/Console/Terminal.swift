// Owns the mode of the user's terminal: raw while the guest has it, and back as it was however the program ends.

import Glibc
import Machine

/// The terminal behind standard input.
@safe enum Terminal {
  /// The mode at the start; of use once `isRaw` is true.
  private nonisolated(unsafe) static let saved = UnsafeMutablePointer<termios>.allocate(capacity: 1)
  /// The mode while the guest has it.
  private nonisolated(unsafe) static let raw = UnsafeMutablePointer<termios>.allocate(capacity: 1)
  private nonisolated(unsafe) static let isRaw = {
    let flag = UnsafeMutablePointer<Bool>.allocate(capacity: 1)
    unsafe flag.initialize(to: false)
    return unsafe flag
  }()
  /// Signals by which a faulty program dies. SIGSEGV is not among them: it belongs to translated code.
  private static let fatalSignals = [SIGABRT, SIGILL, SIGTRAP, SIGFPE]

  static var isTerminal: Bool { isatty(0) != 0 }

  /// Passes every key to the program at once and unchanged. Without effect if standard input is no terminal.
  /// - Parameters:
  ///   - keepsSignals: Ctrl-C and its like still end the program.
  ///   - exceptInterrupt: but not Ctrl-C, which is a key for the monitor's prompt.
  static func enterRaw(keepsSignals: Bool, exceptInterrupt: Bool) {
    guard isTerminal, unsafe tcgetattr(0, saved) == 0 else { return }
    var mode = unsafe saved.pointee
    mode.c_iflag &= ~tcflag_t(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON)
    mode.c_lflag &= ~tcflag_t(ECHO | ECHONL | ICANON | IEXTEN)
    if !keepsSignals { mode.c_lflag &= ~tcflag_t(ISIG) }
    // VINTR is the first of the special characters; 0 is none (_POSIX_VDISABLE).
    if exceptInterrupt { mode.c_cc.0 = 0 }
    unsafe raw.pointee = mode
    unsafe isRaw.pointee = true
    unsafe tcsetattr(0, TCSANOW, &mode)
    atexit { Terminal.restore() }
    for number in fatalSignals {
      signal(number) { number in
        Terminal.restore()
        signal(number, SIG_DFL)
        raise(number)
      }
    }
  }

  /// Puts the terminal back. Callable from a signal handler once ``enterRaw(keepsSignals:exceptInterrupt:)`` was called, without effect before.
  static func restore() {
    if unsafe isRaw.pointee { unsafe tcsetattr(0, TCSANOW, saved) }
  }

  /// Stops the program, as Ctrl-Z does, with the terminal as it was.
  private static func suspend() {
    restore()
    kill(getpid(), SIGSTOP)
  }

  /// Takes the terminal again after ``restore()``.
  static func retake() { if unsafe isRaw.pointee { unsafe tcsetattr(0, TCSANOW, raw) } }

  /// Takes the terminal again when the program goes on in the foreground.
  private static func resume() {
    let foreground = tcgetpgrp(0)
    // A terminal that controls nobody has no foreground.
    guard unsafe isRaw.pointee, foreground < 0 || foreground == getpgrp() else { return }
    unsafe tcsetattr(0, TCSANOW, raw)
  }

  /// Passes signals that end the program, and SIGALRM, to `body`, on a thread of their own; a second one ends it at once.
  /// Stopping and going on is dealt with here.
  ///
  /// To be called before any other thread is started, so that all inherit the mask.
  static func catchSignals(_ body: @escaping @Sendable (Int32) -> Void) {
    signal(SIGPIPE, SIG_IGN)
    unsafe pthread_sigmask(SIG_BLOCK, [mask], nil)
    HostThread.spawn {
      var isSecond = false
      while true {
        var number: Int32 = 0
        unsafe sigwait([Terminal.mask], &number)
        switch number {
        case SIGTSTP: Terminal.suspend()
        case SIGCONT: Terminal.resume()
        case SIGALRM: body(number)
        default:
          if isSecond { Terminal.die(of: number) }
          isSecond = true
          body(number)
        }
      }
    }
  }

  /// Ends the program as the signal would have, the terminal restored.
  static func die(of number: Int32) -> Never {
    if isTerminal { restore() }
    signal(number, SIG_DFL)
    unsafe pthread_sigmask(SIG_UNBLOCK, [mask], nil)
    kill(getpid(), number)
    _exit(128 + number)
  }

  private static var mask: sigset_t {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGTSTP, SIGCONT] { unsafe sigaddset(&set, number) }
    return set
  }
}
