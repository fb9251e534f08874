// Owns the assembly text of RISC-V instructions: GNU syntax with ABI register names and the usual pseudo-instructions.

import GuestKit

extension RISCVGuest {
  /// - Returns: text such as `addi    a0, sp, 16` and the length in bytes. An encoding without a row becomes `.2byte` or
  ///   `.4byte`; fewer bytes than an instruction has become `.byte`.
  public func disassemble(_ bytes: [UInt8], pc: UInt64) -> (text: String, length: Int) {
    guard bytes.count >= 2 else {
      return (".byte   " + bytes.map { "0x" + String($0, radix: 16) }.joined(), bytes.count)
    }
    var encoding = UInt32(bytes[0]) | UInt32(bytes[1]) << 8
    var length = 2
    if encoding & 3 == 3, bytes.count >= 4 {
      encoding |= UInt32(bytes[2]) << 16 | UInt32(bytes[3]) << 24
      length = 4
    }
    guard let instruction = decoder.decode(encoding, length: length) else {
      return (".\(length)byte  0x" + String(encoding, radix: 16), length)
    }
    var (mnemonic, operands) = decoder.text(of: instruction, aliases: aliases) { format($0, $1, pc: pc) }
    mnemonic += ["", ".rl", ".aq", ".aqrl"][instruction["o"] & 3]
    if operands.isEmpty { return (mnemonic, length) }
    let padding = String(repeating: " ", count: max(1, 8 - mnemonic.utf8.count))
    return (mnemonic + padding + operands, length)
  }

  /// An operand by its letter: `d s t r` integer and `D S T R` floating-point registers, `i` the immediate, `U` its
  /// upper 20 bits, `P` the address it leads to from `pc`, `p q` fence sets, `c` a CSR, other letters the field as a
  /// number. `m` is a rounding mode with its comma, left out if dynamic; `M` that of an exact conversion, left out if to
  /// nearest.
  private func format(_ letter: UInt8, _ instruction: Instruction, pc: UInt64) -> String {
    let field = PatternField(letter: letter | 0x20)
    let value = field.map { instruction[$0] } ?? 0
    switch UnicodeScalar(letter) {
    case "d", "s", "t", "r": return Self.integerNames[value & 31]
    case "D", "S", "T", "R": return Self.floatNames[value & 31]
    case "U": return "0x" + String(instruction.i >> 12 & 0xFFFFF, radix: 16)
    case "P":
      let target = pc &+ UInt64(bitPattern: Int64(instruction.i))
      return "0x" + String(xlen == 32 ? target & 0xFFFF_FFFF : target, radix: 16)
    case "p", "q":
      let set = zip("iorw", [8, 4, 2, 1]).filter { value & $0.1 != 0 }.map { String($0.0) }.joined()
      return set.isEmpty ? "0" : set
    case "c": return csrName(value)
    case "m", "M":
      return value == (letter == UInt8(ascii: "m") ? 7 : 0)
        ? "" : ", " + ["rne", "rtz", "rdn", "rup", "rmm", "mode5", "mode6", "dyn"][value & 7]
    default: return String(value)
    }
  }

  /// GDB numbers CSRs from 65 on.
  private func csrName(_ number: Int) -> String {
    registerFile.registers.first { $0.gdbNumber == 65 + number }?.name ?? String(number)
  }

  static let integerNames = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7",
    "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
  ]
  static let floatNames = [
    "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2", "fa3", "fa4", "fa5",
    "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10",
    "ft11",
  ]
}

/// Pseudo-instructions (assembly manual, "Pseudoinstructions"), those with more conditions first.
private let aliases: [InstructionAlias] = [
  .init("nop", of: "addi", "d=0 s=0 i=0", ""),
  .init("li", of: "addi", "s=0", "d, i"),
  .init("mv", of: "addi", "i=0", "d, s"),
  .init("mv", of: "c.mv", "", "d, t"),
  .init("sext.w", of: "addiw", "i=0", "d, s"),
  .init("not", of: "xori", "i=-1", "d, s"),
  .init("neg", of: "sub", "s=0", "d, t"),
  .init("negw", of: "subw", "s=0", "d, t"),
  .init("seqz", of: "sltiu", "i=1", "d, s"),
  .init("snez", of: "sltu", "s=0", "d, t"),
  .init("sltz", of: "slt", "t=0", "d, s"),
  .init("sgtz", of: "slt", "s=0", "d, t"),
  .init("zext.b", of: "andi", "i=255", "d, s"),
  .init("zext.w", of: "add.uw", "t=0", "d, s"),
  .init("beqz", of: "beq", "t=0", "s, P"),
  .init("bnez", of: "bne", "t=0", "s, P"),
  .init("blez", of: "bge", "s=0", "t, P"),
  .init("bgez", of: "bge", "t=0", "s, P"),
  .init("bltz", of: "blt", "t=0", "s, P"),
  .init("bgtz", of: "blt", "s=0", "t, P"),
  .init("j", of: "jal", "d=0", "P"),
  .init("jal", of: "jal", "d=1", "P"),
  .init("ret", of: "jalr", "d=0 s=1 i=0", ""),
  .init("jr", of: "jalr", "d=0 i=0", "s"),
  .init("jr", of: "jalr", "d=0", "i(s)"),
  .init("jalr", of: "jalr", "d=1 i=0", "s"),
  .init("jalr", of: "jalr", "d=1", "i(s)"),
  .init("jalr", of: "jalr", "i=0", "d, s"),
  .init("frcsr", of: "csrrs", "s=0 c=3", "d"),
  .init("frrm", of: "csrrs", "s=0 c=2", "d"),
  .init("frflags", of: "csrrs", "s=0 c=1", "d"),
  .init("fscsr", of: "csrrw", "d=0 c=3", "s"),
  .init("fscsr", of: "csrrw", "c=3", "d, s"),
  .init("fsrm", of: "csrrw", "d=0 c=2", "s"),
  .init("fsrm", of: "csrrw", "c=2", "d, s"),
  .init("fsflags", of: "csrrw", "d=0 c=1", "s"),
  .init("fsflags", of: "csrrw", "c=1", "d, s"),
  .init("fsrmi", of: "csrrwi", "d=0 c=2", "i"),
  .init("fsrmi", of: "csrrwi", "c=2", "d, i"),
  .init("fsflagsi", of: "csrrwi", "d=0 c=1", "i"),
  .init("fsflagsi", of: "csrrwi", "c=1", "d, i"),
  .init("rdcycle", of: "csrrs", "s=0 c=3072", "d"),
  .init("rdtime", of: "csrrs", "s=0 c=3073", "d"),
  .init("rdinstret", of: "csrrs", "s=0 c=3074", "d"),
  .init("csrr", of: "csrrs", "s=0", "d, c"),
  .init("csrw", of: "csrrw", "d=0", "c, s"),
  .init("csrs", of: "csrrs", "d=0", "c, s"),
  .init("csrc", of: "csrrc", "d=0", "c, s"),
  .init("csrwi", of: "csrrwi", "d=0", "c, i"),
  .init("csrsi", of: "csrrsi", "d=0", "c, i"),
  .init("csrci", of: "csrrci", "d=0", "c, i"),
  .init("sfence.vma", of: "sfence.vma", "s=0 t=0", ""),
  .init("sfence.vma", of: "sfence.vma", "t=0", "s"),
  .init("fmv.s", of: "fsgnj.s", "s=t", "D, S"),
  .init("fneg.s", of: "fsgnjn.s", "s=t", "D, S"),
  .init("fabs.s", of: "fsgnjx.s", "s=t", "D, S"),
  .init("fmv.d", of: "fsgnj.d", "s=t", "D, S"),
  .init("fneg.d", of: "fsgnjn.d", "s=t", "D, S"),
  .init("fabs.d", of: "fsgnjx.d", "s=t", "D, S"),
  .init("fence.tso", of: "fence", "m=8 p=3 q=3", ""),
  .init("pause", of: "fence", "m=0 p=1 q=0", ""),
  .init("fence", of: "fence", "p=15 q=15", ""),
]
