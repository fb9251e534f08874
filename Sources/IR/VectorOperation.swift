// Owns the operations of the `vector` op: their names, what they take and give, and how `aux` encodes them.

/// The lanes that 128 bits are cut into. The raw value is log2 of a lane's bytes.
public enum Lane: UInt8, Sendable, BitwiseCopyable, CaseIterable {
  case i8, i16, i32, i64

  @inlinable public var bits: Int { 8 &<< Int(rawValue) }
  @inlinable public var bytes: Int { 1 &<< Int(rawValue) }
  @inlinable public var count: Int { 16 &>> Int(rawValue) }
  /// A mask of a lane's bits within 64.
  @inlinable public var mask: UInt64 { .max >> UInt64(64 &- bits) }
  /// The integer type of a lane's width.
  public var type: Type {
    switch self {
    case .i8: .i8
    case .i16: .i16
    case .i32: .i32
    case .i64: .i64
    }
  }
  public var name: String { "\(type.name)x\(count)" }
}

/// What a vector operation takes and gives. `v` stands for 128 bits.
public enum VectorShape: Sendable {
  /// `v = op`, `v = op v`, `v = op v, v`, `v = op v, v, v`
  case none, unary, binary, ternary
  /// `v = op v`, by a number of bits.
  case shift
  /// `v = op v, v`, from a byte of the first on.
  case window
  /// `v = op scalar`
  case spread
  /// `v = op v, scalar` and `scalar = op v`, of the lane of that number.
  case insert, extract
  /// `i32 = op v`
  case mask
  /// `v = op i1, v, v`
  case choice

  public var operands: Int {
    switch self {
    case .none: 0
    case .unary, .shift, .spread, .extract, .mask: 1
    case .binary, .window, .insert: 2
    case .ternary, .choice: 3
    }
  }

  /// Whether operand `number`, from 0, is a vector.
  public func isVector(_ number: Int) -> Bool {
    switch self {
    case .spread, .none: false
    case .insert: number == 0
    case .choice: number > 0
    default: number < operands
    }
  }

  public var givesVector: Bool { self != .extract && self != .mask }

  /// Numbers from 0 that the operation may have; nil if it has none.
  public func numbers(_ lane: Lane) -> Range<Int>? {
    switch self {
    case .shift: 0..<lane.bits
    case .window: 0..<16
    case .insert, .extract: 0..<lane.count
    default: nil
    }
  }
}

/// An operation on 128 bits. Lanes count from the least significant one.
public enum VectorKind: UInt8, Sendable, BitwiseCopyable, CaseIterable {
  // Whole vectors, in lanes of 64 bits.
  case zero
  case and, or, xor
  /// `a & ~b`
  case andNot
  /// Where `a` has ones `b`, else `c`, bit by bit.
  case select
  /// `a ? b : c`
  case choose

  // Between scalars and vectors. A scalar is an integer or a floating-point number of the lane's width.
  /// The scalar in each lane; in the lowest one, above which all is 0.
  case splat, low
  case insert, extract
  /// The top bits of all lanes, that of the lowest in bit 0.
  case mask

  // Lane by lane.
  case add, sub, mul
  case minSigned, maxSigned, minUnsigned, maxUnsigned
  /// To the nearest limit of the lane where the result does not fit.
  case addSaturatingSigned, addSaturatingUnsigned, subSaturatingSigned, subSaturatingUnsigned
  /// `(a + b + 1) / 2`, unsigned
  case average
  /// The least integer stays as it is.
  case absolute
  case populationCount
  /// The lane's bytes in reverse.
  case byteSwap
  /// All ones where it holds, else 0.
  case compareEqual, compareGreaterSigned, compareGreaterUnsigned
  /// By the operation's number of bits.
  case shiftLeft, shiftRight, shiftRightArithmetic
  /// By the lane of `b` modulo the lane's width.
  case shiftLeftEach, shiftRightEach, shiftRightArithmeticEach

  // Across lanes.
  /// Lanes of the lower or upper half of `a` and `b` in turn, beginning with `a`.
  case interleaveLow, interleaveHigh
  /// The lower or upper half's lanes, each as one of twice the width.
  case widenLowSigned, widenLowUnsigned, widenHighSigned, widenHighUnsigned
  /// Each lane as one of half the width: those of `a`, and above them those of `b`. The low half; or what the lane holds
  /// as a signed number, to the nearest limit of signed or of unsigned numbers.
  case narrow, narrowSaturatingSigned, narrowSaturatingUnsigned
  /// By bytes: byte number `b` of `a`; 0 if there is none of that number.
  case table
  /// By bytes: 16 from the operation's number on of `a` and, above it, `b`.
  case window
}

/// The operation of a `vector` op, in its `aux`: bits 0–7 ``VectorKind``, 8–9 ``Lane``, 10–15 a number.
public struct VectorOperation: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
  public let rawValue: UInt16
  @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

  @inlinable public init(_ kind: VectorKind, _ lane: Lane = .i64, _ number: Int = 0) {
    rawValue = UInt16(kind.rawValue) | UInt16(lane.rawValue) << 8 | UInt16(truncatingIfNeeded: number) << 10
  }

  @inlinable public var kind: VectorKind { VectorKind(rawValue: UInt8(truncatingIfNeeded: rawValue)) ?? .zero }
  @inlinable public var lane: Lane { Lane(rawValue: UInt8(truncatingIfNeeded: rawValue >> 8 & 3)) ?? .i8 }
  @inlinable public var number: Int { Int(rawValue >> 10) }

  /// Whether it is one of those there are.
  public var isValid: Bool {
    guard VectorKind(rawValue: UInt8(truncatingIfNeeded: rawValue)) != nil else { return false }
    let row = kind.row
    return row.lanes.contains(lane) && (row.shape.numbers(lane)?.contains(number) ?? (number == 0))
  }

  /// Every operation without a number, and with each number there is.
  public static var all: [VectorOperation] {
    VectorKind.allCases.flatMap { kind in
      kind.row.lanes.flatMap { lane in
        (kind.row.shape.numbers(lane) ?? 0..<1).map { VectorOperation(kind, lane, $0) }
      }
    }
  }

  /// `add.i32x4`, `shl.i16x8.3`
  public var name: String {
    let number = kind.row.shape.numbers(lane) == nil ? "" : ".\(self.number)"
    return "\(kind.row.name).\(lane.name)\(number)"
  }

  public init?(name: some StringProtocol) {
    guard let known = Self.named[String(name)] else { return nil }
    self = known
  }

  private static let named = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
}

extension Op {
  /// The operation of a `vector` op.
  @inlinable public var vectorOperation: VectorOperation { VectorOperation(rawValue: aux) }
}

/// A row of the table of vector operations.
public struct VectorRow: Sendable {
  public let name: String
  public let shape: VectorShape
  public let lanes: [Lane]
}

extension VectorKind {
  public var row: VectorRow {
    switch self {
    case .zero: row("zero", .none, [.i64])
    case .and: row("and", .binary, [.i64])
    case .or: row("or", .binary, [.i64])
    case .xor: row("xor", .binary, [.i64])
    case .andNot: row("andnot", .binary, [.i64])
    case .select: row("select", .ternary, [.i64])
    case .choose: row("choose", .choice, [.i64])
    case .splat: row("splat", .spread)
    case .low: row("low", .spread)
    case .insert: row("insert", .insert)
    case .extract: row("extract", .extract)
    case .mask: row("mask", .mask)
    case .add: row("add", .binary)
    case .sub: row("sub", .binary)
    case .mul: row("mul", .binary)
    case .minSigned: row("min.s", .binary)
    case .maxSigned: row("max.s", .binary)
    case .minUnsigned: row("min.u", .binary)
    case .maxUnsigned: row("max.u", .binary)
    case .addSaturatingSigned: row("addsat.s", .binary)
    case .addSaturatingUnsigned: row("addsat.u", .binary)
    case .subSaturatingSigned: row("subsat.s", .binary)
    case .subSaturatingUnsigned: row("subsat.u", .binary)
    case .average: row("average", .binary)
    case .absolute: row("abs", .unary)
    case .populationCount: row("popcount", .unary)
    case .byteSwap: row("bswap", .unary, [.i16, .i32, .i64])
    case .compareEqual: row("eq", .binary)
    case .compareGreaterSigned: row("gt.s", .binary)
    case .compareGreaterUnsigned: row("gt.u", .binary)
    case .shiftLeft: row("shl", .shift)
    case .shiftRight: row("shr", .shift)
    case .shiftRightArithmetic: row("sar", .shift)
    case .shiftLeftEach: row("shl.each", .binary)
    case .shiftRightEach: row("shr.each", .binary)
    case .shiftRightArithmeticEach: row("sar.each", .binary)
    case .interleaveLow: row("interleave.low", .binary)
    case .interleaveHigh: row("interleave.high", .binary)
    case .widenLowSigned: row("widen.low.s", .unary, [.i8, .i16, .i32])
    case .widenLowUnsigned: row("widen.low.u", .unary, [.i8, .i16, .i32])
    case .widenHighSigned: row("widen.high.s", .unary, [.i8, .i16, .i32])
    case .widenHighUnsigned: row("widen.high.u", .unary, [.i8, .i16, .i32])
    case .narrow: row("narrow", .binary, [.i16, .i32, .i64])
    case .narrowSaturatingSigned: row("narrow.s", .binary, [.i16, .i32, .i64])
    case .narrowSaturatingUnsigned: row("narrow.u", .binary, [.i16, .i32, .i64])
    case .table: row("table", .binary, [.i8])
    case .window: row("window", .window, [.i8])
    }
  }

  private func row(_ name: String, _ shape: VectorShape, _ lanes: [Lane] = Lane.allCases) -> VectorRow {
    VectorRow(name: name, shape: shape, lanes: lanes)
  }
}
