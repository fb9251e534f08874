// Owns IR as text, on the way in: reads what ``Printer`` writes.

/// What is wrong with a piece of IR text.
public struct ParseError: Error, Equatable, CustomStringConvertible {
  /// From 1.
  public var line: Int
  public var message: String

  public var description: String { "line \(line): \(message)" }
}

/// Reads IR text. Comments go from `;` to the end of the line. Blocks are not verified.
public struct Parser: Sendable {
  public let names: TextNames

  public init(_ names: TextNames = TextNames()) { self.names = names }

  /// Reads the one block that `text` must hold.
  public func block(_ text: some StringProtocol) throws(ParseError) -> Block {
    let blocks = try blocks(text)
    guard blocks.count == 1 else { throw ParseError(line: 1, message: "one block expected, \(blocks.count) found") }
    return blocks[0]
  }

  /// Reads any number of blocks, each opened by a line `block PC`.
  public func blocks(_ text: some StringProtocol) throws(ParseError) -> [Block] {
    var blocks: [Block] = []
    var instructionNumber: UInt32 = 0
    var number = 0
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      number += 1
      var reader = LineReader(line, number: number)
      guard !reader.isAtEnd else { continue }
      if reader.takes("block") {
        blocks.append(Block(pc: UInt64(bitPattern: try reader.number())))
        instructionNumber = 0
      } else {
        guard var block = blocks.popLast() else { throw reader.error("an op before the first `block` line") }
        try parseOp(&reader, into: &block, &instructionNumber)
        blocks.append(block)
      }
      try reader.end()
    }
    return blocks
  }

  private func parseOp(
    _ reader: inout LineReader, into block: inout Block, _ instructionNumber: inout UInt32
  ) throws(ParseError) {
    var op = Op(.nop)
    if let result = try reader.optionalValue() {
      op.result = result
      try reader.expect("=")
    }
    try parseMnemonic(&reader, &op)
    let info = op.opcode.info
    guard (info.result == .none) == op.result.isNone else {
      throw reader.error(info.result == .none ? "\(info.name) has no result" : "\(info.name) needs a result")
    }
    try parseOperands(&reader, &op, &instructionNumber)
    for id in [op.a, op.b, op.c, op.result] where !id.isNone {
      while !block.contains(id) { block.valueTypes.append(.none) }
    }
    switch op.opcode {
    case .setRegister, .exitIndirect: op.type = block.type(of: op.a)
    case .store: op.type = block.type(of: op.b)
    default: break
    }
    if !op.result.isNone { block.valueTypes[Int(op.result.index)] = info.result == .truth ? .i1 : op.type }
    block.ops.append(op)
  }

  private func parseMnemonic(_ reader: inout LineReader, _ op: inout Op) throws(ParseError) {
    let word = try reader.word("an op")
    if let opcode = Opcode.named[word] {
      guard opcode.info.result == .none else { throw reader.error("\(word) needs a type, as in \(word).i64") }
      op.opcode = opcode
      return
    }
    guard let dot = word.lastIndex(of: "."), let opcode = Opcode.named[String(word[..<dot])],
      let type = Type(name: word[word.index(after: dot)...]), opcode.info.result != .none
    else { throw reader.error("no op `\(word)`") }
    op.opcode = opcode
    op.type = type
  }

  private func parseOperands(
    _ reader: inout LineReader, _ op: inout Op, _ instructionNumber: inout UInt32
  ) throws(ParseError) {
    let info = op.opcode.info
    switch info.form {
    case .values:
      try aux(&reader, &op, info)
      try values(&reader, &op, info.aux == .vector ? op.vectorOperation.kind.row.shape.operands : info.operands)
    case .number: op.imm = try reader.number()
    case .register:
      op.imm = try register(&reader)
      if info.operands > 0 {
        try reader.expect(",")
        op.a = try reader.value()
      }
    case .memory: try memory(&reader, &op, info)
    case .instruction:
      op.imm = try reader.number()
      op.aux = try reader.number(as: UInt16.self)
      op.extra = reader.takes("#") ? try reader.number(as: UInt32.self) : instructionNumber
      instructionNumber = op.extra &+ 1
    case .count: op.extra = try reader.number(as: UInt32.self)
    case .label:
      op.imm = try reader.number()
      try retired(&reader, &op)
    case .call: try call(&reader, &op)
    case .way:
      if info.aux == .exitReason { try aux(&reader, &op, info) } else { try values(&reader, &op, info.operands) }
      if info.immediate == .programCounter {
        try reader.expect("->")
        op.imm = try reader.number()
      }
      if info.aux == .exitFlags { try aux(&reader, &op, info) }
      try retired(&reader, &op)
    case .raise:
      op.imm = try reader.number()
      if reader.takes("value") { op.a = try reader.value() }
      try retired(&reader, &op)
    }
  }

  /// What `aux` says.
  private func aux(_ reader: inout LineReader, _ op: inout Op, _ info: OpInfo) throws(ParseError) {
    switch info.aux {
    case .none, .length, .helper: break
    case .condition: op.aux = try reader.named(Condition.allCases, \.name, "a condition").rawValue
    case .access: op.aux = try access(&reader, &op).rawValue
    case .ordering: op.aux = try reader.named(Ordering.allCases, \.name, "an ordering").rawValue
    case .exitReason: op.aux = UInt16(try reader.named(ExitReason.allCases, \.name, "an exit reason").rawValue)
    case .exitFlags:
      for (flag, name) in ExitFlags.names where reader.takes(name) { op.aux |= flag.rawValue }
      if reader.takes("changing") { op.aux |= ExitFlags.changing(try reader.number(as: UInt8.self)).rawValue }
    case .vector:
      let word = try reader.word("a vector operation")
      guard let operation = VectorOperation(name: word) else { throw reader.error("no vector operation `\(word)`") }
      op.aux = operation.rawValue
    case .floatControl:
      let first = try reader.optionalValue()
      let word = first == nil ? try reader.word("a floating-point mode") : ""
      guard let control = op.opcode.floatAux(word) else { throw reader.error("no floating-point mode `\(word)`") }
      op.aux = control
      if let first { op.a = first }
    }
  }

  /// So many operands, without `a` if that is there already.
  private func values(_ reader: inout LineReader, _ op: inout Op, _ count: Int) throws(ParseError) {
    if count > 0, op.a.isNone { op.a = try reader.value() }
    if count > 1 {
      try reader.expect(",")
      op.b = try reader.value()
    }
    if count > 2 {
      try reader.expect(",")
      op.c = try reader.value()
    }
  }

  private func memory(_ reader: inout LineReader, _ op: inout Op, _ info: OpInfo) throws(ParseError) {
    if info.extra == .atomicKind {
      op.extra = try reader.named(AtomicKind.allCases, \.name, "an atomic operation").rawValue
    }
    try aux(&reader, &op, info)
    try address(&reader, &op)
    if info.operands > 1, info.extra != .atomicKind || reader.takes(",") {
      if info.extra != .atomicKind { try reader.expect(",") }
      op.b = try reader.value()
    }
    if info.operands > 2 {
      try reader.expect(",")
      op.c = try reader.value()
    }
  }

  private func register(_ reader: inout LineReader) throws(ParseError) -> Int64 {
    if reader.takes("#") { return try reader.number() }
    let name = try reader.word("a register")
    if let number = names.registerNumbers[name] { return Int64(number) }
    guard name.first == "r", let number = Int64(name.dropFirst()) else { throw reader.error("no register `\(name)`") }
    return number
  }

  private func address(_ reader: inout LineReader, _ op: inout Op) throws(ParseError) {
    try reader.expect("[")
    op.a = try reader.value()
    if reader.takes("+") {
      op.imm = try reader.number()
    } else if reader.takes("-") {
      op.imm = 0 &- (try reader.number())
    }
    try reader.expect("]")
  }

  private func access(_ reader: inout LineReader, _ op: inout Op) throws(ParseError) -> MemoryAccess {
    let word = try reader.word("a memory access")
    let parts = word.split(separator: ".", omittingEmptySubsequences: false)
    guard let sign = parts[0].first, sign == "s" || sign == "u", let size = Int(parts[0].dropFirst()),
      [1, 2, 4, 8, 16].contains(size)
    else { throw reader.error("no memory access `\(word)`") }
    var (bigEndian, aligned, ordering, space) = (false, false, Ordering.relaxed, AccessSpace.current)
    for part in parts.dropFirst() {
      if part == "be" {
        bigEndian = true
      } else if part == "aligned" {
        aligned = true
      } else if part.hasPrefix("of"), let count = UInt32(part.dropFirst(2)), count > 0 {
        op.extra = count - 1
      } else if let match = Ordering.allCases.first(where: { $0.name == part }) {
        ordering = match
      } else if let match = AccessSpace(name: part) {
        space = match
      } else {
        throw reader.error("no memory access property `\(part)`")
      }
    }
    return MemoryAccess(
      size: size, signed: sign == "s", bigEndian: bigEndian, aligned: aligned, ordering: ordering, space: space)
  }

  private func call(_ reader: inout LineReader, _ op: inout Op) throws(ParseError) {
    let word = try reader.word("a helper")
    guard word.first == "@", let number = names.helperNumbers[String(word.dropFirst())] ?? Int(word.dropFirst()),
      let helper = UInt16(exactly: number)
    else { throw reader.error("no helper `\(word)`") }
    op.aux = helper
    try reader.expect("(")
    if !reader.takes(")") {
      op.a = try reader.value()
      if reader.takes(",") { op.b = try reader.value() }
      if reader.takes(",") { op.c = try reader.value() }
      try reader.expect(")")
    }
    if reader.takes("#") { op.imm = try reader.number() }
  }

  private func retired(_ reader: inout LineReader, _ op: inout Op) throws(ParseError) {
    if reader.takes("retired") { op.extra = try reader.number(as: UInt32.self) }
  }
}
