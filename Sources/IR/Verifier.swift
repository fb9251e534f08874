// Owns the check that a block obeys the op table: front ends and passes are tested with it.

/// What a block breaks.
public enum VerificationRule: String, Sendable {
  /// An operand is missing, or one is given that the op does not have.
  case operandCount
  /// An operand is no value that an earlier op defines, with no label in between.
  case operandUndefined
  case operandType
  /// The result is missing, superfluous, defined twice, or has another type than the op gives it.
  case result
  /// The op's own type does not fit the op.
  case type
  /// A field the op does not use is not at its default.
  case unusedField
  /// `aux` or `extra` encode nothing: a condition, access, ordering, atomic operation, flags, reason or helper.
  case encoding
  /// No such guest register, or one of another width.
  case register
  /// The block does not end with a terminator, or something other than a label follows one.
  case terminator
  /// A guest register is written before an op of the same instruction that may raise, which then could not be restarted.
  case writeBeforeRaise
  /// More values than numbers.
  case tooManyValues
}

/// A broken rule, and the index of the op that breaks it.
public struct VerificationError: Error, Equatable, CustomStringConvertible {
  public var op: Int
  public var rule: VerificationRule
  public var detail: String

  public var description: String { "op \(op): \(rule.rawValue): \(detail)" }
}

/// Checks blocks for one guest.
public struct Verifier: Sendable {
  private let registers: [Type]
  private let helpers: [Effects]

  /// - Parameters:
  ///   - registers: the types of the guest's registers, by number.
  ///   - helpers: the effects of the guest's helpers, by number.
  public init(registers: [Type], helpers: [Effects]) {
    self.registers = registers
    self.helpers = helpers
  }

  public func verify(_ block: Block) throws(VerificationError) {
    guard block.valueTypes.count <= Int(ValueID.none.index) else {
      throw VerificationError(op: 0, rule: .tooManyValues, detail: "\(block.valueTypes.count)")
    }
    var check = OpCheck(block: block, registers: registers, helpers: helpers)
    for (index, op) in block.ops.enumerated() {
      check.index = index
      try check.verify(op)
    }
    guard let last = block.ops.last, last.opcode.info.effects.contains(.terminates) else {
      throw VerificationError(op: max(0, block.ops.count - 1), rule: .terminator, detail: "the block has no end")
    }
  }
}

/// The check of one op, with what it knows of the ops before it.
private struct OpCheck {
  let block: Block
  let registers: [Type]
  let helpers: [Effects]
  var index = 0
  private var defined: [Bool]
  /// Values whose definition has no label behind it yet.
  private var isLive: [Bool]
  private var hasWritten = false

  init(block: Block, registers: [Type], helpers: [Effects]) {
    self.block = block
    self.registers = registers
    self.helpers = helpers
    defined = Array(repeating: false, count: block.valueTypes.count)
    isLive = defined
  }

  private func require(
    _ condition: Bool, _ rule: VerificationRule, _ detail: @autoclosure () -> String
  ) throws(VerificationError) {
    if !condition { throw VerificationError(op: index, rule: rule, detail: detail()) }
  }

  mutating func verify(_ op: Op) throws(VerificationError) {
    let info = op.opcode.info
    try require(
      !info.effects.contains(.terminates) || index == block.ops.count - 1 || block.ops[index + 1].opcode == .label,
      .terminator, "ops follow \(info.name)")
    try verifyOperands(op, info)
    try verifyType(op, info)
    try verifyFields(op, info)
    try verifyOrder(op, info)
    try verifyResult(op, info)
  }

  private func verifyOperands(_ op: Op, _ info: OpInfo) throws(VerificationError) {
    for (number, id) in [op.a, op.b, op.c].enumerated() {
      if id.isNone {
        let optional = info.optional || (op.opcode == .atomic && op.atomicKind == .loadReserved && number == 1)
        try require(number >= info.operands || optional, .operandCount, "\(info.name) lacks operand \(number + 1)")
      } else {
        try require(number < info.operands, .operandCount, "\(info.name) has no operand \(number + 1)")
        try require(block.contains(id) && isLive[Int(id.index)], .operandUndefined, "%\(id.index)")
      }
    }
  }

  private func type(_ id: ValueID) -> Type { block.type(of: id) }

  private func operand(_ id: ValueID, is expected: Type) throws(VerificationError) {
    guard !id.isNone else { return }
    try require(
      type(id) == expected, .operandType, "%\(id.index) is \(type(id).name), not \(expected.name)")
  }

  private func verifyType(_ op: Op, _ info: OpInfo) throws(VerificationError) {
    let name = info.name
    let source = op.a.isNone ? Type.none : type(op.a)
    if info.result != .none { try require(op.type != .none, .type, "\(name) needs a type") }
    func own(_ fits: Bool) throws(VerificationError) { try require(fits, .type, "\(name).\(op.type.name)") }
    func first(_ fits: Bool) throws(VerificationError) {
      try require(fits, .operandType, "\(name).\(op.type.name) of \(source.name)")
    }
    switch info.types {
    case .none: try require(op.type == .none, .type, "\(name) has none")
    case .any: try same(op)
    case .integerOrFloat: try own(op.type.isInteger || op.type.isFloat)
    case .integer:
      try own(op.type.isInteger)
      try same(op)
    case .word:
      try own(op.type.isInteger && op.type != .i1)
      try same(op)
    case .choice:
      try own(op.type != .v128)
      try operand(op.a, is: .i1)
      try operand(op.b, is: op.type)
      try operand(op.c, is: op.type)
    case .narrower:
      try own(op.type.isInteger)
      try first(source.isInteger && source.bits < op.type.bits)
    case .wider:
      try own(op.type.isInteger)
      try first(source.isInteger && source.bits > op.type.bits)
    case .sameWidth: try first(source.bits == op.type.bits && source != .v128)
    case .memory: try verifyAccess(op, info)
    case .float:
      try own(op.type.isFloat)
      try same(op)
    case .floatToInteger:
      try own(op.type == .i32 || op.type == .i64)
      try first(source.isFloat)
    case .integerToFloat:
      try own(op.type.isFloat)
      try first(source == .i32 || source == .i64)
    case .floatOrder:
      try own(op.type == .i32)
      try first(source.isFloat)
      try operand(op.b, is: source)
    case .otherFloat:
      try own(op.type.isFloat)
      try first(source.isFloat && source != op.type)
    case .floatBox:
      try own(op.type == .f64)
      try first(source == .f32)
    case .floatUnbox:
      try own(op.type == .f32)
      try first(source == .f64)
    case .vector: try verifyVector(op)
    case .call:
      try own(op.type != .v128)
      for id in [op.a, op.b, op.c] where !id.isNone {
        try require(type(id) != .v128, .operandType, "%\(id.index) is v128")
      }
    case .condition:
      try require(op.type == .none, .type, "\(name) has none")
      try operand(op.a, is: .i1)
    case .target:
      try require(op.type == .i32 || op.type == .i64, .type, "\(name) to \(op.type.name)")
      try same(op)
    case .value:
      try require(op.type == .none, .type, "\(name) has none")
      if !op.a.isNone { try require(source.isInteger, .operandType, "value \(source.name)") }
    }
  }

  private func same(_ op: Op) throws(VerificationError) {
    for id in [op.a, op.b, op.c] { try operand(id, is: op.type) }
  }

  private func verifyVector(_ op: Op) throws(VerificationError) {
    let operation = op.vectorOperation
    try require(operation.isValid, .encoding, "vector operation \(op.aux)")
    let shape = operation.kind.row.shape
    func isScalar(_ type: Type) -> Bool { type.bits == operation.lane.bits && type != .i1 }
    for (number, id) in [op.a, op.b, op.c].enumerated() {
      try require(id.isNone == (number >= shape.operands), .operandCount, "\(operation.name), operand \(number + 1)")
      if id.isNone { continue }
      let fits =
        shape.isVector(number) ? type(id) == .v128 : shape == .choice ? type(id) == .i1 : isScalar(type(id))
      try require(fits, .operandType, "%\(id.index) of \(operation.name) is \(type(id).name)")
    }
    let fits = shape.givesVector ? op.type == .v128 : shape == .mask ? op.type == .i32 : isScalar(op.type)
    try require(fits, .type, "\(operation.name) gives no \(op.type.name)")
  }

  private func verifyAccess(_ op: Op, _ info: OpInfo) throws(VerificationError) {
    try require(op.aux >> 10 == 0 && op.aux & 7 <= 4 && op.aux >> 8 & 3 <= 2, .encoding, "memory access \(op.aux)")
    let base = type(op.a)
    try require(base == .i32 || base == .i64, .operandType, "%\(op.a.index), an address, is \(base.name)")
    let size = op.access.size
    let fits =
      op.type == .v128
      ? size == 16 && !op.access.bigEndian && !op.access.signed
      : op.type.isInteger
        ? op.type != .i1 && size <= op.type.bytes
        : (size == op.type.bytes || size < op.type.bytes && op.opcode == .store) && !op.access.signed
    try require(fits, .type, "\(info.name).\(op.type.name) of \(size) bytes")
    if info.immediate != .address {
      try require(op.type.isInteger, .type, "\(info.name).\(op.type.name)")
      try require(op.imm == 0, .unusedField, "\(info.name) takes no displacement")
    }
    if op.opcode != .load {
      try operand(op.b, is: op.type)
      try operand(op.c, is: op.type)
    }
  }

  private func verifyFields(_ op: Op, _ info: OpInfo) throws(VerificationError) {
    let name = info.name
    switch info.aux {
    case .none: try require(op.aux == 0, .unusedField, "\(name) uses no aux")
    case .access: break
    case .length: try require(op.aux <= 16, .encoding, "an instruction of \(op.aux) bytes")
    case .condition: try require(Condition(rawValue: op.aux) != nil, .encoding, "condition \(op.aux)")
    case .ordering: try require(Ordering(rawValue: op.aux) != nil, .encoding, "ordering \(op.aux)")
    case .floatControl:
      try require(op.opcode.floatText(op.aux) != nil, .encoding, "floating-point control \(op.aux)")
    case .vector: break
    case .helper: try require(helpers.indices.contains(Int(op.aux)), .encoding, "helper \(op.aux)")
    case .exitFlags:
      try require(op.aux & 0xF0 == 0, .encoding, "exit flags \(op.aux)")
      let mayChange = info.immediate == .programCounter && !op.exitFlags.contains(.unchainable)
      try require(mayChange || op.exitFlags.change == 0, .encoding, "an exit that is looked up enters no other flags")
    case .exitReason: try require(ExitReason(rawValue: UInt32(op.aux)) != nil, .encoding, "exit reason \(op.aux)")
    }
    switch info.extra {
    case .none: try require(op.extra == 0, .unusedField, "\(name) uses no extra")
    case .number, .retired: break
    case .following: try require(op.extra <= Op.mostFollowing, .encoding, "\(op.extra) words that follow")
    case .atomicKind: try require(AtomicKind(rawValue: op.extra) != nil, .encoding, "atomic operation \(op.extra)")
    }
    if info.immediate == .none { try require(op.imm == 0, .unusedField, "\(name) uses no immediate") }
    if info.immediate == .register {
      try require(registers.indices.contains(Int(op.imm)), .register, "no register \(op.imm)")
      let register = registers[Int(op.imm)]
      try require(
        register.bits == op.type.bits, .register, "register \(op.imm) is \(register.name), not \(op.type.name)")
    }
  }

  private mutating func verifyOrder(_ op: Op, _ info: OpInfo) throws(VerificationError) {
    if op.opcode == .instruction { hasWritten = false }
    if op.opcode == .label { for index in isLive.indices { isLive[index] = false } }
    let effects = op.opcode == .call ? helpers[Int(op.aux)] : info.effects
    if effects.contains(.mayRaise) {
      try require(!hasWritten, .writeBeforeRaise, "\(info.name) after a register was written")
    }
    if op.opcode == .setRegister { hasWritten = true }
  }

  private mutating func verifyResult(_ op: Op, _ info: OpInfo) throws(VerificationError) {
    if info.result == .none {
      try require(op.result.isNone, .result, "\(info.name) has none")
      return
    }
    try require(block.contains(op.result), .result, "\(info.name) needs one")
    let expected: Type = info.result == .truth ? .i1 : op.type
    try require(
      type(op.result) == expected, .result,
      "%\(op.result.index) is \(type(op.result).name), \(info.name) gives \(expected.name)")
    try require(!defined[Int(op.result.index)], .result, "%\(op.result.index) is defined twice")
    defined[Int(op.result.index)] = true
    isLive[Int(op.result.index)] = true
  }
}
