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
    let info = op.opcode.info
    let pc = hex(UInt64(bitPattern: op.imm))
    switch info.form {
    case .values: return [word(op, info), values(op)].filter { !$0.isEmpty }.joined(separator: " ")
    case .number: return number(op.imm)
    case .register: return [names.register(op.imm), values(op)].filter { !$0.isEmpty }.joined(separator: ", ")
    case .memory:
      let kind = info.extra == .atomicKind ? op.atomicKind.name + " " : ""
      let following = info.extra == .following && op.extra > 0 ? ".of\(op.extra &+ 1)" : ""
      let rest = [op.b, op.c].filter { !$0.isNone }.reduce("") { "\($0), \(value($1))" }
      return "\(kind)\(word(op, info))\(following) \(address(op))\(rest)"
    case .instruction: return "\(pc) \(op.aux)"
    case .count: return "\(op.extra)"
    case .label: return "\(pc) retired \(op.extra)"
    case .call: return "\(word(op, info))(\(values(op)))" + (op.imm == 0 ? "" : " #\(number(op.imm))")
    case .way:
      let leading = info.aux == .exitReason ? word(op, info) : values(op)
      let target = info.immediate == .programCounter ? "-> \(pc)" : ""
      let flags = info.aux == .exitFlags ? word(op, info) : ""
      return [leading, target, flags, "retired \(op.extra)"].filter { !$0.isEmpty }.joined(separator: " ")
    case .raise: return number(op.imm) + (op.a.isNone ? "" : " value \(value(op.a))") + " retired \(op.extra)"
    }
  }

  /// What `aux` says.
  private func word(_ op: Op, _ info: OpInfo) -> String {
    switch info.aux {
    case .none, .length: ""
    case .condition: op.condition.name
    case .access: access(op.access)
    case .ordering: Ordering(rawValue: op.aux)?.name ?? "?"
    case .floatControl: op.opcode.floatText(op.aux) ?? "?"
    case .vector: op.vectorOperation.isValid ? op.vectorOperation.name : "?"
    case .helper: names.helper(Int(op.aux))
    case .exitFlags: exit(op.exitFlags)
    case .exitReason: ExitReason(rawValue: UInt32(op.aux))?.name ?? "?"
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

  private func exit(_ flags: ExitFlags) -> String {
    let words = ExitFlags.names.filter { flags.contains($0.flag) }.map(\.name)
    return (words + (flags.change == 0 ? [] : ["changing \(hex(UInt64(flags.change)))"])).joined(separator: " ")
  }
}

extension ExitFlags {
  /// The words for them in IR text.
  static var names: [(flag: ExitFlags, name: String)] {
    [(.checksBudget, "budget"), (.unchainable, "unchainable"), (.isCall, "call"), (.isReturn, "return")]
  }
}
