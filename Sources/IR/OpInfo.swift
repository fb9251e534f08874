// Owns the columns of the op table: what a row says of its op. Printer, parser, verifier, folding and interpreter ask nothing
// else.

import Bits

/// How the printer and the verifier see an op's immediate.
public enum Immediate: UInt8, Sendable {
  case none, number, register, address, programCounter, cause
}

/// How the type of an op's result follows from the op.
public enum ResultRule: UInt8, Sendable {
  case none
  /// `type`
  case typed
  /// `type`, and every value operand has it too
  case asOperands
  /// `i1`
  case truth
}

/// Which types an op and its operands may have. Where nothing else is said, operands have the op's own.
public enum TypeRule: UInt8, Sendable {
  /// None at all.
  case none
  case any
  case integerOrFloat
  case integer
  /// An integer of 8 bits or more.
  case word
  /// `a` is `i1`.
  case choice
  /// `a` is a narrower integer, a wider one, or of the same width.
  case narrower, wider, sameWidth
  /// `a` is an address, `i32` or `i64`; the access fits the type.
  case memory
  case float
  /// `a` is a float, and `i32` or `i64` comes out; and the reverse.
  case floatToInteger, integerToFloat
  /// Two floats, and an `i32` comes out.
  case floatOrder
  /// `a` is the other float type; `f32` in `f64`; `f64` in `f32`.
  case otherFloat, floatBox, floatUnbox
  /// As the ``VectorOperation`` says.
  case vector
  /// A helper's: no vectors.
  case call
  /// The op has none, `a` is `i1`; the op has the type of an address, as `a`; the op has none, `a` any integer.
  case condition, target, value
}

/// What `aux` is.
public enum AuxKind: UInt8, Sendable {
  case none
  /// Bytes of an instruction.
  case length
  /// A ``Condition``, ``MemoryAccess``, ``Ordering``, ``FloatControl``, ``VectorOperation``, the number of a helper,
  /// ``ExitFlags``, an ``ExitReason``.
  case condition, access, ordering, floatControl, vector, helper, exitFlags, exitReason
}

/// What `extra` is.
public enum ExtraKind: UInt8, Sendable {
  case none
  /// The number of an instruction in its block; retired instructions.
  case number, retired
  /// Words that the same instruction accesses behind this one; an ``AtomicKind``.
  case following, atomicKind
}

/// How an op is written as text.
public enum TextForm: UInt8, Sendable {
  /// What `aux` says, then the operands.
  case values
  /// The immediate alone.
  case number
  /// A register, then the operands.
  case register
  /// `atomicKind access [a + imm], b, c`
  case memory
  case instruction, count, label, call
  /// `a -> imm flags retired 1`, and the like without some of it.
  case way
  case raise
}

/// The result of an op that depends on its operands alone. They come zero-extended, and so does the result.
///
/// - Parameters:
///   - bits: width of the op's type.
///   - source: width of the type of `a`.
public typealias Evaluator = @convention(c) @Sendable (_ a: UInt64, _ b: UInt64, _ bits: Int, _ source: Int) -> UInt64

/// An op's row in the table.
@safe public struct OpInfo: Sendable {
  public let name: StaticString
  /// How many of `a`, `b`, `c` are used; with `optional`, the last ones may be absent.
  public let operands: Int
  public let optional: Bool
  public let result: ResultRule
  public let types: TypeRule
  public let form: TextForm
  public let immediate: Immediate
  public let aux: AuxKind
  public let extra: ExtraKind
  public let effects: Effects
  /// Nil if it depends on more than its operands.
  public let evaluator: Evaluator?

  init(
    _ name: StaticString, _ operands: Int, _ result: ResultRule, _ types: TypeRule, _ effects: Effects = [],
    form: TextForm = .values, imm: Immediate = .none, aux: AuxKind = .none, extra: ExtraKind = .none,
    optional: Bool = false, _ evaluator: Evaluator? = nil
  ) {
    self.name = name
    self.operands = operands
    self.optional = optional
    self.result = result
    self.types = types
    self.form = form
    immediate = imm
    self.aux = aux
    self.extra = extra
    self.effects = effects
    self.evaluator = evaluator
  }
}

extension Opcode {
  static let named: [String: Opcode] = Dictionary(uniqueKeysWithValues: allCases.map { ("\($0.info.name)", $0) })

  /// `info.effects` by raw value, for hot code; the caller deallocates it.
  public static func makeEffectsTable() -> RawTable<Effects> {
    let table = RawTable<Effects>(capacity: Int(UInt8.max) + 1)
    table.fill([])
    for opcode in allCases { table[Int(opcode.rawValue)] = opcode.info.effects }
    return table
  }

  /// `info.evaluator` by raw value, for hot code; those without one give 0 and are not asked. The caller deallocates it.
  public static func makeEvaluatorTable() -> RawTable<Evaluator> {
    let table = RawTable<Evaluator>(capacity: Int(UInt8.max) + 1)
    table.fill { _, _, _, _ in 0 }
    for opcode in allCases { if let evaluator = opcode.info.evaluator { table[Int(opcode.rawValue)] = evaluator } }
    return table
  }
}
