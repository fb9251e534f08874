// Owns what is known of a value while its block is lowered: where it is, how long it is needed, where it should go.

import IR

/// Where a value is now.
public enum ValuePlace: UInt8, BitwiseCopyable {
  /// Not computed yet, or dead.
  case none
  /// In host register `register`: a temporary, or the pinned register that holds guest register `slot`.
  case register
  /// In vector register `vector`: a temporary, or the pinned register that holds guest register `slot`.
  case vector
  /// In guest register `slot`, in the state.
  case state
  /// In spill slot `slot`.
  case spill
  /// `immediate`; nowhere in a register.
  case constant
  /// To be compared when needed: op number `immediate`.
  case compare
}

public struct ValueState<ABI: RegisterRoles>: BitwiseCopyable {
  public var place = ValuePlace.none
  @usableFromInline var number: UInt8 = 0
  public var type: Type
  /// Pinned register to compute it in, `noPin` for none.
  public var hint = ValueState.noPin
  public var slot: UInt16 = 0
  /// The guest register in whose list of found values this one is, `noValue` for none, and the next one there.
  public var list = ValueState.noValue
  public var next = ValueState.noValue
  /// A guest register that was given this value, `noValue` for none.
  public var home = ValueState.noValue
  /// 0, 1 or more.
  public var uses: UInt8 = 0
  /// Index of the op that needs it last.
  public var lastUse: Int32 = -1
  public var immediate: Int64 = 0

  @inlinable @inline(__always)
  public init(type: Type) { self.type = type }

  @inlinable @inline(__always)
  public var register: ABI.Register {
    get { ABI.Register(number: number) }
    set { number = newValue.number }
  }

  @inlinable @inline(__always)
  public var vector: ABI.VectorRegister {
    get { ABI.VectorRegister(number: number) }
    set { number = newValue.number }
  }

  @inlinable @inline(__always)
  public static var noPin: UInt8 { 0xFF }
  @inlinable @inline(__always)
  public static var noValue: UInt16 { 0xFFFF }
}

/// The low bits of `value` as `type` has them, sign-extended; `i1` is 0 or 1.
@inlinable public func signExtended(_ value: Int64, _ type: Type) -> Int64 {
  if type == .i1 { return value & 1 }
  let shift = Int64(64 - min(type.bits, 64))
  return (value << shift) >> shift
}
