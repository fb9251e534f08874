// Owns the carrying out of agent expressions.

/// What an agent expression reads and leaves behind; a thread of the target at the place where it is evaluated.
public protocol AgentContext {
  /// A register by its number in the target description, zero-extended; nil if it cannot be read.
  func register(_ number: Int) -> UInt64?
  /// 1, 2, 4 or 8 bytes of memory in the target's byte order, zero-extended; nil if they cannot be read.
  func memory(at address: UInt64, size: Int) -> UInt64?
  /// Takes text that the expression prints.
  func show(_ text: String)
  /// Takes memory that a tracepoint collects.
  mutating func collect(_ address: UInt64, count: UInt64)
  /// Takes the value of a trace state variable that a tracepoint collects.
  mutating func collect(variable number: Int, _ value: Int64)
}

extension AgentContext {
  public mutating func collect(_ address: UInt64, count: UInt64) {}
  public mutating func collect(variable number: Int, _ value: Int64) {}

  /// A string that ends with a zero, or at the first byte that cannot be read.
  func string(at address: UInt64, atMost limit: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < limit, let byte = memory(at: address &+ UInt64(bytes.count), size: 1), byte != 0 {
      bytes.append(UInt8(truncatingIfNeeded: byte))
    }
    return bytes
  }
}

/// Why an expression has no value.
public enum AgentFailure: Error, Equatable, Sendable {
  case stack, memory(UInt64), register(Int), divisionByZero, variable(Int), endless
}

extension AgentFailure: CustomStringConvertible {
  public var description: String {
    switch self {
    case .stack: "the expression takes more from its stack than is there, or puts too much on it"
    case .memory(let address): "memory at 0x\(String(address, radix: 16)) cannot be read"
    case .register(let number): "there is no register \(number)"
    case .divisionByZero: "division by zero"
    case .variable(let number): "there is no trace state variable \(number)"
    case .endless: "the expression does not end"
    }
  }
}

/// Evaluates expressions. It keeps the target's trace state variables, and its stack from one evaluation to the next.
public struct AgentMachine: Sendable {
  /// By number.
  public var variables: [Int: Int64] = [:]
  private var stack = [UInt64](repeating: 0, count: Self.depth)

  private static let depth = 128
  /// Operations after which an expression counts as endless; a byte of a text that is printed, or of a string that is looked
  /// at, is one too.
  public static let limit = 100_000
  /// Of a string to print.
  private static let longestString = 4096

  public init() {}

  /// The value on top at the end; 0 for an expression without one.
  public mutating func evaluate(
    _ expression: AgentExpression, in context: inout some AgentContext
  ) throws(AgentFailure) -> UInt64 {
    var left = Self.limit
    return try evaluate(expression, in: &context, left: &left)
  }

  /// - Parameter left: operations that this and further expressions may take together.
  mutating func evaluate(
    _ expression: AgentExpression, in context: inout some AgentContext, left: inout Int
  ) throws(AgentFailure) -> UInt64 {
    var (position, used) = (0, 0)
    while position < expression.instructions.count {
      let instruction = expression.instructions[position]
      let (opcode, operand) = (instruction.opcode, instruction.operand)
      position += 1
      left -= 1
      if left < 0 { throw .endless }
      guard used >= opcode.taken, used < Self.depth - 1 else { throw .stack }
      switch opcode {
      case .constant8, .constant16, .constant32, .constant64: push(operand, &used)
      case .register:
        guard let value = context.register(Int(operand)) else { throw .register(Int(operand)) }
        push(value, &used)
      case .getVariable:
        guard let value = variables[Int(operand)] else { throw .variable(Int(operand)) }
        push(UInt64(bitPattern: value), &used)
      case .setVariable: variables[Int(operand)] = Int64(bitPattern: stack[used - 1])
      case .load8, .load16, .load32, .load64:
        let size = 1 << Int(opcode.rawValue - AgentExpression.Opcode.load8.rawValue)
        guard let value = context.memory(at: stack[used - 1], size: size) else { throw .memory(stack[used - 1]) }
        stack[used - 1] = value
      case .logicalNot: stack[used - 1] = stack[used - 1] == 0 ? 1 : 0
      case .not: stack[used - 1] = ~stack[used - 1]
      case .signExtend, .zeroExtend:
        let shift = UInt64(64 - min(max(operand, 1), 64))
        let high = stack[used - 1] << shift
        stack[used - 1] =
          opcode == .zeroExtend ? high >> shift : UInt64(bitPattern: Int64(bitPattern: high) >> Int64(shift))
      case .duplicate: push(stack[used - 1], &used)
      case .pop: used -= 1
      case .swap: stack.swapAt(used - 1, used - 2)
      case .pick:
        guard operand < UInt64(used) else { throw .stack }
        push(stack[used - 1 - Int(operand)], &used)
      case .rotate:
        // a b c, c on top, becomes c a b.
        let top = stack[used - 1]
        (stack[used - 1], stack[used - 2], stack[used - 3]) = (stack[used - 2], stack[used - 3], top)
      case .branch: position = Int(operand)
      case .branchIf:
        used -= 1
        if stack[used] != 0 { position = Int(operand) }
      case .end: return used > 0 ? stack[used - 1] : 0
      case .trace:
        used -= 2
        context.collect(stack[used], count: stack[used + 1])
      case .traceQuick, .trace16: context.collect(stack[used - 1], count: operand)
      case .traceString:
        used -= 2
        let limit = Int(clamping: min(stack[used + 1], UInt64(Self.longestString)))
        let count = context.string(at: stack[used], atMost: limit).count
        left -= count
        context.collect(stack[used], count: UInt64(min(count + 1, limit)))
      case .traceVariable:
        guard let value = variables[Int(operand)] else { throw .variable(Int(operand)) }
        context.collect(variable: Int(operand), value)
      case .print: left -= try print(expression, operand, &used, context)
      default:
        used -= 1
        stack[used - 1] = try Self.compute(opcode, stack[used - 1], stack[used])
      }
    }
    return used > 0 ? stack[used - 1] : 0
  }

  private mutating func push(_ value: UInt64, _ used: inout Int) {
    stack[used] = value
    used += 1
  }

  /// - Returns: the bytes of the text and of the strings in it.
  private mutating func print(
    _ expression: AgentExpression, _ operand: UInt64, _ used: inout Int, _ context: some AgentContext
  ) throws(AgentFailure) -> Int {
    let count = Int(operand >> 32)
    // On top of the arguments, the last of which lies deepest: a function to call in place of printing, and its channel.
    guard used >= count + 2 else { throw .stack }
    used -= 2
    let arguments = (0..<count).map { stack[used - 1 - $0] }
    used -= count
    let format = expression.formats[Int(operand & 0xFFFF_FFFF)]
    var lookedAt = 0
    let text = format.text(arguments) { address in
      let string = context.string(at: address, atMost: Self.longestString)
      lookedAt += string.count
      return string
    }
    context.show(text)
    return lookedAt + text.utf8.count
  }

  private static func compute(
    _ opcode: AgentExpression.Opcode, _ a: UInt64, _ b: UInt64
  ) throws(AgentFailure) -> UInt64 {
    let (signedA, signedB) = (Int64(bitPattern: a), Int64(bitPattern: b))
    switch opcode {
    case .add: return a &+ b
    case .subtract: return a &- b
    case .multiply: return a &* b
    case .divideSigned, .divideUnsigned, .remainderSigned, .remainderUnsigned:
      guard b != 0 else { throw .divisionByZero }
      switch opcode {
      case .divideSigned: return UInt64(bitPattern: signedA.dividedReportingOverflow(by: signedB).partialValue)
      case .divideUnsigned: return a / b
      case .remainderSigned:
        return UInt64(bitPattern: signedA.remainderReportingOverflow(dividingBy: signedB).partialValue)
      default: return a % b
      }
    case .shiftLeft: return a << b
    case .shiftRightSigned: return UInt64(bitPattern: signedA >> Int64(clamping: b))
    case .shiftRightUnsigned: return a >> b
    case .and: return a & b
    case .or: return a | b
    case .xor: return a ^ b
    case .equal: return a == b ? 1 : 0
    case .lessSigned: return signedA < signedB ? 1 : 0
    case .lessUnsigned: return a < b ? 1 : 0
    default: preconditionFailure("\(opcode) is not an operation of two operands")
    }
  }
}

extension AgentExpression.Opcode {
  /// Values it takes from the stack, or looks at there, whatever its operand says.
  var taken: Int {
    switch self {
    case .branch, .end, .constant8, .constant16, .constant32, .constant64, .register, .getVariable, .traceVariable,
      .pick:
      0
    case .logicalNot, .not, .signExtend, .zeroExtend, .load8, .load16, .load32, .load64, .branchIf, .duplicate, .pop,
      .setVariable, .traceQuick, .trace16:
      1
    case .rotate: 3
    default: 2
    }
  }
}
