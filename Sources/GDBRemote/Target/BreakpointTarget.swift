/// A target with breakpoints and watchpoints of its own (`Z0` to `Z4`). One that lacks a kind throws `.unsupported`.
public protocol BreakpointTarget: Target {
  /// Sets `breakpoint`; setting it again changes nothing.
  func insert(_ breakpoint: Breakpoint) throws(TargetError)

  /// Clears `breakpoint`; clearing one that is not set changes nothing.
  func remove(_ breakpoint: Breakpoint) throws(TargetError)
}

/// A target that decides by itself whether a breakpoint stops it, and carries out what is to be done there: GDB then is told
/// of none of the times when it does not.
public protocol ConditionalBreakpointTarget: BreakpointTarget {
  /// Sets a breakpoint on code; setting it again replaces its program.
  func insert(_ breakpoint: Breakpoint, _ program: BreakpointProgram) throws(TargetError)
}

/// What a breakpoint is to do when it is come to.
public struct BreakpointProgram: Sendable, Equatable {
  /// It counts as hit if one of them is not 0, or has no value; if there are none, always.
  public var conditions: [AgentExpression] = []
  /// Carried out when it is hit. If there are any, the guest goes on.
  public var commands: [AgentExpression] = []
  /// Whether the commands are for when the client is gone, too.
  public var persists = false

  public init() {}

  public var isEmpty: Bool { conditions.isEmpty && commands.isEmpty }
}

/// A breakpoint or watchpoint as the client numbers them.
public struct Breakpoint: Hashable, Sendable {
  public enum Kind: UInt8, Sendable {
    case software = 0
    case hardware = 1
    case writeWatchpoint = 2
    case readWatchpoint = 3
    case accessWatchpoint = 4

    /// Whether it is hit by execution, and not by an access to memory.
    public var isForCode: Bool { self == .software || self == .hardware }
  }

  public var kind: Kind
  public var address: UInt64
  /// Bytes watched by a watchpoint (the range does not wrap); for a breakpoint the architecture's "kind", often the
  /// size of the instruction.
  public var length: UInt64
  /// The process whose threads it stops, for breakpoints on code of a target with several; nil: any.
  public var process: UInt32?

  public init(_ kind: Kind, at address: UInt64, length: UInt64) {
    self.kind = kind
    self.address = address
    self.length = length
  }
}
