// Owns what a machine reports when it stops, and what it can be told to do.

import Engine

/// Why the machine is not running.
public enum StopEvent: Equatable, Sendable {
  /// A user asked for it.
  case requested
  case breakpoint(hart: Int)
  /// Before or behind the access, as ``Engine/WatchHit/timing`` says.
  case watchpoint(hart: Int, WatchHit)
  /// An exception that a debugger wants to see was entered, the guest asks for its debugger, or something has happened that
  /// a debugger waits for; the text says what.
  case caught(hart: Int, String)
  /// A step of any kind is complete.
  case stepped(hart: Int)
  /// Going back has come to the beginning of what is kept.
  case historyBegins(hart: Int)
  /// A recording ends here; the guest can go on from it.
  case historyEnds(hart: Int)
  /// The guest switched itself off (or exited through semihosting or HTIF) with this code.
  case exited(code: Int32)
  /// The guest asked for a reset while `noReboot` is set.
  case reset
  /// The guest can do nothing sensible any more; the text says why.
  case lockedUp(hart: Int, String)
  /// Martlet itself failed.
  case failed(String)

  /// The hart that stops by itself; nil if the machine stops as a whole.
  public var hart: Int? {
    switch self {
    case .breakpoint(let hart), .watchpoint(let hart, _), .caught(let hart, _), .stepped(let hart),
      .historyBegins(let hart), .historyEnds(let hart), .lockedUp(let hart, _):
      hart
    case .requested, .exited, .reset, .failed: nil
    }
  }
}

/// What a stopped machine is to do next.
public enum RunRequest: Sendable {
  case run
  /// Guest instructions of one hart, the others standing still; up to a breakpoint, or something else that stops it.
  case step(hart: Int, count: Int = 1)
  /// Steps one hart until its PC leaves the range, or something else stops it.
  case stepRange(hart: Int, Range<UInt64>)
}
