// Owns the IR's op table: every op's name, operands, result, effects and contract stand here and nowhere else.

/// What an IR op does. An op that computes its result from its operands needs a row here, with its evaluator, and code in
/// each host; exhaustive switches over this enum fail to compile until all others are handled too.
public enum Opcode: UInt8, Sendable, BitwiseCopyable, CaseIterable {
  // Structure
  /// No effect; passes leave it where they removed an op.
  case nop
  /// Start of the guest instruction at PC `imm`, `aux` bytes long, number `extra` (from 0) in the block.
  case instruction
  /// Adds `extra` to the count of retired guest instructions, before an op that reads the count.
  case retire
  /// Adds one to the 64-bit execution counter at host address `imm` (profiling; absent otherwise).
  case count
  /// Where code that was left for guest PC `imm` may come in: a block has further entries besides its top. Values do not
  /// live across it. Code that falls into it retires `extra` instructions, so that counting starts anew; none does
  /// behind an op that ends the block, and `extra` is 0.
  case label

  // Values and guest registers
  /// `result = imm`
  case const
  /// `result = a`
  case copy
  /// `result` = guest register `imm` (an index into the register file)
  case getRegister
  /// guest register `imm` = `a`
  case setRegister

  // Integer arithmetic, wrapping
  case add, sub, mul
  /// High half of the double-width product: signed×signed, unsigned×unsigned, signed×unsigned.
  case mulHighSigned, mulHighUnsigned, mulHighSignedUnsigned
  /// Quotient rounded to zero. Total: `x / 0 = 0`, `min / -1 = min`.
  case divSigned, divUnsigned
  /// Remainder with the dividend's sign. Total: `x rem 0 = x`, `min rem -1 = 0`.
  case remSigned, remUnsigned

  // Logic
  case and, or, xor
  /// `result = a & ~b`
  case andNot
  /// Shifts and rotations by `b` modulo the width.
  case shiftLeft, shiftRight, shiftRightArithmetic, rotateLeft, rotateRight
  /// Leading and trailing zeros (the width for 0), set bits, byte reversal.
  case countLeadingZeros, countTrailingZeros, populationCount, byteSwap

  // Comparison and conversion
  /// `result` (i1) = `a` `condition` `b`; `type` is the operands' type, `aux` the ``Condition``.
  case compare
  /// `result = a ? b : c` (`a` is i1)
  case select
  /// `result = a` widened from its own type to `type`.
  case signExtend, zeroExtend
  /// `result` = the low bits of `a`.
  case truncate
  /// The same bits as another type of the same width.
  case bitcast

  // Memory. `aux` is a ``MemoryAccess``; the address is `a + imm`, wrapping in the type of `a`. May raise.
  // `extra` of a load or store: words that the same instruction accesses right behind it.
  /// `result` = memory, extended to `type`.
  case load
  /// memory = low bits of `b`; `type` is the type of `b`.
  case store
  /// `result` = old memory, extended to `type`; memory = old `extra` (``AtomicKind``) `b`. The address is `a`.
  case atomic
  /// `result` = old memory; memory = `c` if old == `b`. The address is `a`.
  case compareExchange
  /// Orders memory accesses; `aux` is an ``Ordering``.
  case fence

  // Floating point (IEEE 754). `aux` is a ``FloatControl``; exceptions set sticky flags in the ``FloatEnvironment``.
  /// `result = a op b`, rounded.
  case floatAdd, floatSub, floatMul, floatDiv
  /// `result` = the square root of `a`, rounded.
  case floatSqrt
  /// `result = ±(a * b) ± c`, rounded once.
  case floatFused
  /// The lesser and the greater of `a` and `b`: IEEE 754-2019's minimumNumber and maximumNumber, −0 below +0.
  case floatMinimum, floatMaximum
  /// `result` (i1) = `a` relation `b`; false if one is a NaN. `type` is the operands' type.
  case floatCompare
  /// `result` (i32) = how `a` stands to `b`: −1 less, 0 equal, 1 greater, 2 unordered.
  case floatOrder
  /// `result` = the integer that `a` rounds to; the nearest limit (the upper one for a NaN) if it does not fit, which is
  /// an invalid operation. An unsigned 32-bit result is sign-extended like any other when widened later.
  case floatToInteger
  /// `result` = the integer `a`, rounded.
  case floatFromInteger
  /// `result` = `a` in the other format.
  case floatConvert
  /// `result` = `a` with a sign made of those of `a` and `b`.
  case floatSign
  /// `result` (f64) = the bits of `a` (f32) below 32 ones: the NaN-boxed form.
  case floatBox
  /// `result` (f32) = the lower half of `a` (f64) if it is NaN-boxed, else the canonical NaN.
  case floatUnbox

  // Vectors. `aux` is a ``VectorOperation``.
  /// `result = op a, b, c`, of 128 bits or a scalar, as the operation says. Floating-point lanes are extracted, computed
  /// with and inserted one by one.
  case vector

  /// `result` = helper number `aux` called with (state, `a`, `b`, `c`, `imm`); effects as the helper declares.
  case call

  // Ends. `extra` = guest instructions retired since the block's start, the last `label` or the last `retire`.
  /// If `a` (i1): leave for guest PC `imm`, chainable; `aux` is ``ExitFlags``.
  case exitIf
  // From here on all ops end the block, or what of it lies before the next label; see `endsBlock`.
  /// Leave for guest PC `imm`, chainable; `aux` is ``ExitFlags``.
  case exit
  /// Leave for guest PC `a` through the jump cache; `aux` is ``ExitFlags``.
  case exitIndirect
  /// Return to the engine with PC `imm` and ``ExitReason`` `aux`.
  case exitWith
  /// Raise guest exception `imm` with value `a` (optional) at the current instruction.
  case raise
}

/// What an op may do besides computing its result.
public struct Effects: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt16
  @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// Operands may change places.
  @inlinable public static var commutes: Effects { .init(rawValue: 1) }
  @inlinable public static var readsRegisters: Effects { .init(rawValue: 2) }
  @inlinable public static var writesRegisters: Effects { .init(rawValue: 4) }
  @inlinable public static var readsMemory: Effects { .init(rawValue: 8) }
  @inlinable public static var writesMemory: Effects { .init(rawValue: 16) }
  /// May end the current instruction with an exception: all guest state must be as before it.
  @inlinable public static var mayRaise: Effects { .init(rawValue: 32) }
  /// Leaves the block, perhaps conditionally: all guest state must be as of here.
  @inlinable public static var exits: Effects { .init(rawValue: 64) }
  /// Nothing follows it but a label, or the end of the block.
  @inlinable public static var terminates: Effects { .init(rawValue: 128) }
  /// Reads the count of retired instructions or the virtual time.
  @inlinable public static var readsClock: Effects { .init(rawValue: 256) }
  /// Must stay even if its result is unused (markers, fences, what sets sticky floating-point flags).
  @inlinable public static var keep: Effects { .init(rawValue: 512) }

  /// Removing an op with none of these and an unused result changes nothing.
  @inlinable public static var observable: Effects {
    [.writesRegisters, .writesMemory, .mayRaise, .exits, .terminates, .readsClock, .keep]
  }
}

extension Opcode {
  /// Whether packed code has it with a sign-extended result: ``PackedOp/widening``.
  @inlinable public var mayWiden: Bool {
    switch self {
    case .add, .sub, .and, .or, .xor, .andNot, .shiftLeft, .shiftRight, .shiftRightArithmetic: true
    default: false
    }
  }

  /// Whether the effects contain `.terminates`.
  @inlinable public var endsBlock: Bool { rawValue >= Opcode.exit.rawValue }

  public var info: OpInfo {
    switch self {
    case .nop: .init("nop", 0, .none, .none)
    case .instruction:
      .init(
        "instruction", 0, .none, .none, [.keep], form: .instruction, imm: .programCounter, aux: .length, extra: .number)
    case .retire: .init("retire", 0, .none, .none, [.keep], form: .count, extra: .retired)
    case .count: .init("count", 0, .none, .none, [.keep], form: .number, imm: .number)
    case .label: .init("label", 0, .none, .none, [.keep, .exits], form: .label, imm: .programCounter, extra: .retired)
    case .const: .init("const", 0, .typed, .integerOrFloat, form: .number, imm: .number)
    case .copy: .init("copy", 1, .asOperands, .any) { a, _, _, _ in a }
    case .getRegister: .init("get", 0, .typed, .any, [.readsRegisters], form: .register, imm: .register)
    case .setRegister: .init("set", 1, .none, .any, [.writesRegisters], form: .register, imm: .register)
    case .add: .init("add", 2, .asOperands, .word, [.commutes]) { a, b, bits, _ in Arithmetic.add(a, b, bits) }
    case .sub: .init("sub", 2, .asOperands, .word) { a, b, bits, _ in Arithmetic.sub(a, b, bits) }
    case .mul: .init("mul", 2, .asOperands, .word, [.commutes]) { a, b, bits, _ in Arithmetic.mul(a, b, bits) }
    case .mulHighSigned:
      .init("mulh.s", 2, .asOperands, .word, [.commutes]) { a, b, bits, _ in Arithmetic.mulHighSigned(a, b, bits) }
    case .mulHighUnsigned:
      .init("mulh.u", 2, .asOperands, .word, [.commutes]) { a, b, bits, _ in Arithmetic.mulHighUnsigned(a, b, bits) }
    case .mulHighSignedUnsigned:
      .init("mulh.su", 2, .asOperands, .word) { a, b, bits, _ in Arithmetic.mulHighSignedUnsigned(a, b, bits) }
    case .divSigned: .init("div.s", 2, .asOperands, .word) { a, b, bits, _ in Arithmetic.divSigned(a, b, bits) }
    case .divUnsigned: .init("div.u", 2, .asOperands, .word) { a, b, _, _ in Arithmetic.divUnsigned(a, b) }
    case .remSigned: .init("rem.s", 2, .asOperands, .word) { a, b, bits, _ in Arithmetic.remSigned(a, b, bits) }
    case .remUnsigned: .init("rem.u", 2, .asOperands, .word) { a, b, _, _ in Arithmetic.remUnsigned(a, b) }
    case .and: .init("and", 2, .asOperands, .integer, [.commutes]) { a, b, _, _ in a & b }
    case .or: .init("or", 2, .asOperands, .integer, [.commutes]) { a, b, _, _ in a | b }
    case .xor: .init("xor", 2, .asOperands, .integer, [.commutes]) { a, b, _, _ in a ^ b }
    case .andNot: .init("andnot", 2, .asOperands, .integer) { a, b, _, _ in a & ~b }
    case .shiftLeft: .init("shl", 2, .asOperands, .word) { a, b, bits, _ in Arithmetic.shiftLeft(a, b, bits) }
    case .shiftRight: .init("shr", 2, .asOperands, .word) { a, b, bits, _ in Arithmetic.shiftRight(a, b, bits) }
    case .shiftRightArithmetic:
      .init("sar", 2, .asOperands, .word) { a, b, bits, _ in Arithmetic.shiftRightArithmetic(a, b, bits) }
    case .rotateLeft: .init("rotl", 2, .asOperands, .word) { a, b, bits, _ in Arithmetic.rotateLeft(a, b, bits) }
    case .rotateRight: .init("rotr", 2, .asOperands, .word) { a, b, bits, _ in Arithmetic.rotateRight(a, b, bits) }
    case .countLeadingZeros:
      .init("clz", 1, .asOperands, .word) { a, _, bits, _ in Arithmetic.countLeadingZeros(a, bits) }
    case .countTrailingZeros:
      .init("ctz", 1, .asOperands, .word) { a, _, bits, _ in Arithmetic.countTrailingZeros(a, bits) }
    case .populationCount:
      .init("popcount", 1, .asOperands, .word) { a, _, _, _ in UInt64(truncatingIfNeeded: a.nonzeroBitCount) }
    case .byteSwap: .init("bswap", 1, .asOperands, .word) { a, _, bits, _ in Arithmetic.byteSwap(a, bits) }
    case .compare: .init("compare", 2, .truth, .integer, aux: .condition)
    case .select: .init("select", 3, .typed, .choice)
    case .signExtend:
      .init("sext", 1, .typed, .narrower) { a, _, bits, source in Arithmetic.signExtend(a, from: source, to: bits) }
    case .zeroExtend: .init("zext", 1, .typed, .narrower) { a, _, _, _ in a }
    case .truncate: .init("trunc", 1, .typed, .wider) { a, _, bits, _ in a & Arithmetic.mask(bits) }
    case .bitcast: .init("bitcast", 1, .typed, .sameWidth) { a, _, _, _ in a }
    case .load:
      .init(
        "load", 1, .typed, .memory, [.readsMemory, .mayRaise], form: .memory, imm: .address, aux: .access,
        extra: .following)
    case .store:
      .init(
        "store", 2, .none, .memory, [.writesMemory, .mayRaise], form: .memory, imm: .address, aux: .access,
        extra: .following)
    case .atomic:
      .init(
        "atomic", 2, .typed, .memory, [.readsMemory, .writesMemory, .mayRaise], form: .memory, aux: .access,
        extra: .atomicKind)
    case .compareExchange:
      .init("cmpxchg", 3, .typed, .memory, [.readsMemory, .writesMemory, .mayRaise], form: .memory, aux: .access)
    case .fence: .init("fence", 0, .none, .none, [.keep], aux: .ordering)
    case .floatAdd: .init("fadd", 2, .asOperands, .float, [.keep], aux: .floatControl)
    case .floatSub: .init("fsub", 2, .asOperands, .float, [.keep], aux: .floatControl)
    case .floatMul: .init("fmul", 2, .asOperands, .float, [.keep], aux: .floatControl)
    case .floatDiv: .init("fdiv", 2, .asOperands, .float, [.keep], aux: .floatControl)
    case .floatSqrt: .init("fsqrt", 1, .asOperands, .float, [.keep], aux: .floatControl)
    case .floatFused: .init("ffused", 3, .asOperands, .float, [.keep], aux: .floatControl)
    case .floatMinimum: .init("fmin", 2, .asOperands, .float, [.keep], aux: .floatControl)
    case .floatMaximum: .init("fmax", 2, .asOperands, .float, [.keep], aux: .floatControl)
    case .floatCompare: .init("fcompare", 2, .truth, .float, [.keep], aux: .floatControl)
    case .floatOrder: .init("forder", 2, .typed, .floatOrder, [.keep], aux: .floatControl)
    case .floatToInteger: .init("ftoint", 1, .typed, .floatToInteger, [.keep], aux: .floatControl)
    case .floatFromInteger: .init("ffromint", 1, .typed, .integerToFloat, [.keep], aux: .floatControl)
    case .floatConvert: .init("fconvert", 1, .typed, .otherFloat, [.keep], aux: .floatControl)
    case .floatSign: .init("fsign", 2, .asOperands, .float, aux: .floatControl)
    case .floatBox: .init("fbox", 1, .typed, .floatBox, aux: .floatControl)
    case .floatUnbox: .init("funbox", 1, .typed, .floatUnbox, aux: .floatControl)
    case .vector: .init("vector", 3, .typed, .vector, aux: .vector, optional: true)
    case .call: .init("call", 3, .typed, .call, [.keep], form: .call, imm: .number, aux: .helper, optional: true)
    case .exitIf:
      .init(
        "exit.if", 1, .none, .condition, [.exits], form: .way, imm: .programCounter, aux: .exitFlags, extra: .retired)
    case .exit:
      .init(
        "exit", 0, .none, .none, [.exits, .terminates], form: .way, imm: .programCounter, aux: .exitFlags,
        extra: .retired)
    case .exitIndirect:
      .init("exit.indirect", 1, .none, .target, [.exits, .terminates], form: .way, aux: .exitFlags, extra: .retired)
    case .exitWith:
      .init(
        "exit.with", 0, .none, .none, [.exits, .terminates], form: .way, imm: .programCounter, aux: .exitReason,
        extra: .retired)
    case .raise:
      .init(
        "raise", 1, .none, .value, [.mayRaise, .terminates], form: .raise, imm: .cause, extra: .retired, optional: true)
    }
  }
}
