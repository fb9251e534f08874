// Owns random programs: cases of a few instructions each, which load their registers from a table, and leave them and
// the flags in another. The same image runs in the engine and, as a Linux program, in QEMU's user mode.

import GuestARM
import GuestKit

/// Where things are in a program's memory.
enum Place {
  static let code: UInt32 = 0x10000
  static let inputs: UInt32 = 0x2000_0000
  static let outputs: UInt32 = 0x2010_0000
  static let scratch: UInt32 = 0x2020_0000
  static let scratchSize = 0x1000
  /// Words of a case in either table: flags, then r0–r12 and lr.
  static let record: UInt32 = 64
}

/// A program as the differential tests run it.
protocol DifferentialProgram {
  /// Bytes of a case in the table of outputs.
  static var record: UInt32 { get }
  var code: [UInt8] { get }
  var inputs: [UInt8] { get }
  var listings: [[String]] { get }
  /// The offset of the instructions that end the program.
  var end: Int { get }
  var caseCount: Int { get }
  /// What the words of a record are.
  var names: [String] { get }
  /// Of what the program wrote as a Linux program, that which other CPUs write too.
  func observable(_ written: [UInt8]) -> [UInt8]
  init(_ guest: ARMGuest, cases: Int, seed: UInt64)
}

struct RandomProgram: DifferentialProgram {
  static let record = Place.record
  /// From the start of a record: r8–r12 and flags at 4, r0–r7 and lr at 28.
  let names = ["-"] + (8..<13).map { "r\($0)" } + ["apsr"] + (0..<8).map { "r\($0)" } + ["lr"]

  /// CPSR, word 6, has more than the flags and GE.
  func observable(_ written: [UInt8]) -> [UInt8] {
    var written = written
    for number in 0..<caseCount {
      let flags = number * Int(Place.record) + 24
      (written[flags], written[flags + 1]) = (0, 0)
      written[flags + 2] &= 0x0F
      written[flags + 3] &= 0xF8
    }
    return written
  }

  private(set) var code: [UInt8] = []
  private(set) var inputs: [UInt8] = []
  /// Where each case's own instructions start, as an offset in the code.
  private(set) var starts: [Int] = []
  private(set) var listings: [[String]] = []
  /// The offset of the instructions that end the program.
  private(set) var end = 0
  let caseCount: Int
  private let guest: ARMGuest
  private var random: SplitMix
  private let rows: [Int]
  private let isMain: Bool

  /// Rows that change mode, wait, branch away or use the stack pointer; those that programs use in ways of their own.
  private static let excluded: Set<String> = [
    "bx", "blx", "push", "pop", "cpsie", "cpsid", "bkpt", "wfe", "wfi", "sev", "wfe.w", "wfi.w", "sev.w", "udf", "svc",
    "b", "bl", "b.w", "b<c>.w", "b<c>", "cbz", "cbnz", "it<x>", "msr", "mrs", "udf.w", "tbb", "tbh", "coprocessor",
    "coprocessor2", "strex", "strexb", "strexh", "ldrex", "ldrexb", "ldrexh", "clrex", "ldr.literal", "nop", "nop.w",
    "ldaex", "ldaexb", "ldaexh", "stlex", "stlexb", "stlexh", "tt", "ttt", "tta", "ttat", "bxns", "blxns", "sg",
  ]

  init(_ guest: ARMGuest, cases: Int, seed: UInt64) {
    self.guest = guest
    caseCount = cases
    random = SplitMix(seed)
    isMain = guest.model.features.contains(.main)
    rows = guest.decoder.rows.indices.filter { row in
      let name = guest.decoder.rows[row].name
      if guest.decoder.groups[row].contains("recision") || guest.decoder.groups[row].hasPrefix("Floating") {
        return false
      }
      return !Self.excluded.contains(name) && !name.hasSuffix(".literal")
        && !(name == "ldr" && guest.decoder.rows[row].operands.hasSuffix("A"))
    }
    for number in 0..<cases { addCase(number) }
    end = code.count
    // write(1, outputs, all of it up to the end of the scratch memory), exit(0)
    constant(0, 1)
    constant(1, Place.outputs)
    constant(2, Place.scratch + UInt32(Place.scratchSize) - Place.outputs)
    constant(7, 4)
    emit16(0xDF00)
    constant(0, 0)
    constant(7, 1)
    emit16(0xDF00)
  }

  // MARK: Encoding

  private mutating func emit16(_ bits: UInt32) { code += memory(bits, 2) }
  private mutating func emit32(_ bits: UInt32) { code += memory(bits, 4) }

  /// Any value into a low register, by 16-bit instructions that ARMv6-M has: bytes shifted together.
  private mutating func constant(_ register: UInt32, _ value: UInt32) {
    emit16(0x2000 | register << 8 | value >> 24)
    for shift in [16, 8, 0] as [UInt32] {
      emit16(0x0200 | register << 3 | register)
      emit16(0x3000 | register << 8 | value >> shift & 0xFF)
    }
  }

  private mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }

  private static let hard: [UInt32] = [
    0, 1, 2, 7, 8, 31, 32, 33, 63, 64, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000,
    0x8000_0001, 0xFFFF_FFFF, 0xFFFF_FFFE, 0x5555_5555, 0xAAAA_AAAA,
  ]

  private mutating func value() -> UInt32 {
    switch below(3) {
    case 0: UInt32.random(in: 0...UInt32.max, using: &random)
    case 1: UInt32.random(in: 0...UInt32.max, using: &random) >> UInt32(below(32))
    default: Self.hard[below(Self.hard.count)]
    }
  }

  // MARK: Cases

  private mutating func addCase(_ number: Int) {
    for index in 0..<16 {
      let word = index == 0 ? value() & 0xF800_0000 : value()
      inputs += memory(word & 0xFFFF, 2) + memory(word >> 16, 2)
    }
    constant(0, Place.outputs + UInt32(number + 1) * Place.record)
    emit16(0x4685)  // mov sp, r0
    constant(0, Place.inputs + UInt32(number) * Place.record)
    // High registers through low ones; flags last, since loads leave them alone.
    for (register, offset) in [(8, 36), (9, 40), (10, 44), (11, 48), (12, 52), (14, 56)] as [(UInt32, UInt32)] {
      emit16(0x6800 | offset / 4 << 6 | 0 << 3 | 1)  // ldr r1, [r0, #offset]
      emit16(0x4600 | (register & 8) << 4 | 1 << 3 | register & 7)  // mov high, r1
    }
    emit16(0x6801)  // ldr r1, [r0]
    emit32(0xF381_8800)  // msr apsr_nzcvq, r1
    for register in (1..<8 as Range<UInt32>).reversed() { emit16(0x6800 | (register + 1) << 6 | register) }
    emit16(0x6840)  // ldr r0, [r0, #4]
    starts.append(code.count)
    listings.append([])
    let start = code.count
    for _ in 0..<(3 + below(6)) { addStep() }
    var offset = start
    while offset < code.count {
      let (text, length) = guest.disassemble(Array(code[offset..<min(offset + 4, code.count)]), pc: UInt64(offset))
      listings[number].append(text)
      offset += length
    }
    // push {r0-r7, lr}, then the rest, downwards from the end of the record.
    emit16(0xB5FF)
    for (place, register) in [(0, 8), (1, 9), (2, 10), (3, 11)] as [(UInt32, UInt32)] {
      emit16(0x4600 | 1 << 6 | (register & 7) << 3 | place)
    }
    emit16(0x4664)  // mov r4, r12
    emit32(0xF3EF_8500)  // mrs r5, apsr
    emit16(0xB43F)  // push {r0-r5}
  }

  /// One random instruction with what it needs before it; sometimes an IT block, a short branch or an exclusive pair.
  private mutating func addStep() {
    switch below(isMain ? 10 : 6) {
    case 0:
      let skipped = instruction(inITBlock: false)
      let condition = UInt32(below(14))
      emit16(0xD000 | condition << 8 | UInt32((skipped.count - 2) / 2))
      code += skipped
    case 6, 7:
      let count = 1 + below(4)
      var mask = UInt32(1) << UInt32(4 - count)
      for index in 0..<count - 1 where random.next() & 1 != 0 { mask |= 8 >> UInt32(index) }
      emit16(0xBF00 | UInt32(below(14)) << 4 | mask)
      for _ in 0..<count { code += instruction(inITBlock: true) }
    default: code += instruction(inITBlock: false)
    }
  }

  /// A random instruction. Its base, if it accesses memory, is made to point into the scratch memory first; in an IT
  /// block, where that would need more instructions, there are no memory accesses other than off lr, which is left to be
  /// what it is: so none.
  private mutating func instruction(inITBlock: Bool) -> [UInt8] {
    while true {
      let row = rows[below(rows.count)]
      let name = guest.decoder.rows[row].name
      let pattern = guest.decoder.patterns[row]
      let bits = pattern.randomEncoding(using: &random)
      guard let instruction = guest.decoder.decode(bits, length: pattern.length), instruction.row == row,
        isFair(instruction, name, pattern)
      else { continue }
      let accesses = name.hasPrefix("ld") || name.hasPrefix("st")
      guard accesses else { return memory(bits, pattern.length) }
      guard !inITBlock, let setUp = pointer(instruction, name, pattern) else { continue }
      return setUp + memory(bits, pattern.length)
    }
  }

  /// Instructions that make a memory access go to the scratch memory; nil for one that cannot be made to.
  private mutating func pointer(_ i: Instruction, _ name: String, _ pattern: Pattern) -> [UInt8]? {
    let saved = code
    defer { code = saved }
    code = []
    let base = UInt32(i["n"])
    let index = has(pattern, "m") ? UInt32(i["m"]) : nil
    guard base != 13, index != base, index != 13 else { return nil }
    let multiple = ["stm", "ldm", "strd", "ldrd", "lda", "stl"].contains { name.hasPrefix($0) }
    let step: UInt32 = isMain && !multiple ? 1 : 4
    let offset = UInt32(i["i"])
    let sinks = has(pattern, "p") && i["u"] == 0 ? offset : 0
    let start = Place.scratch + 0x800 + UInt32(below(0x100)) * step
    // Offsets of ARMv6-M may be odd multiples of the size: the base makes up for them.
    let target = has(pattern, "p") && i["p"] == 0 ? start : start &- (offset > 0x300 ? offset : 0) &+ sinks
    let low = base < 8 ? base : 0
    guard base < 8 || isMain, index == nil || index! < 8 || isMain else { return nil }
    set(base, target & (isMain ? ~0 : ~3), spare: low)
    if let index { set(index, UInt32(below(16)) * 4, spare: 0) }
    return code
  }

  /// A constant into any register: by 16-bit instructions, or MOVW and MOVT for high ones.
  private mutating func set(_ register: UInt32, _ value: UInt32, spare: UInt32) {
    if register < 8 { return constant(register, value) }
    for (opcode, half) in [(0xF240_0000, value & 0xFFFF), (0xF2C0_0000, value >> 16)] as [(UInt32, UInt32)] {
      let fields = (half >> 12) << 16 | (half >> 11 & 1) << 26 | (half >> 8 & 7) << 12 | half & 0xFF
      emit32(opcode | fields | register << 8)
    }
  }

  private func has(_ pattern: Pattern, _ field: PatternField) -> Bool { !pattern.fields[field.index].isEmpty }

  /// Whether the architecture says what the instruction does, and it keeps to the registers of the case.
  private func isFair(_ i: Instruction, _ name: String, _ pattern: Pattern) -> Bool {
    for field in ["d", "n", "m", "t", "a", "h"] as [PatternField] where has(pattern, field) {
      guard i[field] != 13, i[field] != 15 || !pattern.hasBits(field) else { return false }
    }
    if has(pattern, "h"), i["d"] == i["h"] || has(pattern, "t") && i["t"] == i["h"] { return false }
    let writesBack = has(pattern, "p") && (i["w"] != 0 || i["p"] == 0)
    if writesBack, i["n"] == i["t"] || has(pattern, "h") && i["n"] == i["h"] { return false }
    if has(pattern, "p"), i["p"] == 0, i["w"] == 0 { return false }
    if has(pattern, "l") {
      let list = i["l"]
      let tooFew = pattern.length == 4 ? list.nonzeroBitCount < 2 : list == 0
      if list & 0xA000 != 0 || list >> i["n"] & 1 != 0 || tooFew { return false }
    }
    switch name {
    case "bfi", "bfc": return i["e"] >= i["i"]
    case "rev.w", "rev16.w", "rbit", "revsh.w", "clz": return i["n"] == i["m"]
    case "ssat", "usat": return i["k"] == 0 || i["i"] != 0
    case "sbfx", "ubfx": return i["i"] + i["e"] < 32
    case "cmp": return pattern.length == 4 || i["n"] >= 8 || i["m"] >= 8 || i.bits >> 8 != 0x45
    default: break
    }
    let isModified = pattern.length == 4 && i.bits >> 27 == 0x1E && i.bits >> 25 & 1 == 0 && i.bits >> 15 & 1 == 0
    if isModified, i["i"] >> 10 == 0, i["i"] >> 8 != 0, i["i"] & 0xFF == 0 { return false }
    return true
  }
}

extension Pattern {
  /// Whether a field has bits of its own, not a value that the row gives.
  func hasBits(_ field: PatternField) -> Bool { !fields[field.index].isEmpty && !matchesAlways(field) }
  private func matchesAlways(_ field: PatternField) -> Bool {
    extract(field, from: 0) == extract(field, from: .max)
  }
}
