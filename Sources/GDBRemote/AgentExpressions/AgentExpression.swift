// Owns the form of agent expressions: programs of a small stack machine by which GDB has conditions, commands and collections
// carried out at the target. Checked once, so that evaluating one reads nothing outside it.

/// One agent expression. GDB manual, appendix "The GDB Agent Expression Mechanism".
public struct AgentExpression: Sendable, Equatable {
  enum Opcode: UInt8, Sendable {
    case add = 0x02, subtract, multiply, divideSigned, divideUnsigned, remainderSigned, remainderUnsigned
    case shiftLeft, shiftRightSigned, shiftRightUnsigned, trace, traceQuick, logicalNot, and, or, xor, not
    case equal, lessSigned, lessUnsigned, signExtend, load8, load16, load32, load64
    case branchIf = 0x20, branch, constant8, constant16, constant32, constant64, register, end, duplicate, pop
    case zeroExtend, swap, getVariable, setVariable, traceVariable, traceString, trace16
    case pick = 0x32, rotate, print

    /// Bytes that follow, of which a number is made.
    var operandSize: Int {
      switch self {
      case .traceQuick, .signExtend, .zeroExtend, .constant8, .pick: 1
      case .branchIf, .branch, .constant16, .register, .getVariable, .setVariable, .traceVariable, .trace16: 2
      case .constant32: 4
      case .constant64: 8
      // Arguments, and bytes of the format.
      case .print: 3
      default: 0
      }
    }
  }

  struct Instruction: Sendable, Equatable {
    var opcode: Opcode
    /// A branch's is the index of an instruction, a print's that of a format.
    var operand: UInt64 = 0
  }

  let instructions: [Instruction]
  /// What prints print, and how many arguments each takes.
  let formats: [AgentFormat]

  /// - Throws: `.invalid` for bytes that are no program: an unknown or unfinished operation, a branch that does not lead to
  ///   one; `.unsupported` for one that computes with floating-point numbers, which GDB itself never makes.
  public init(_ bytes: [UInt8]) throws(TargetError) {
    var instructions: [Instruction] = []
    var formats: [AgentFormat] = []
    /// By offset in the bytes.
    var indices: [Int: Int] = [:]
    var position = 0
    while position < bytes.count {
      let code = bytes[position]
      guard let opcode = Opcode(rawValue: code) else {
        if code == 0x01 || (0x1B...0x1F).contains(code) { throw .unsupported("floating point in an agent expression") }
        throw .invalid("agent expression: no operation 0x\(String(code, radix: 16))")
      }
      indices[position] = instructions.count
      position += 1
      guard position + opcode.operandSize <= bytes.count else { throw .invalid("agent expression: it ends too early") }
      var operand = bytes[position..<position + opcode.operandSize].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      position += opcode.operandSize
      if opcode == .print {
        let (arguments, length) = (Int(operand >> 16), Int(operand & 0xFFFF))
        guard position + length <= bytes.count, length > 0, bytes[position + length - 1] == 0 else {
          throw .invalid("agent expression: a format without an end")
        }
        let format = try AgentFormat(bytes[position..<position + length - 1])
        guard format.argumentCount <= arguments else { throw .invalid("agent expression: too few arguments to print") }
        position += length
        operand = UInt64(arguments) << 32 | UInt64(formats.count)
        formats.append(format)
      }
      instructions.append(Instruction(opcode: opcode, operand: operand))
    }
    for number in instructions.indices where [.branch, .branchIf].contains(instructions[number].opcode) {
      guard let index = indices[Int(instructions[number].operand)] else {
        throw .invalid("agent expression: a branch to nowhere")
      }
      instructions[number].operand = UInt64(index)
    }
    self.instructions = instructions
    self.formats = formats
  }
}
