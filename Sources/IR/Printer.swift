// Owns IR as text, on the way out: one op a line. ``Parser`` reads the same form.

/// The names that IR text uses for guest registers and helpers, by number.
public struct TextNames: Sendable {
  let registers: [String]
  let helpers: [String]
  let registerNumbers: [String: Int]
  let helperNumbers: [String: Int]

  public init(registers: [String] = [], helpers: [String] = []) {
    self.registers = registers
    self.helpers = helpers
    registerNumbers = Dictionary(zip(registers, 0...), uniquingKeysWith: { first, _ in first })
    helperNumbers = Dictionary(zip(helpers, 0...), uniquingKeysWith: { first, _ in first })
  }

  /// The register's own name; `r12` for one without; `#12` where that would be read as another.
  public func register(_ number: Int64) -> String {
    let index = Int(number)
    if registers.indices.contains(index), registerNumbers[registers[index]] == index { return registers[index] }
    return registerNumbers["r\(index)"] == nil ? "r\(index)" : "#\(index)"
  }

  func helper(_ index: Int) -> String {
    helpers.indices.contains(index) && helperNumbers[helpers[index]] == index ? "@\(helpers[index])" : "@\(index)"
  }
}

/// Writes IR as text.
public struct Printer: Sendable {
  public let names: TextNames

  public init(_ names: TextNames = TextNames()) { self.names = names }

  /// `block 0x80000000`, then the ops, indented.
  public func text(_ block: Block) -> String {
    lines(block).reduce("block \(hex(block.pc))\n") { $0 + "  " + $1 + "\n" }
  }

  /// The block's ops, one string each.
  public func lines(_ block: Block) -> [String] {
    var number: UInt32 = 0
    return block.ops.map { op in
      guard op.opcode == .instruction else { return line(op) }
      defer { number = op.extra &+ 1 }
      return op.extra == number ? line(op) : line(op) + " #\(op.extra)"
    }
  }

  /// One op. (An `instruction` comes without its number.)
  public func line(_ op: Op) -> String {
    let info = op.opcode.info
    let mnemonic = info.result == .none ? "\(info.name)" : "\(info.name).\(op.type.name)"
    let rest = operands(op)
    return (op.result.isNone ? "" : "\(value(op.result)) = ") + mnemonic + (rest.isEmpty ? "" : " " + rest)
  }

  private func operands(_ op: Op) -> String {
    switch op.opcode {
    case .nop: ""
    case .instruction: "\(hex(UInt64(bitPattern: op.imm))) \(op.aux)"
    case .retire: "\(op.extra)"
    case .label: "\(hex(UInt64(bitPattern: op.imm))) retired \(op.extra)"
    case .count, .const: number(op.imm)
    case .getRegister: names.register(op.imm)
    case .setRegister: "\(names.register(op.imm)), \(value(op.a))"
    case .add, .sub, .mul, .mulHighSigned, .mulHighUnsigned, .mulHighSignedUnsigned, .divSigned, .divUnsigned,
      .remSigned, .remUnsigned, .and, .or, .xor, .andNot, .shiftLeft, .shiftRight, .shiftRightArithmetic, .rotateLeft,
      .rotateRight, .copy, .countLeadingZeros, .countTrailingZeros, .populationCount, .byteSwap, .select, .signExtend,
      .zeroExtend, .truncate, .bitcast:
      values(op)
    case .compare: "\(op.condition.name) \(values(op))"
    case .load: "\(access(op.access))\(following(op)) \(address(op))"
    case .store: "\(access(op.access))\(following(op)) \(address(op)), \(value(op.b))"
    case .atomic:
      "\(op.atomicKind.name) \(access(op.access)) \(address(op))" + (op.b.isNone ? "" : ", \(value(op.b))")
    case .compareExchange: "\(access(op.access)) \(address(op)), \(value(op.b)), \(value(op.c))"
    case .floatAdd, .floatSub, .floatMul, .floatDiv, .floatSqrt, .floatFused, .floatMinimum, .floatMaximum,
      .floatCompare, .floatOrder,
      .floatToInteger, .floatFromInteger, .floatConvert, .floatSign, .floatBox, .floatUnbox:
      [op.opcode.floatText(op.aux) ?? "?", values(op)].filter { !$0.isEmpty }.joined(separator: " ")
    case .fence: Ordering(rawValue: op.aux)?.name ?? "?"
    case .call: "\(names.helper(Int(op.aux)))(\(values(op)))" + (op.imm == 0 ? "" : " #\(number(op.imm))")
    case .exitIf: "\(value(op.a)) -> \(hex(UInt64(bitPattern: op.imm)))\(exit(op))"
    case .exit: "-> \(hex(UInt64(bitPattern: op.imm)))\(exit(op))"
    case .exitIndirect: "\(value(op.a))\(exit(op))"
    case .exitWith:
      "\(ExitReason(rawValue: UInt32(op.aux))?.name ?? "?") -> \(hex(UInt64(bitPattern: op.imm))) retired \(op.extra)"
    case .raise: number(op.imm) + (op.a.isNone ? "" : " value \(value(op.a))") + " retired \(op.extra)"
    }
  }

  private func value(_ id: ValueID) -> String { id.isNone ? "none" : "%\(id.index)" }

  /// The operands there are, in order.
  private func values(_ op: Op) -> String {
    [op.a, op.b, op.c].filter { !$0.isNone }.map(value).joined(separator: ", ")
  }

  private func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

  /// Small numbers in decimal, others in hexadecimal.
  private func number(_ value: Int64) -> String {
    if value.magnitude < 1 << 16 { return String(value) }
    return (value < 0 ? "-" : "") + hex(value.magnitude)
  }

  private func address(_ op: Op) -> String {
    if op.imm == 0 { return "[\(value(op.a))]" }
    let magnitude = op.imm.magnitude
    let offset = magnitude < 1 << 16 ? String(magnitude) : hex(magnitude)
    return "[\(value(op.a)) \(op.imm < 0 ? "-" : "+") \(offset)]"
  }

  /// `s4`, `u8.be.aligned.acq.user`: sign and bytes, then what is not the default.
  private func access(_ access: MemoryAccess) -> String {
    (access.signed ? "s" : "u") + String(access.size) + (access.bigEndian ? ".be" : "")
      + (access.aligned ? ".aligned" : "") + (access.ordering == .relaxed ? "" : ".\(access.ordering.name)")
      + (access.space == .current ? "" : ".\(access.space.name)")
  }

  /// `.of3`: the first of three words.
  private func following(_ op: Op) -> String { op.extra == 0 ? "" : ".of\(op.extra &+ 1)" }

  private func exit(_ op: Op) -> String {
    let flags = op.exitFlags
    return ExitFlags.names.reduce("") { flags.contains($1.flag) ? "\($0) \($1.name)" : $0 }
      + (flags.change == 0 ? "" : " changing \(hex(UInt64(flags.change)))") + " retired \(op.extra)"
  }
}

extension ExitFlags {
  /// The words for them in IR text.
  static var names: [(flag: ExitFlags, name: String)] {
    [(.checksBudget, "budget"), (.unchainable, "unchainable"), (.isCall, "call"), (.isReturn, "return")]
  }
}
