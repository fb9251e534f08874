/// Why a target or a packet handler refuses a request.
///
/// GDB is told the error number, or the message where it has announced `error-message+`.
public struct TargetError: Error, Equatable, Sendable {
  /// Error numbers, as on Linux.
  public enum Kind: UInt8, Sendable {
    case notPermitted = 1
    case noSuchThread = 3
    case inputOutput = 5
    case badAddress = 14
    case busy = 16
    case invalid = 22
    case tooLarge = 27
    /// Answered by the empty packet, by which GDB knows that it must do without.
    case unsupported = 95
  }

  public var kind: Kind
  /// One line of printable ASCII.
  public var message: String

  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  public static func invalid(_ message: String) -> TargetError { TargetError(.invalid, message) }
  public static func busy(_ message: String) -> TargetError { TargetError(.busy, message) }
  public static func unsupported(_ message: String = "not supported") -> TargetError {
    TargetError(.unsupported, message)
  }

  public static func badAddress(_ address: UInt64) -> TargetError {
    TargetError(.badAddress, "cannot access memory at 0x\(String(address, radix: 16))")
  }

  public static let noSuchThread = TargetError(.noSuchThread, "no such thread")
}
