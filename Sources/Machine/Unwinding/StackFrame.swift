// Owns what a stack frame is to whoever shows it.

import GuestKit

/// A function, or an exception, on the way from where a hart stands to where it began.
public struct StackFrame: Sendable {
  public enum Kind: Sendable, Equatable {
    case function
    /// An exception came in between; its name.
    case exception(String)
  }
  /// How a frame was found from the one before.
  public enum Method: String, Sendable {
    /// It is where the hart stands.
    case innermost = "pc"
    case callFrameInformation = "CFI"
    case codeAhead = "code ahead"
    case prologue
    case framePointer = "frame pointer"
    case exception
  }
  public var number: Int
  public var kind: Kind
  public var method: Method
  /// As far as they are known, the program counter among them.
  public var registers: RegisterValues
  public var pc: UInt64
  public var stackPointer: UInt64
  /// The instruction at the PC is next, not what follows a call that has not returned.
  public var isExact: Bool
  /// It stands for what hardware does between two frames of code, and has no code of its own.
  public var isMarker = false

  /// An address in the instruction that the frame has come to.
  public var codeAddress: UInt64 { isExact || pc == 0 ? pc : pc - 1 }
}

/// The frames of a hart, and why there are no more.
public struct Backtrace: Sendable {
  public var frames: [StackFrame]
  /// Nil: there may be more than were asked for.
  public var end: String?
}
