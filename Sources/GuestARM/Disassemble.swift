// Owns the assembly text of Arm instructions: UAL, as GNU objdump writes it outside of IT blocks.

import GuestKit

extension ARMGuest {
  /// - Returns: text such as `ldr     r3, [sp, #4]` and the length in bytes. An encoding without a row becomes `.short` or
  ///   `.inst.w`; a single byte becomes `.byte`.
  public func disassemble(_ bytes: [UInt8], pc: UInt64) -> (text: String, length: Int) {
    guard bytes.count >= 2 else {
      return (".byte   " + bytes.map { "0x" + String($0, radix: 16) }.joined(), bytes.count)
    }
    var encoding = UInt32(bytes[0]) | UInt32(bytes[1]) << 8
    var length = 2
    if encoding >= 0xE800, bytes.count >= 4 {
      encoding = encoding << 16 | UInt32(bytes[2]) | UInt32(bytes[3]) << 8
      length = 4
    }
    guard let instruction = decoder.decode(encoding, length: length) else {
      return (pad(length == 2 ? ".short" : ".inst.w") + "0x" + String(encoding, radix: 16), length)
    }
    var (mnemonic, operands) = decoder.text(of: instruction, aliases: []) { format($0, $1, pc: pc) }
    if let range = mnemonic.firstRange(of: "<c>") {
      mnemonic.replaceSubrange(range, with: Self.conditionNames[instruction["c"] & 15])
    }
    return (operands.isEmpty ? mnemonic : pad(mnemonic) + operands, length)
  }

  private func pad(_ mnemonic: String) -> String {
    mnemonic + String(repeating: " ", count: max(1, 8 - mnemonic.utf8.count))
  }

  static let conditionNames = [
    "eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "", "",
  ]
  static let registerNames = (0..<13).map { "r\($0)" } + ["sp", "lr", "pc"]

  /// An operand by its letter: `a d n m t u` registers, `l` a list of them, other small letters the field as a number.
  /// `P` is the PC, `A` the address a literal is at, `B` and `T` where a branch leads, `Z` an amount of shift whose 0
  /// stands for 32, `X` a number in hexadecimal, `M` a special register, `O` a barrier's kind, `F` CPS's flags, `W` an
  /// exclamation mark for a base that is not in the list.
  private func format(_ letter: UInt8, _ instruction: Instruction, pc: UInt64) -> String {
    let value = Field(letter: letter | 0x20).map { instruction[$0] } ?? 0
    let next = UInt32(truncatingIfNeeded: pc) &+ 4
    switch UnicodeScalar(letter) {
    case "a", "d", "n", "m", "t", "u": return Self.registerNames[value & 15]
    case "l": return (0..<16).filter { value >> $0 & 1 != 0 }.map { Self.registerNames[$0] }.joined(separator: ", ")
    case "P": return "pc"
    case "A": return "   @ " + hex(next & ~3 &+ UInt32(truncatingIfNeeded: instruction.i))
    case "B": return hex(next &+ UInt32(truncatingIfNeeded: instruction.j))
    case "T": return hex(next &+ instruction.longOffset)
    case "Z": return String(instruction.i == 0 ? 32 : instruction.i)
    case "X": return hex(instruction.i)
    case "M": return SpecialRegister.name(instruction.i)
    case "O": return value == 15 ? "sy" : String(value)
    case "F": return (instruction["e"] != 0 ? "i" : "") + (instruction["f"] != 0 ? "f" : "")
    case "W": return instruction.list >> instruction.n & 1 != 0 ? "" : "!"
    default: return String(value)
    }
  }
}
