// Owns the RISC-V program that the monitor is tried on.

/// A program that adds in a loop, calls a function, and spins.
package enum LoopProgram {
  package static let base: UInt64 = 0x8000_0000
  package static let words: [UInt32] = [
    0x0001_0117,  // _start: auipc sp, 0x10
    0x0050_0513,  //         li a0, 5
    0x0036_8693,  // loop:   addi a3, a3, 3
    0x00d1_3023,  //         sd a3, 0(sp)
    0xfff5_0513,  //         addi a0, a0, -1
    0xfe05_1ae3,  //         bnez a0, loop
    0x0010_07b7,  // done:   lui a5, 0x100
    0x0000_52b7,  //         lui t0, 5
    0x5552_8293,  //         addi t0, t0, 0x555
    0x00c0_00ef,  //         jal twice
    0x0051_2423,  //         sw t0, 8(sp)
    0x0000_006f,  // spin:   j spin
    0x00d6_86b3,  // twice:  add a3, a3, a3
    0x0000_8067,  //         ret
  ]
  package static let symbols: [(name: String, offset: UInt64, size: UInt64)] = [
    ("_start", 0, 8), ("loop", 8, 16), ("done", 24, 20), ("spin", 44, 4), ("twice", 48, 8),
  ]

  /// An ELF file (64 bits, RISC-V) of the program with its symbols.
  package static var elf: [UInt8] {
    func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }
    let code = words.flatMap { bytes(UInt64($0), 4) }
    var names: [UInt8] = [0]
    var table = [UInt8](repeating: 0, count: 24)
    for symbol in symbols {
      table += bytes(UInt64(names.count), 4) + [0x12, 0] + bytes(1, 2)
      table += bytes(base + symbol.offset, 8) + bytes(symbol.size, 8)
      names += Array(symbol.name.utf8) + [0]
    }
    let codeOffset = UInt64(64 + 56)
    let tableOffset = codeOffset + UInt64(code.count)
    let namesOffset = tableOffset + UInt64(table.count)
    let sections = namesOffset + UInt64(names.count)
    var file: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
    file += bytes(2, 2) + bytes(243, 2) + bytes(1, 4) + bytes(base, 8) + bytes(64, 8) + bytes(sections, 8) + bytes(0, 4)
    file += bytes(64, 2) + bytes(56, 2) + bytes(1, 2) + bytes(64, 2) + bytes(3, 2) + bytes(0, 2)
    file += bytes(1, 4) + bytes(5, 4) + bytes(codeOffset, 8) + bytes(base, 8) + bytes(base, 8)
    file += bytes(UInt64(code.count), 8) + bytes(UInt64(code.count), 8) + bytes(4, 8)
    file += code + table + names
    file += [UInt8](repeating: 0, count: 64)
    file += bytes(0, 4) + bytes(2, 4) + bytes(0, 16) + bytes(tableOffset, 8) + bytes(UInt64(table.count), 8)
    file += bytes(2, 4) + bytes(1, 4) + bytes(8, 8) + bytes(24, 8)
    file += bytes(0, 4) + bytes(3, 4) + bytes(0, 16) + bytes(namesOffset, 8) + bytes(UInt64(names.count), 8)
    file += bytes(0, 8) + bytes(1, 8) + bytes(0, 8)
    return file
  }
}
