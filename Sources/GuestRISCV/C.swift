// Owns the C extension. A row's fields are those of the instruction it expands to, so that instruction's translator
// serves it; immediates, implied registers and the offset of the short register numbers are said in the pattern.

import GuestKit
import IR

enum Compressed {
  static let group = InstructionGroup<Translator>("C", loadsAndStores + control + computational)

  private static let loadsAndStores: [InstructionRow<Translator>] = [
    .init("c.lwsp", "010 i ddddd iiiii 10; i=u5|4:2|7:6 s=2 d!=0", "d, i(s)", BaseInteger.lw, shows: "lw"),
    .init("c.swsp", "110 iiiiii ttttt 10; i=u5:2|7:6 s=2", "t, i(s)", BaseInteger.sw, shows: "sw"),
    .init("c.lw", "010 iii sss ii ddd 00; i=u5:3|2|6 s+8 d+8", "d, i(s)", BaseInteger.lw, shows: "lw"),
    .init("c.sw", "110 iii sss ii ttt 00; i=u5:3|2|6 s+8 t+8", "t, i(s)", BaseInteger.sw, shows: "sw"),
    .init("c.ldsp", "011 i ddddd iiiii 10; i=u5|4:3|8:6 s=2 d!=0", "d, i(s)", BaseInteger.ld, only: 64, shows: "ld"),
    .init("c.sdsp", "111 iiiiii ttttt 10; i=u5:3|8:6 s=2", "t, i(s)", BaseInteger.sd, only: 64, shows: "sd"),
    .init("c.ld", "011 iii sss ii ddd 00; i=u5:3|7:6 s+8 d+8", "d, i(s)", BaseInteger.ld, only: 64, shows: "ld"),
    .init("c.sd", "111 iii sss ii ttt 00; i=u5:3|7:6 s+8 t+8", "t, i(s)", BaseInteger.sd, only: 64, shows: "sd"),
  ]

  private static let control: [InstructionRow<Translator>] = [
    .init("c.j", "101 iiiiiiiiiii 01; i=11|4|9:8|10|6|7|3:1|5 d=0", "d, P", BaseInteger.jal, shows: "jal"),
    .init("c.jal", "001 iiiiiiiiiii 01; i=11|4|9:8|10|6|7|3:1|5 d=1", "d, P", BaseInteger.jal, only: 32, shows: "jal"),
    .init("c.jr", "1000 sssss 00000 10; s!=0 i=0 d=0", "d, i(s)", BaseInteger.jalr, shows: "jalr"),
    .init("c.jalr", "1001 sssss 00000 10; s!=0 i=0 d=1", "d, i(s)", BaseInteger.jalr, shows: "jalr"),
    .init("c.ebreak", "1001 00000 00000 10", "", Privileged.ebreak, shows: "ebreak"),
    .init("c.beqz", "110 iii sss iiiii 01; i=8|4:3|7:6|2:1|5 s+8 t=0", "s, t, P", BaseInteger.beq, shows: "beq"),
    .init("c.bnez", "111 iii sss iiiii 01; i=8|4:3|7:6|2:1|5 s+8 t=0", "s, t, P", BaseInteger.bne, shows: "bne"),
  ]

  private static let computational: [InstructionRow<Translator>] = [
    .init("c.li", "010 i ddddd iiiii 01; s=0", "d, s, i", BaseInteger.addi, shows: "addi"),
    .init("c.lui", "011 i ddddd iiiii 01; i=17|16:12 i!=0 d!=2", "d, U", BaseInteger.lui, shows: "lui"),
    .init("c.addi", "000 i ddddd iiiii 01; s=d", "d, s, i", BaseInteger.addi, shows: "addi"),
    .init("c.addiw", "001 i ddddd iiiii 01; s=d d!=0", "d, s, i", BaseInteger.addiw, only: 64, shows: "addiw"),
    .init("c.addi16sp", "011 i 00010 iiiii 01; i=9|4|6|8:7|5 i!=0 d=2 s=2", "d, s, i", BaseInteger.addi, shows: "addi"),
    .init("c.addi4spn", "000 iiiiiiii ddd 00; i=u5:4|9:6|2|3 i!=0 d+8 s=2", "d, s, i", BaseInteger.addi, shows: "addi"),
    .init("c.slli", "0000 ddddd iiiii 10; i=u4:0 s=d", "d, s, i", BaseInteger.slli, only: 32, shows: "slli"),
    .init("c.srli", "100 0 00 ddd iiiii 01; i=u4:0 d+8 s=d", "d, s, i", BaseInteger.srli, only: 32, shows: "srli"),
    .init("c.srai", "100 0 01 ddd iiiii 01; i=u4:0 d+8 s=d", "d, s, i", BaseInteger.srai, only: 32, shows: "srai"),
    .init("c.slli", "000 i ddddd iiiii 10; i=u5:0 s=d", "d, s, i", BaseInteger.slli, only: 64, shows: "slli"),
    .init("c.srli", "100 i 00 ddd iiiii 01; i=u5:0 d+8 s=d", "d, s, i", BaseInteger.srli, only: 64, shows: "srli"),
    .init("c.srai", "100 i 01 ddd iiiii 01; i=u5:0 d+8 s=d", "d, s, i", BaseInteger.srai, only: 64, shows: "srai"),
    .init("c.andi", "100 i 10 ddd iiiii 01; d+8 s=d", "d, s, i", BaseInteger.andi, shows: "andi"),
    .init("c.mv", "1000 ddddd ttttt 10; t!=0 s=0", "d, s, t", BaseInteger.add, shows: "add"),
    .init("c.add", "1001 ddddd ttttt 10; t!=0 s=d", "d, s, t", BaseInteger.add, shows: "add"),
    .init("c.and", "100011 ddd 11 ttt 01; d+8 t+8 s=d", "d, s, t", BaseInteger.and, shows: "and"),
    .init("c.or", "100011 ddd 10 ttt 01; d+8 t+8 s=d", "d, s, t", BaseInteger.or, shows: "or"),
    .init("c.xor", "100011 ddd 01 ttt 01; d+8 t+8 s=d", "d, s, t", BaseInteger.xor, shows: "xor"),
    .init("c.sub", "100011 ddd 00 ttt 01; d+8 t+8 s=d", "d, s, t", BaseInteger.sub, shows: "sub"),
    .init("c.addw", "100111 ddd 01 ttt 01; d+8 t+8 s=d", "d, s, t", BaseInteger.addw, only: 64, shows: "addw"),
    .init("c.subw", "100111 ddd 00 ttt 01; d+8 t+8 s=d", "d, s, t", BaseInteger.subw, only: 64, shows: "subw"),
  ]

  /// The part of C that comes with F on RV32 (Zcf).
  static let singleGroup = InstructionGroup<Translator>(
    "Zcf",
    [
      .init("c.flwsp", "011 i ddddd iiiii 10; i=u5|4:2|7:6 s=2", "D, i(s)", SingleFloat.flw, shows: "flw"),
      .init("c.fswsp", "111 iiiiii ttttt 10; i=u5:2|7:6 s=2", "T, i(s)", SingleFloat.fsw, shows: "fsw"),
      .init("c.flw", "011 iii sss ii ddd 00; i=u5:3|2|6 s+8 d+8", "D, i(s)", SingleFloat.flw, shows: "flw"),
      .init("c.fsw", "111 iii sss ii ttt 00; i=u5:3|2|6 s+8 t+8", "T, i(s)", SingleFloat.fsw, shows: "fsw"),
    ])

  /// The part of C that comes with D (Zcd).
  static let doubleGroup = InstructionGroup<Translator>(
    "Zcd",
    [
      .init("c.fldsp", "001 i ddddd iiiii 10; i=u5|4:3|8:6 s=2", "D, i(s)", DoubleFloat.fld, shows: "fld"),
      .init("c.fsdsp", "101 iiiiii ttttt 10; i=u5:3|8:6 s=2", "T, i(s)", DoubleFloat.fsd, shows: "fsd"),
      .init("c.fld", "001 iii sss ii ddd 00; i=u5:3|7:6 s+8 d+8", "D, i(s)", DoubleFloat.fld, shows: "fld"),
      .init("c.fsd", "101 iii sss ii ttt 00; i=u5:3|7:6 s+8 t+8", "T, i(s)", DoubleFloat.fsd, shows: "fsd"),
    ])
}
