// Owns what stands in the `aux` of floating-point ops, and where a guest keeps its floating-point environment.

/// How a result is rounded. The first five are the modes of IEEE 754, numbered as the SoftFloat module does.
public enum FloatRounding: UInt16, Sendable, CaseIterable {
  case nearestEven, towardZero, down, up, nearestMaxMagnitude
  /// As the environment's rounding register says, which must be one of the first four: guests translate ties away from
  /// zero explicitly.
  case dynamic

  public var name: String {
    switch self {
    case .nearestEven: "rne"
    case .towardZero: "rtz"
    case .down: "rdn"
    case .up: "rup"
    case .nearestMaxMagnitude: "rmm"
    case .dynamic: "dyn"
    }
  }
}

/// The relation of a `fcompare`. With a NaN, `equal` is an invalid operation only if that is signalling, the others
/// always.
public enum FloatRelation: UInt16, Sendable, CaseIterable {
  case equal, less, lessEqual

  public var name: String {
    switch self {
    case .equal: "eq"
    case .less: "lt"
    case .lessEqual: "le"
    }
  }
}

/// What a `fsign` makes the result's sign of.
public enum FloatSign: UInt16, Sendable, CaseIterable {
  /// The sign of `b`; its opposite; the exclusive or of both signs.
  case copy, copyNegated, exclusiveOr

  public var name: String {
    switch self {
    case .copy: "copy"
    case .copyNegated: "negated"
    case .exclusiveOr: "xor"
    }
  }
}

/// The `aux` of a floating-point op: bits 0–2 ``FloatRounding``, 3 NaN operands propagate (otherwise every NaN result is
/// the positive quiet one without payload), 4–5 what else the op needs to know, 6–7 how it treats tiny numbers.
public struct FloatControl: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt16
  @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

  @inlinable public init(_ rounding: FloatRounding = .nearestEven, propagatesNaN: Bool = false) {
    rawValue = rounding.rawValue | (propagatesNaN ? 8 : 0)
  }
  @inlinable public init(_ relation: FloatRelation) { rawValue = relation.rawValue << 4 }
  @inlinable public init(_ sign: FloatSign) { rawValue = sign.rawValue << 4 }

  @inlinable public var rounding: FloatRounding { FloatRounding(rawValue: rawValue & 7) ?? .dynamic }
  @inlinable public var propagatesNaN: Bool { rawValue & 8 != 0 }
  /// Whether a result counts as tiny by what it is before rounding.
  @inlinable public var isTinyBeforeRounding: Bool {
    get { rawValue & 64 != 0 }
    set { rawValue = rawValue & ~64 | (newValue ? 64 : 0) }
  }
  /// Whether subnormal operands, and results that are tiny before rounding, count as zero.
  @inlinable public var flushesSubnormals: Bool {
    get { rawValue & 128 != 0 }
    set { rawValue = rawValue & ~128 | (newValue ? 128 : 0) }
  }
  /// Whether the operation may have to be carried out again, from the same operands, by a host whose own instructions
  /// treat NaNs or tiny numbers otherwise.
  @inlinable public var needsExactOperands: Bool { rawValue & (8 | 64) != 0 }
  @inlinable public var relation: FloatRelation { FloatRelation(rawValue: rawValue >> 4 & 3) ?? .equal }
  @inlinable public var sign: FloatSign { FloatSign(rawValue: rawValue >> 4 & 3) ?? .copy }
  /// Of an `ffused`.
  @inlinable public var negatesProduct: Bool {
    get { rawValue & 16 != 0 }
    set { rawValue = rawValue & ~16 | (newValue ? 16 : 0) }
  }
  @inlinable public var negatesAddend: Bool {
    get { rawValue & 32 != 0 }
    set { rawValue = rawValue & ~32 | (newValue ? 32 : 0) }
  }
  /// Of an `forder`: whether a quiet NaN, too, is an invalid operation.
  @inlinable public var signalsQuietNaN: Bool {
    get { rawValue & 16 != 0 }
    set { rawValue = rawValue & ~16 | (newValue ? 16 : 0) }
  }
  /// Of an `fmin` or `fmax`: whether a signalling NaN makes the result a NaN, as in IEEE 754-2008's minNum and maxNum.
  @inlinable public var signalingWins: Bool {
    get { rawValue & 16 != 0 }
    set { rawValue = rawValue & ~16 | (newValue ? 16 : 0) }
  }
  /// Of an `ftoint`: whether a NaN becomes 0, not the upper limit.
  @inlinable public var zeroesNaN: Bool {
    get { rawValue & 32 != 0 }
    set { rawValue = rawValue & ~32 | (newValue ? 32 : 0) }
  }
  /// Of an `ftoint` or `ffromint`.
  @inlinable public var isUnsigned: Bool {
    get { rawValue & 16 != 0 }
    set { rawValue = rawValue & ~16 | (newValue ? 16 : 0) }
  }
}

extension Op {
  @inlinable public var floatControl: FloatControl { FloatControl(rawValue: aux) }
}

/// Where a guest keeps its floating-point environment: two registers outside those that translated code reads or writes
/// by `get` and `set`. Helpers may read and write both; a change of the rounding mode counts once the block is left.
public struct FloatEnvironment: Hashable, Sendable {
  /// Byte offsets in the state block. The sticky flags (u8): 1 inexact, 2 underflow, 4 overflow, 8 division by zero, 16
  /// invalid operation, 32 a subnormal operand flushed to zero. While translated code runs, a host may keep further ones that it will add to these.
  public var flags: Int
  /// The rounding mode (u8), a ``FloatRounding``; others count as to nearest even.
  public var rounding: Int

  public init(flags: Int, rounding: Int) {
    self.flags = flags
    self.rounding = rounding
  }
}

extension Opcode {
  /// Whether `aux` is a ``FloatControl``.
  @inlinable public var isFloat: Bool { rawValue >= Opcode.floatAdd.rawValue && rawValue <= Opcode.floatUnbox.rawValue }

  /// The words that `aux` of a floating-point op may consist of, in the order of printing; of each group, exactly one
  /// stands in the text unless it is the empty one.
  var floatWords: [[(word: String, bits: UInt16)]] {
    let rounding = FloatRounding.allCases.map { ($0.name, $0.rawValue) }
    let nan: [(String, UInt16)] = [("", 0), ("propagate", 8)]
    let unsigned: [(String, UInt16)] = [("", 0), ("unsigned", 16)]
    let flush: [(String, UInt16)] = [("", 0), ("flush", 128)]
    let tiny: [[(String, UInt16)]] = [[("", 0), ("before", 64)], flush]
    return switch self {
    case .floatAdd, .floatSub, .floatMul, .floatDiv, .floatSqrt, .floatConvert: [rounding, nan] + tiny
    case .floatFused: [rounding, nan, [("", 0), ("negprod", 16)], [("", 0), ("negadd", 32)]] + tiny
    case .floatMinimum, .floatMaximum: [nan, [("", 0), ("signaling", 16)], flush]
    case .floatCompare: [FloatRelation.allCases.map { ($0.name, $0.rawValue << 4) }]
    case .floatOrder: [[("", 0), ("signal", 16)], flush]
    case .floatToInteger: [rounding, unsigned, [("", 0), ("nanzero", 32)], flush]
    case .floatFromInteger: [rounding, unsigned]
    case .floatSign: [FloatSign.allCases.map { ($0.name, $0.rawValue << 4) }]
    default: []
    }
  }

  /// `aux` of a floating-point op as text: words joined by dots; nil if it encodes nothing.
  func floatText(_ aux: UInt16) -> String? {
    var rest = aux
    var words: [String] = []
    for group in floatWords.reversed() {
      let mask = group.reduce(0) { $0 | $1.bits }
      guard let match = group.first(where: { $0.bits == rest & mask }) else { return nil }
      rest &= ~mask
      if !match.word.isEmpty { words.insert(match.word, at: 0) }
    }
    return rest == 0 ? words.joined(separator: ".") : nil
  }

  /// What ``floatText(_:)`` wrote; nil if `text` is none of it.
  func floatAux(_ text: String) -> UInt16? {
    var parts = text.split(separator: ".")[...]
    var aux: UInt16 = 0
    for group in floatWords {
      if let first = parts.first, let match = group.first(where: { $0.word == first }) {
        aux |= match.bits
        parts.removeFirst()
      } else if !group.contains(where: { $0.word.isEmpty }) {
        return nil
      }
    }
    return parts.isEmpty ? aux : nil
  }
}
