// Owns what vector operations compute: the reference for all hosts, and the way of those without instructions for one.

/// 128 bits.
public struct Vector128: Hashable, Sendable, BitwiseCopyable {
  public var low: UInt64
  public var high: UInt64

  @inlinable public init(_ low: UInt64 = 0, _ high: UInt64 = 0) {
    self.low = low
    self.high = high
  }

  /// As one number.
  public var number: UInt128 { UInt128(high) << 64 | UInt128(low) }

  /// The lane of number `index`, zero-extended.
  @inlinable public subscript(index: Int, lane: Lane) -> UInt64 {
    get {
      let half = index &* lane.bits < 64 ? low : high
      return half &>> UInt64(index &* lane.bits & 63) & lane.mask
    }
    set {
      let shift = UInt64(index &* lane.bits & 63)
      let place = lane.mask &<< shift
      let bits = newValue &<< shift & place
      if index &* lane.bits < 64 { low = low & ~place | bits } else { high = high & ~place | bits }
    }
  }
}

extension VectorOperation {
  /// The operation's result. Scalars are the low bits of a vector; those of results are zero-extended.
  public func evaluate(_ a: Vector128, _ b: Vector128, _ c: Vector128) -> Vector128 {
    switch kind {
    case .zero: Vector128()
    case .and: Vector128(a.low & b.low, a.high & b.high)
    case .or: Vector128(a.low | b.low, a.high | b.high)
    case .xor: Vector128(a.low ^ b.low, a.high ^ b.high)
    case .andNot: Vector128(a.low & ~b.low, a.high & ~b.high)
    case .select: Vector128(a.low & b.low | ~a.low & c.low, a.high & b.high | ~a.high & c.high)
    case .choose: a.low & 1 != 0 ? b : c
    case .splat: make { _ in a.low }
    case .low: Vector128(a.low & lane.mask)
    case .insert: make { $0 == number ? b.low : a[$0, lane] }
    case .extract: Vector128(a[number, lane])
    case .mask: Vector128((0..<lane.count).reduce(0) { $0 | (a[$1, lane] >> UInt64(lane.bits - 1)) << UInt64($1) })
    case .add, .sub, .mul, .minSigned, .maxSigned, .minUnsigned, .maxUnsigned, .addSaturatingSigned,
      .addSaturatingUnsigned, .subSaturatingSigned, .subSaturatingUnsigned, .average, .compareEqual,
      .compareGreaterSigned, .compareGreaterUnsigned, .shiftLeftEach, .shiftRightEach, .shiftRightArithmeticEach:
      make { combine(a[$0, lane], b[$0, lane]) }
    case .absolute, .populationCount, .byteSwap, .shiftLeft, .shiftRight, .shiftRightArithmetic:
      make { change(a[$0, lane]) }
    case .interleaveLow: make { ($0 & 1 == 0 ? a : b)[$0 / 2, lane] }
    case .interleaveHigh: make { ($0 & 1 == 0 ? a : b)[lane.count / 2 + $0 / 2, lane] }
    case .widenLowSigned, .widenLowUnsigned, .widenHighSigned, .widenHighUnsigned: widen(a)
    case .narrow, .narrowSaturatingSigned, .narrowSaturatingUnsigned: narrow(a, b)
    case .table: make { b[$0, lane] < 16 ? a[Int(b[$0, lane]), lane] : 0 }
    case .window: make { $0 + number < 16 ? a[$0 + number, lane] : b[$0 + number - 16, lane] }
    }
  }

  private func make(_ lane: Lane? = nil, _ value: (Int) -> UInt64) -> Vector128 {
    var result = Vector128()
    let lane = lane ?? self.lane
    for index in 0..<lane.count { result[index, lane] = value(index) }
    return result
  }

  private func signed(_ value: UInt64) -> Int64 {
    let shift = Int64(64 - lane.bits)
    return Int64(bitPattern: value << UInt64(shift)) >> shift
  }

  /// The nearest number that fits in so many bits; `overflow` says that it is beyond 64.
  private func clamped(_ result: (partialValue: Int64, overflow: Bool), bits: Int) -> UInt64 {
    let limit = Int64.max >> Int64(64 - bits)
    if result.overflow { return UInt64(bitPattern: result.partialValue < 0 ? limit : ~limit) }
    return UInt64(bitPattern: min(max(result.partialValue, ~limit), limit))
  }

  private func combine(_ a: UInt64, _ b: UInt64) -> UInt64 {
    switch kind {
    case .add: return a &+ b
    case .sub: return a &- b
    case .mul: return a &* b
    case .minSigned: return signed(a) < signed(b) ? a : b
    case .maxSigned: return signed(a) < signed(b) ? b : a
    case .minUnsigned: return min(a, b)
    case .maxUnsigned: return max(a, b)
    case .addSaturatingSigned: return clamped(signed(a).addingReportingOverflow(signed(b)), bits: lane.bits)
    case .subSaturatingSigned: return clamped(signed(a).subtractingReportingOverflow(signed(b)), bits: lane.bits)
    case .addSaturatingUnsigned:
      let sum = a.addingReportingOverflow(b)
      return sum.overflow ? .max : min(sum.partialValue, lane.mask)
    case .subSaturatingUnsigned: return a > b ? a &- b : 0
    case .average: return (a | b) &- (a ^ b) >> 1
    case .compareEqual: return a == b ? .max : 0
    case .compareGreaterSigned: return signed(a) > signed(b) ? .max : 0
    case .compareGreaterUnsigned: return a > b ? .max : 0
    default:
      let distance = b & UInt64(lane.bits - 1)
      return kind == .shiftLeftEach
        ? a << distance
        : kind == .shiftRightEach ? a >> distance : UInt64(bitPattern: signed(a) >> Int64(distance))
    }
  }

  private func change(_ a: UInt64) -> UInt64 {
    switch kind {
    case .absolute: UInt64(bitPattern: signed(a) < 0 ? 0 &- signed(a) : signed(a))
    case .populationCount: UInt64(a.nonzeroBitCount)
    case .byteSwap: a.byteSwapped >> UInt64(64 - lane.bits)
    case .shiftLeft: a << UInt64(number)
    case .shiftRight: a >> UInt64(number)
    default: UInt64(bitPattern: signed(a) >> Int64(number))
    }
  }

  private func widen(_ a: Vector128) -> Vector128 {
    let first = kind == .widenHighSigned || kind == .widenHighUnsigned ? lane.count / 2 : 0
    let isSigned = kind == .widenLowSigned || kind == .widenHighSigned
    return make(Lane(rawValue: lane.rawValue + 1)) {
      let value = a[first + $0, lane]
      return isSigned ? UInt64(bitPattern: signed(value)) : value
    }
  }

  private func narrow(_ a: Vector128, _ b: Vector128) -> Vector128 {
    make(Lane(rawValue: lane.rawValue &- 1)) {
      let value = ($0 < lane.count ? a : b)[$0 % lane.count, lane]
      switch kind {
      case .narrow: return value
      case .narrowSaturatingSigned: return clamped((signed(value), false), bits: lane.bits / 2)
      default: return UInt64(bitPattern: min(max(signed(value), 0), Int64(lane.mask >> UInt64(lane.bits / 2))))
      }
    }
  }
}

extension VCPUState {
  /// 128 bits at a place of packed code.
  @inlinable public func loadVector(_ place: Place) -> Vector128 {
    Vector128(load(Int(place.number) &* 8), load(place.upperNumber &* 8))
  }

  @inlinable public func store(_ vector: Vector128, at place: Place) {
    store(vector.low, at: Int(place.number) &* 8)
    store(vector.high, at: place.upperNumber &* 8)
  }
}
