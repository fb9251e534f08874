// Owns what IR knows of functions outside generated code that it may call.

/// The C signature of every helper: (vCPU state, a, b, c, immediate) to result. Arguments narrower than 64 bits come
/// zero-extended; the result is cut to the call's type.
public typealias HelperFunction =
  @convention(c) (UnsafeMutableRawPointer, UInt64, UInt64, UInt64, UInt64) -> UInt64

/// A helper: its name in IR text, what it does to guest state, and its address.
@safe public struct Helper: Sendable {
  public let name: String
  /// Among `.readsRegisters`, `.writesRegisters`, `.readsMemory`, `.writesMemory`, `.mayRaise`, `.readsClock`; none
  /// for a pure function of its operands. A helper that may raise sets `VCPUState.exitReason` to do so.
  public let effects: Effects
  public let function: HelperFunction

  public init(_ name: String, _ effects: Effects, _ function: @escaping HelperFunction) {
    self.name = name
    self.effects = effects
    unsafe self.function = function
  }
}
