// Owns the small encodings that stand in an op's `aux` and `extra`: conditions, memory accesses, exits.

/// A comparison of two integers of one type.
public enum Condition: UInt16, Sendable, CaseIterable {
  case equal, notEqual
  case lessSigned, greaterEqualSigned, lessEqualSigned, greaterSigned
  case lessUnsigned, greaterEqualUnsigned, lessEqualUnsigned, greaterUnsigned

  public var name: String {
    switch self {
    case .equal: "eq"
    case .notEqual: "ne"
    case .lessSigned: "lt.s"
    case .greaterEqualSigned: "ge.s"
    case .lessEqualSigned: "le.s"
    case .greaterSigned: "gt.s"
    case .lessUnsigned: "lt.u"
    case .greaterEqualUnsigned: "ge.u"
    case .lessEqualUnsigned: "le.u"
    case .greaterUnsigned: "gt.u"
    }
  }

  /// The condition that holds exactly when this one does not.
  @inlinable public var negated: Condition {
    switch self {
    case .equal: .notEqual
    case .notEqual: .equal
    case .lessSigned: .greaterEqualSigned
    case .greaterEqualSigned: .lessSigned
    case .lessEqualSigned: .greaterSigned
    case .greaterSigned: .lessEqualSigned
    case .lessUnsigned: .greaterEqualUnsigned
    case .greaterEqualUnsigned: .lessUnsigned
    case .lessEqualUnsigned: .greaterUnsigned
    case .greaterUnsigned: .lessEqualUnsigned
    }
  }

  /// The condition with the operands exchanged.
  @inlinable public var swapped: Condition {
    switch self {
    case .equal, .notEqual: self
    case .lessSigned: .greaterSigned
    case .greaterSigned: .lessSigned
    case .lessEqualSigned: .greaterEqualSigned
    case .greaterEqualSigned: .lessEqualSigned
    case .lessUnsigned: .greaterUnsigned
    case .greaterUnsigned: .lessUnsigned
    case .lessEqualUnsigned: .greaterEqualUnsigned
    case .greaterEqualUnsigned: .lessEqualUnsigned
    }
  }

  /// Whether it holds for two values of `bits` width, given zero-extended to 64.
  @inlinable public func holds(_ a: UInt64, _ b: UInt64, bits: Int) -> Bool {
    let shift = UInt64(64 - bits)
    let (ua, ub) = (a << shift, b << shift)
    let (sa, sb) = (Int64(bitPattern: ua), Int64(bitPattern: ub))
    return switch self {
    case .equal: ua == ub
    case .notEqual: ua != ub
    case .lessSigned: sa < sb
    case .greaterEqualSigned: sa >= sb
    case .lessEqualSigned: sa <= sb
    case .greaterSigned: sa > sb
    case .lessUnsigned: ua < ub
    case .greaterEqualUnsigned: ua >= ub
    case .lessEqualUnsigned: ua <= ub
    case .greaterUnsigned: ua > ub
    }
  }
}

/// Memory ordering of an access or fence.
public enum Ordering: UInt16, Sendable, CaseIterable {
  case relaxed, acquire, release, sequential

  public var name: String {
    switch self {
    case .relaxed: "relaxed"
    case .acquire: "acq"
    case .release: "rel"
    case .sequential: "seq"
    }
  }
}

/// Which of a guest's address spaces an access is of, and with whose rights: numbers of the guest's own, which its memory
/// model resolves (x86: ports; SPARC: ASIs; Arm: the other security state). Only the current one's accesses are compiled.
public struct AccessSpace: RawRepresentable, Hashable, Sendable {
  public let rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// The CPU's current data privilege and translation.
  @inlinable public static var current: AccessSpace { .init(rawValue: 0) }
  /// As user mode, whatever the mode (LDRT, HLV and their like).
  @inlinable public static var user: AccessSpace { .init(rawValue: 1) }

  /// `current`, `user`, or a number: `space7`.
  public var name: String { self == .current ? "current" : self == .user ? "user" : "space\(rawValue)" }

  public init?(name: some StringProtocol) {
    switch name {
    case "current": self = .current
    case "user": self = .user
    default:
      guard name.hasPrefix("space"), let number = UInt8(name.dropFirst(5)), number > 1 else { return nil }
      self.init(rawValue: number)
    }
  }
}

/// Size, sign, endianness, atomicity and privilege of a memory access, in an op's `aux`.
///
/// Bits 0–2 log2 of the size in bytes, 3 sign-extend, 4 big-endian, 5 must be naturally aligned, 6–7 ``Ordering``,
/// 8–15 ``AccessSpace``.
public struct MemoryAccess: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt16
  @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// - Parameter size: bytes: 1, 2, 4, 8 or 16.
  @inlinable public init(
    size: Int, signed: Bool = false, bigEndian: Bool = false, aligned: Bool = false, ordering: Ordering = .relaxed,
    space: AccessSpace = .current
  ) {
    rawValue =
      UInt16(size.trailingZeroBitCount) | (signed ? 8 : 0) | (bigEndian ? 16 : 0) | (aligned ? 32 : 0)
      | ordering.rawValue << 6 | UInt16(space.rawValue) << 8
  }

  @inlinable @inline(__always) public var size: Int { 1 &<< Int(rawValue & 7) }
  @inlinable public var signed: Bool { rawValue & 8 != 0 }
  @inlinable public var bigEndian: Bool { rawValue & 16 != 0 }
  @inlinable public var aligned: Bool { rawValue & 32 != 0 }
  @inlinable public var ordering: Ordering { Ordering(rawValue: rawValue >> 6 & 3)! }
  @inlinable public var space: AccessSpace { AccessSpace(rawValue: UInt8(truncatingIfNeeded: rawValue >> 8)) }
}

/// The operation of an `atomic` op, in its `extra`.
public enum AtomicKind: UInt32, Sendable, CaseIterable {
  case exchange, add, and, or, xor, minSigned, maxSigned, minUnsigned, maxUnsigned
  /// Loads and sets the vCPU's reservation; `b` is ignored.
  case loadReserved
  /// Stores `b` if the reservation holds; the result is 0 on success, 1 otherwise.
  case storeConditional

  public var name: String {
    switch self {
    case .exchange: "swap"
    case .add: "add"
    case .and: "and"
    case .or: "or"
    case .xor: "xor"
    case .minSigned: "min.s"
    case .maxSigned: "max.s"
    case .minUnsigned: "min.u"
    case .maxUnsigned: "max.u"
    case .loadReserved: "lr"
    case .storeConditional: "sc"
    }
  }

  /// What an update stores.
  ///
  /// - Parameters:
  ///   - old: what was there; zero-extended from `bits`, as `operand` is.
  ///   - bits: of both.
  @inlinable public func combine(_ old: UInt64, _ operand: UInt64, bits: Int) -> UInt64 {
    switch self {
    case .add: (old &+ operand) & UInt64.max >> UInt64(64 - bits)
    case .and: old & operand
    case .or: old | operand
    case .xor: old ^ operand
    case .minSigned: Condition.lessSigned.holds(old, operand, bits: bits) ? old : operand
    case .maxSigned: Condition.lessSigned.holds(old, operand, bits: bits) ? operand : old
    case .minUnsigned: min(old, operand)
    case .maxUnsigned: max(old, operand)
    case .exchange, .loadReserved, .storeConditional: operand
    }
  }
}

/// How a block is left, in an exit's `aux`.
public struct ExitFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt16
  @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }
  /// The exit may close a loop: the instruction budget is checked here. Architectural (a taken backward branch or an
  /// indirect jump), never a property of block boundaries, so that runs do not depend on how code was cut in blocks.
  @inlinable public static var checksBudget: ExitFlags { .init(rawValue: 1) }
  /// The exit must not be chained (its target may be remapped: another page of a paged guest).
  @inlinable public static var unchainable: ExitFlags { .init(rawValue: 2) }
  /// A call (pushes a return address) or a return, for return-address prediction.
  @inlinable public static var isCall: ExitFlags { .init(rawValue: 4) }
  @inlinable public static var isReturn: ExitFlags { .init(rawValue: 8) }
  /// The exit leads to code of other translation flags: `change` is what their low byte differs by from the block's.
  @inlinable public static func changing(_ change: UInt8) -> ExitFlags { .init(rawValue: UInt16(change) << 8) }
  /// What was given to ``changing(_:)``; 0 where the flags stay.
  @inlinable public var change: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 8) }
}

/// Why translated code came back to the engine. In `VCPUState.exitReason`, and in `aux` of `exit.with`.
public enum ExitReason: UInt32, Sendable, CaseIterable {
  /// A chainable exit that is not chained; `exitSite` names it, `pc` is its target.
  case unchained = 1
  /// No jump-cache entry for `pc`.
  case indirectMiss
  /// The instruction budget is used up at an exit that checks it; `pc` is where to go on.
  case budget
  /// A guest exception: `exceptionCause`, `exceptionValue`; `pc` is the instruction's own.
  case exception
  /// Guest state that translation or interrupts depend on has changed: look again before going on at `pc`.
  case stateChanged
  /// The guest waits for an interrupt; `pc` is the following instruction.
  case wait
  /// The guest waits for what another vCPU does; `pc` is the following instruction.
  case yield
  /// A debugger breakpoint at `pc`, which has not executed.
  case breakpoint
  /// A debugger watchpoint hit by the instruction at `pc`, which has not completed.
  case watchpoint
  /// A single-stepped instruction is complete.
  case step
  /// A semihosting call by the instruction at `pc`.
  case semihosting
  /// Code that was written may be executed from `pc` on.
  case codeFence

  public var name: String {
    switch self {
    case .unchained: "unchained"
    case .indirectMiss: "indirect.miss"
    case .budget: "budget"
    case .exception: "exception"
    case .stateChanged: "state.changed"
    case .wait: "wait"
    case .yield: "yield"
    case .breakpoint: "breakpoint"
    case .watchpoint: "watchpoint"
    case .step: "step"
    case .semihosting: "semihosting"
    case .codeFence: "code.fence"
    }
  }
}
