/// A signal as GDB numbers it (`include/gdb/signals.def`), which for these is as on Linux.
public struct Signal: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt8

  public init(rawValue: UInt8) {
    self.rawValue = rawValue
  }

  public static let none = Signal(rawValue: 0)
  /// Stopped on request.
  public static let interrupt = Signal(rawValue: 2)
  public static let illegalInstruction = Signal(rawValue: 4)
  /// Breakpoint, watchpoint, end of a step.
  public static let trap = Signal(rawValue: 5)
  public static let abort = Signal(rawValue: 6)
  public static let arithmetic = Signal(rawValue: 8)
  public static let kill = Signal(rawValue: 9)
  public static let busError = Signal(rawValue: 10)
  public static let segmentationFault = Signal(rawValue: 11)
}

/// Why the guest is not running (GDB manual, section "Stop Reply Packets").
public enum StopReason: Equatable, Sendable {
  case stopped(Stop)
  /// The guest ended with a status.
  case exited(UInt8)
  case terminated(Signal)
}

/// One thread's stop. In all-stop mode every thread has halted.
public struct Stop: Equatable, Sendable {
  public enum Cause: Equatable, Sendable {
    /// Told by the signal alone: end of a step, interrupt, guest exception.
    case signal
    case softwareBreakpoint
    case hardwareBreakpoint
    /// A watchpoint of `kind` was hit by an access at `address`.
    case watchpoint(WatchpointKind, address: UInt64)
    /// Reverse execution reached the start of what is recorded.
    case replayLogBegin
    case replayLogEnd
  }

  public enum WatchpointKind: Sendable {
    case write, read, access
  }

  public var thread: ThreadID
  public var signal: Signal
  public var cause: Cause
  /// The core the thread runs on, counted from 0.
  public var core: Int?
  /// Registers sent with the stop, by number, to save a round trip: program counter, stack and frame pointer.
  public var registers: [(number: Int, value: RegisterValue)]

  public init(
    thread: ThreadID, signal: Signal = .trap, cause: Cause = .signal, core: Int? = nil,
    registers: [(number: Int, value: RegisterValue)] = []
  ) {
    self.thread = thread
    self.signal = signal
    self.cause = cause
    self.core = core
    self.registers = registers
  }

  public static func == (a: Stop, b: Stop) -> Bool {
    a.thread == b.thread && a.signal == b.signal && a.cause == b.cause && a.core == b.core
      && a.registers.elementsEqual(b.registers, by: ==)
  }
}
