// Owns the assembly text of Arm instructions: UAL, as GNU objdump writes it outside of IT blocks.

import Bits
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
    var (mnemonic, operands) = decoder.text(of: instruction, aliases: aliases) { format($0, $1, pc: pc) }
    if let range = mnemonic.firstRange(of: "<c>") {
      mnemonic.replaceSubrange(range, with: Self.conditionNames[instruction["c"] & 15])
    }
    if let range = mnemonic.firstRange(of: "<s>") {
      mnemonic.replaceSubrange(range, with: instruction["f"] != 0 ? "s" : "")
    }
    for (mark, text) in [
      ("<p>", (instruction["x"] != 0 ? "t" : "b") + (instruction["y"] != 0 ? "t" : "b")),
      ("<q>", instruction["y"] != 0 ? "x" : ""), ("<r>", instruction["y"] != 0 ? "r" : ""),
      ("<w>", instruction["y"] != 0 ? "t" : "b"),
    ] {
      if let range = mnemonic.firstRange(of: mark) { mnemonic.replaceSubrange(range, with: text) }
    }
    if let range = mnemonic.firstRange(of: "<x>") {
      mnemonic.replaceSubrange(range, with: Self.elses(instruction["c"], instruction["e"]))
    }
    return (operands.isEmpty ? mnemonic : pad(mnemonic) + operands, length)
  }

  private func pad(_ mnemonic: String) -> String {
    mnemonic + String(repeating: " ", count: max(1, 8 - mnemonic.utf8.count))
  }

  static let conditionNames = [
    "eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "", "",
  ]
  static let barrierKinds = [
    2: "oshst", 3: "osh", 6: "nshst", 7: "nsh", 10: "ishst", 11: "ish", 14: "st", 15: "sy",
  ]
  static let registerNames = (0..<13).map { "r\($0)" } + ["sp", "lr", "pc"]

  /// An operand by its letter: `a d n m t u` registers, `l` a list of them, other small letters the field as a number.
  /// `P` is the PC, `A` the address a literal is at, `B` and `T` where a branch leads, `Z` an amount of shift whose 0
  /// stands for 32, `X` a number in hexadecimal, `J` an offset other than 0, `M` a special register, `O` and `N` a barrier's kind, `F` CPS's flags, `W` an
  /// exclamation mark for a base that is not in the list. `I` is an expanded immediate, `H` the shift of a register operand
  /// and `G` that of an index, `Q` a base with a signed offset and its way of writing back, `V` a literal with a signed
  /// offset, `E` a number one less than shown, `K` the width of a field up to bit `e`, `C` a condition, `R` a rotation,
  /// `Y` and `L` addresses forward and to either side, `D` the shift of a table of halfwords.
  private func format(_ letter: UInt8, _ instruction: Instruction, pc: UInt64) -> String {
    let value = PatternField(letter: letter | 0x20).map { instruction[$0] } ?? 0
    let next = UInt32(truncatingIfNeeded: pc) &+ 4
    switch UnicodeScalar(letter) {
    case "a", "d", "h", "n", "m", "t", "u": return Self.registerNames[value & 15]
    case "l": return (0..<16).filter { value >> $0 & 1 != 0 }.map { Self.registerNames[$0] }.joined(separator: ", ")
    case "P": return "pc"
    case "v", "b", "z": return "s\(value)"
    case "g", "q", "r": return "d\(value)"
    case "s": return "s\(instruction["z"] + 1)"
    case "f": return "fpscr"
    case "p": return "APSR_nzcv"
    case "o": return immediateText(instruction)
    case "c": return String(instruction["y"] - value)
    case "j": return (0..<instruction.i).map { "s\(instruction["v"] + $0)" }.joined(separator: ", ")
    case "k": return (0..<instruction.i / 2).map { "d\(instruction["g"] + $0)" }.joined(separator: ", ")
    case "A": return "   @ " + (next & ~3 &+ UInt32(truncatingIfNeeded: instruction.i)).hex0x()
    case "B": return (next &+ UInt32(truncatingIfNeeded: instruction.j)).hex0x()
    case "T": return (next &+ instruction.longOffset).hex0x()
    case "Z": return String(instruction.i == 0 ? 32 : instruction.i)
    case "X": return instruction.i.hex0x()
    case "M": return SpecialRegister.name(instruction.i)
    case "J": return instruction.i == 0 ? "" : ", #\(instruction.i)"
    case "O": return Self.barrierKinds[value & 15] ?? "#\(value)"
    case "N": return instruction["o"] == 15 ? "sy" : "#\(instruction["o"])"
    case "F":
      let flags = (instruction["e"] != 0 ? "i" : "") + (instruction["f"] != 0 ? "f" : "")
      return flags.isEmpty ? "none" : flags
    case "I": return String(ModifiedImmediate(instruction.i).value)
    case "H": return shiftText(instruction["k"], instruction.i)
    case "G": return instruction.i == 0 ? "" : ", lsl #\(instruction.i)"
    case "Q": return indexed(instruction)
    case "V":
      let offset = instruction["u"] != 0 ? instruction.i : -instruction.i
      return "[pc, #\(offset)]   @ " + (next & ~3 &+ UInt32(truncatingIfNeeded: offset)).hex0x()
    case "E": return String(value + 1)
    case "K": return String(instruction["e"] - instruction.i + 1)
    case "R": return instruction.i == 0 ? "" : ", ror #\(instruction.i)"
    case "Y": return (next &+ UInt32(truncatingIfNeeded: instruction.i)).hex0x()
    case "L":
      let offset = UInt32(truncatingIfNeeded: instruction.i)
      return (instruction["u"] != 0 ? next & ~3 &+ offset : next & ~3 &- offset).hex0x()
    case "D": return "lsl #1"
    case "C": return Self.conditionNames[value & 15]
    case "w": return value != 0 ? "!" : ""
    case "W": return instruction.list >> instruction.n & 1 != 0 ? "" : "!"
    default: return String(value)
    }
  }

  /// `, lsl #3` and its like; nothing for no shift.
  private func shiftText(_ kind: Int, _ amount: Int) -> String {
    switch (kind, amount) {
    case (0, 0): ""
    case (3, 0): ", rrx"
    default: ", \(ShiftType.names[kind & 3]) #\(amount == 0 ? 32 : amount)"
    }
  }

  /// The constant that VMOV's 8 bits encode.
  private func immediateText(_ instruction: Instruction) -> String {
    String(Double(bitPattern: UInt64(bitPattern: Int64(FloatData.immediate(instruction["o"], .double)))))
  }

  /// `[r1, #4]`, `[r1, #-4]!` or `[r1], #4`.
  private func indexed(_ instruction: Instruction) -> String {
    let base = Self.registerNames[instruction.n & 15]
    let offset =
      instruction["p"] == 0 || instruction.i != 0 || instruction["w"] != 0
      ? "#" + (instruction["u"] != 0 ? "" : "-") + String(instruction.i) : nil
    if instruction["p"] == 0 { return "[\(base)], \(offset ?? "")" }
    return "[\(base)" + (offset.map { ", " + $0 } ?? "") + "]" + (instruction["w"] != 0 ? "!" : "")
  }

  /// The `t` and `e` of an IT instruction's further conditions.
  private static func elses(_ condition: Int, _ mask: Int) -> String {
    let count = 3 - (mask & 15).trailingZeroBitCount
    return (0..<max(0, count)).map { mask >> (3 - $0) & 1 == condition & 1 ? "t" : "e" }.joined()
  }
}

private let aliases: [InstructionAlias] = [
  .init("vpush", of: "vstmdb.32", "n=13", "{j}"),
  .init("vpush", of: "vstmdb.64", "n=13", "{k}"),
  .init("vpop", of: "vldmia.32", "n=13 w=1", "{j}"),
  .init("vpop", of: "vldmia.64", "n=13 w=1", "{k}"),
  .init("vmrs", of: "vmrs", "t=15", "p, f"),
  .init("push.w", of: "stmdb", "n=13 w=1", "{l}"),
  .init("pop.w", of: "ldm.w", "n=13 w=1", "{l}"),
  .init("add", of: "add", "m=13", "d, m, d"),
  .init("pld", of: "ldrb.index", "t=15", "[n, mG]"),
  .init("pld", of: "ldrb.literal", "t=15", "V"),
  .init("pld", of: "ldrb.w", "t=15", "Q"),
  .init("pli", of: "ldrsb.index", "t=15", "[n, mG]"),
  .init("pli", of: "ldrsb.literal", "t=15", "V"),
  .init("pli", of: "ldrsb.w", "t=15", "Q"),
]
