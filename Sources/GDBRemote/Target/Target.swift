/// What every debuggable machine offers: threads, registers and memory. All further abilities are protocols of their
/// own that refine this one; the session finds out which of them a target adopts and announces exactly those.
///
/// The session calls a target only from within its own `receive`. Descriptions, `threads` and `haltReason` may be asked
/// for at any time; all other calls, unless their documentation says otherwise, come only while the guest is halted as
/// far as the session knows. A target that knows better throws `.busy`.
public protocol Target: AnyObject {
  /// All threads, at least one while there is a guest; the first is the default.
  var threads: [ThreadID] { get }

  /// Why the guest is not running, or nil while it runs.
  var haltReason: StopReason? { get }

  /// The registers of the `g` packet, in its order: those of the target description with the lowest numbers.
  func readRegisters(of thread: ThreadID) throws(TargetError) -> [RegisterValue]

  /// Writes the registers of the `G` packet. `bytes` has the layout of `readRegisters` and may be shorter.
  func writeRegisters(_ bytes: [UInt8], of thread: ThreadID) throws(TargetError)

  /// One register by its number in the target description.
  func readRegister(_ number: Int, of thread: ThreadID) throws(TargetError) -> RegisterValue

  /// Writes one register; `bytes` in guest byte order, of a length the client chose.
  func writeRegister(_ number: Int, _ bytes: [UInt8], of thread: ThreadID) throws(TargetError)

  /// Reads guest memory as `thread` sees it. The range does not wrap. Fewer bytes than `count` mean that the rest is
  /// not accessible; a first byte that is not is an error.
  func readMemory(at address: UInt64, count: Int, thread: ThreadID) throws(TargetError) -> [UInt8]

  /// Writes guest memory as `thread` sees it, ROM included if the target so decides. The range does not wrap.
  func writeMemory(_ bytes: [UInt8], at address: UInt64, thread: ThreadID) throws(TargetError)
}

/// The contents of one register.
public enum RegisterValue: Equatable, Sendable {
  /// In guest byte order.
  case bytes([UInt8])
  /// The register exists but cannot be read now; GDB shows `<unavailable>`.
  case unavailable(byteCount: Int)

  /// As in `g`, `p` and stop replies.
  var hex: [UInt8] {
    switch self {
    case .bytes(let bytes): Hex.encode(bytes)
    case .unavailable(let count): [UInt8](repeating: UInt8(ascii: "x"), count: count * 2)
    }
  }
}
