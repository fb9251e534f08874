/// A target whose guest can run. Running is asynchronous: `resume` starts it and returns, and when the guest halts the
/// target (or its owner) calls `Session.stopped`.
public protocol Resumable: Target {
  /// Starts the guest. Threads that `plan` does not name stay halted.
  func resume(_ plan: ResumePlan) throws(TargetError)

  /// Asks the running guest to halt soon, with the signal `.interrupt`. Also called when it has just halted by itself:
  /// then there is nothing to do. The answer is a call of `Session.stopped`.
  func interrupt()

  /// The client leaves: forget its breakpoints and let the guest run on. May come while the guest runs.
  func detach()
}

/// What each thread does next (GDB manual, section "Packets", `vCont`).
public struct ResumePlan: Equatable, Sendable {
  public enum Action: Equatable, Sendable {
    case `continue`
    /// One instruction.
    case step
    /// Steps while the program counter is in the range. Stopping earlier is allowed.
    case stepRange(Range<UInt64>)
    /// Stays halted.
    case halt
  }

  public struct Entry: Equatable, Sendable {
    public var action: Action
    /// Given to the guest on its way, where guests know signals.
    public var signal: Signal?
    public var threads: ThreadSelector

    public init(_ action: Action, signal: Signal? = nil, threads: ThreadSelector = .all) {
      self.action = action
      self.signal = signal
      self.threads = threads
    }
  }

  /// In the client's order; for a thread the first that matches counts.
  public var entries: [Entry]
  /// Where to go on, in place of the current program counter of the threads named.
  public var startAddress: UInt64?

  public init(_ entries: [Entry], startAddress: UInt64? = nil) {
    self.entries = entries
    self.startAddress = startAddress
  }

  /// What `thread` does, or nil if it stays halted.
  public func entry(for thread: ThreadID) -> Entry? {
    entries.first { $0.threads.matches(thread) }.flatMap { $0.action == .halt ? nil : $0 }
  }
}

/// A target that can also run backwards. Like `resume`, each call is answered by `Session.stopped`.
public protocol ReverseTarget: Resumable {
  /// Whether the past is kept. Asked once, as the session begins.
  var canReverse: Bool { get }

  /// Runs all threads backwards to the last breakpoint or watchpoint, or to the start of what is recorded.
  func reverseContinue() throws(TargetError)

  /// Undoes one instruction of `thread`.
  func reverseStep(_ thread: ThreadID) throws(TargetError)
}

/// A target that can be started again, which makes `target extended-remote` and `run` useful.
public protocol Resettable: Target {
  /// Resets the guest and halts it before its first instruction. May come while the guest runs. `arguments` are the
  /// file name and the arguments of GDB's `run`; empty for a plain reset.
  func restart(arguments: [String]) throws(TargetError)

  /// Ends the guest. May come while it runs; no stop is to be reported for it.
  /// - Parameter mayRestart: the client stays, in extended mode, and may start the guest again or attach to it.
  func kill(mayRestart: Bool)
}
