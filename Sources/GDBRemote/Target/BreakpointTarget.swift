/// A target with breakpoints and watchpoints of its own (`Z0` to `Z4`). One that lacks a kind throws `.unsupported`.
public protocol BreakpointTarget: Target {
  /// Sets `breakpoint`; setting it again changes nothing.
  func insert(_ breakpoint: Breakpoint) throws(TargetError)

  /// Clears `breakpoint`; clearing one that is not set changes nothing.
  func remove(_ breakpoint: Breakpoint) throws(TargetError)
}

/// A breakpoint or watchpoint as the client numbers them.
public struct Breakpoint: Hashable, Sendable {
  public enum Kind: UInt8, Sendable {
    case software = 0
    case hardware = 1
    case writeWatchpoint = 2
    case readWatchpoint = 3
    case accessWatchpoint = 4
  }

  public var kind: Kind
  public var address: UInt64
  /// Bytes watched by a watchpoint (the range does not wrap); for a breakpoint the architecture's "kind", often the
  /// size of the instruction.
  public var length: UInt64

  public init(_ kind: Kind, at address: UInt64, length: UInt64) {
    self.kind = kind
    self.address = address
    self.length = length
  }
}
