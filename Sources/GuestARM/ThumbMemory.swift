// Owns the 16-bit loads and stores (ARMv7-M manual, A5.2 and A5.2.4) and the address arithmetic beside them.

import GuestKit
import IR

extension Thumb {
  static let memory = InstructionGroup<Translator>("16-bit load and store", single + multiple)

  private static let single: [InstructionRow<Translator>] = [
    .init("ldr", "01001 ttt iiiiiiii; i=9:2", "t, [P, #i]A", ldrLiteral),
    .init("str", "0101000 mmm nnn ttt", "t, [n, m]", strRegister),
    .init("strh", "0101001 mmm nnn ttt", "t, [n, m]", strhRegister),
    .init("strb", "0101010 mmm nnn ttt", "t, [n, m]", strbRegister),
    .init("ldrsb", "0101011 mmm nnn ttt", "t, [n, m]", ldrsbRegister),
    .init("ldr", "0101100 mmm nnn ttt", "t, [n, m]", ldrRegister),
    .init("ldrh", "0101101 mmm nnn ttt", "t, [n, m]", ldrhRegister),
    .init("ldrb", "0101110 mmm nnn ttt", "t, [n, m]", ldrbRegister),
    .init("ldrsh", "0101111 mmm nnn ttt", "t, [n, m]", ldrshRegister),
    .init("str", "01100 iiiii nnn ttt; i=6:2", "t, [nJ]", strImmediate),
    .init("ldr", "01101 iiiii nnn ttt; i=6:2", "t, [nJ]", ldrImmediate),
    .init("strb", "01110 iiiii nnn ttt", "t, [nJ]", strbImmediate),
    .init("ldrb", "01111 iiiii nnn ttt", "t, [nJ]", ldrbImmediate),
    .init("strh", "10000 iiiii nnn ttt; i=5:1", "t, [nJ]", strhImmediate),
    .init("ldrh", "10001 iiiii nnn ttt; i=5:1", "t, [nJ]", ldrhImmediate),
    .init("str", "10010 ttt iiiiiiii; i=9:2 n=13", "t, [nJ]", strImmediate),
    .init("ldr", "10011 ttt iiiiiiii; i=9:2 n=13", "t, [nJ]", ldrImmediate),
    .init("adr", "10100 ddd iiiiiiii; i=9:2", "d, #iA", adr),
    .init("add", "10101 ddd iiiiiiii; i=9:2 n=13", "d, n, #i", addSP),
  ]

  private static let multiple: [InstructionRow<Translator>] = [
    .init("push", "1011010 l llllllll; l=14|7:0", "{l}", push),
    .init("pop", "1011110 l llllllll; l=15|7:0", "{l}", pop),
    .init("stm", "11000 nnn llllllll", "n!, {l}", stm),
    .init("ldm", "11001 nnn llllllll", "nW, {l}", ldm),
  ]
}

/// What a load or store moves.
enum Transfer {
  case word, half, byte, signedHalf, signedByte

  var size: Int { self == .word ? 4 : self == .half || self == .signedHalf ? 2 : 1 }
  var signed: Bool { self == .signedHalf || self == .signedByte }
}

extension Translator {
  /// - Parameter aligned: whether the architecture has the access aligned whatever the configuration.
  func access(_ transfer: Transfer, base: Int, aligned: Bool = false) -> MemoryAccess {
    let strict = aligned || !features.contains(.main) || flags.configuration.contains(.trapsUnaligned)
    // Accesses of words off the stack pointer mostly lie at multiples of 4, but nothing but the pointer is sure to.
    return MemoryAccess(size: transfer.size, signed: transfer.signed, aligned: strict && transfer.size > 1)
  }

  /// Loads into register `number`, which may be the PC.
  mutating func load(
    _ number: Int, _ transfer: Transfer, at base: ValueID, offset: Int = 0, baseRegister: Int = 0,
    space: AccessSpace = .current
  ) {
    execute()
    let access = access(transfer, base: baseRegister).in(space)
    let value = builder.load(.i32, access, at: base, offset: Int64(offset))
    guard number == ARMRegisters.pc else { return setR(number, value) }
    branch(toInterworking: value)
  }

  mutating func store(
    _ number: Int, _ transfer: Transfer, at base: ValueID, offset: Int = 0, baseRegister: Int = 0,
    space: AccessSpace = .current
  ) {
    execute()
    let access = access(transfer, base: baseRegister).in(space)
    builder.store(r(number), access, at: base, offset: Int64(offset))
  }

  /// Stores the registers of a list from `base + offset` upwards.
  ///
  /// - Parameter baseRegister: the register that `base` is the value of.
  mutating func storeMultiple(_ list: Int, at base: ValueID, _ baseRegister: Int, offset: Int) {
    var (offset, rest) = (offset, list.nonzeroBitCount)
    for number in 0..<16 where list >> number & 1 != 0 {
      let access = alignedWord(at: base, baseRegister, offset: offset)
      rest -= 1
      builder.store(r(number), access, at: base, offset: Int64(offset), following: rest)
      offset += 4
    }
  }

  /// Loads the registers of a list; `writeBack`, if given, goes to register `base` unless the list has it. Ends the
  /// block if the list has the PC.
  mutating func loadMultiple(
    _ list: Int, at base: ValueID, _ baseRegister: Int, offset: Int, writeBack: (register: Int, value: ValueID)?
  ) {
    var (offset, rest) = (offset, list.nonzeroBitCount)
    var values: [(Int, ValueID)] = []
    for number in 0..<16 where list >> number & 1 != 0 {
      let access = alignedWord(at: base, baseRegister, offset: offset)
      rest -= 1
      values.append((number, builder.load(.i32, access, at: base, offset: Int64(offset), following: rest)))
      offset += 4
    }
    if let writeBack, list >> writeBack.register & 1 == 0 {
      if writeBack.register == ARMRegisters.sp { checkStack(writeBack.value) }
      if writeBack.register == ARMRegisters.sp {
        setStack(writeBack.value)
      } else {
        setR(writeBack.register, writeBack.value)
      }
    }
    for (number, value) in values where number != ARMRegisters.pc { setR(number, value) }
    if let last = values.last, last.0 == ARMRegisters.pc { branch(toInterworking: last.1, [.isReturn]) }
  }
}

extension MemoryAccess {
  /// The same access with the rights of `space`.
  func `in`(_ space: AccessSpace) -> MemoryAccess {
    MemoryAccess(size: size, signed: signed, bigEndian: bigEndian, aligned: aligned, ordering: ordering, space: space)
  }
}

extension Thumb {
  static func ldrLiteral(_ t: inout Translator, _ i: Instruction) {
    t.load(i.t, .word, at: t.const(t.alignedPC &+ UInt32(i.i)))
  }

  private static func register(_ t: inout Translator, _ i: Instruction, load: Bool, _ transfer: Transfer) {
    t.execute()
    let address = t.builder.binary(.add, t.r(i.n), t.r(i.m))
    if load { t.load(i.t, transfer, at: address) } else { t.store(i.t, transfer, at: address) }
  }
  static func strRegister(_ t: inout Translator, _ i: Instruction) { register(&t, i, load: false, .word) }
  static func strhRegister(_ t: inout Translator, _ i: Instruction) { register(&t, i, load: false, .half) }
  static func strbRegister(_ t: inout Translator, _ i: Instruction) { register(&t, i, load: false, .byte) }
  static func ldrsbRegister(_ t: inout Translator, _ i: Instruction) { register(&t, i, load: true, .signedByte) }
  static func ldrRegister(_ t: inout Translator, _ i: Instruction) { register(&t, i, load: true, .word) }
  static func ldrhRegister(_ t: inout Translator, _ i: Instruction) { register(&t, i, load: true, .half) }
  static func ldrbRegister(_ t: inout Translator, _ i: Instruction) { register(&t, i, load: true, .byte) }
  static func ldrshRegister(_ t: inout Translator, _ i: Instruction) { register(&t, i, load: true, .signedHalf) }

  private static func immediate(_ t: inout Translator, _ i: Instruction, load: Bool, _ transfer: Transfer) {
    t.execute()
    let base = t.r(i.n)
    if load {
      t.load(i.t, transfer, at: base, offset: i.i, baseRegister: i.n)
    } else {
      t.store(i.t, transfer, at: base, offset: i.i, baseRegister: i.n)
    }
  }
  static func strImmediate(_ t: inout Translator, _ i: Instruction) { immediate(&t, i, load: false, .word) }
  static func ldrImmediate(_ t: inout Translator, _ i: Instruction) { immediate(&t, i, load: true, .word) }
  static func strbImmediate(_ t: inout Translator, _ i: Instruction) { immediate(&t, i, load: false, .byte) }
  static func ldrbImmediate(_ t: inout Translator, _ i: Instruction) { immediate(&t, i, load: true, .byte) }
  static func strhImmediate(_ t: inout Translator, _ i: Instruction) { immediate(&t, i, load: false, .half) }
  static func ldrhImmediate(_ t: inout Translator, _ i: Instruction) { immediate(&t, i, load: true, .half) }

  static func adr(_ t: inout Translator, _ i: Instruction) { t.setR(i.d, t.const(t.alignedPC &+ UInt32(i.i))) }
  static func addSP(_ t: inout Translator, _ i: Instruction) { t.setR(i.d, t.binary(.add, t.r(i.n), i.i)) }

  static func push(_ t: inout Translator, _ i: Instruction) {
    t.execute()
    let stack = t.r(ARMRegisters.sp)
    let size = 4 * i.list.nonzeroBitCount
    let top = t.binary(.sub, stack, size)
    t.checkStack(top)
    t.storeMultiple(i.list, at: stack, ARMRegisters.sp, offset: -size)
    t.setStack(top)
  }

  static func pop(_ t: inout Translator, _ i: Instruction) {
    t.execute()
    let stack = t.r(ARMRegisters.sp)
    let top = t.binary(.add, stack, 4 * i.list.nonzeroBitCount)
    t.loadMultiple(i.list, at: stack, ARMRegisters.sp, offset: 0, writeBack: (ARMRegisters.sp, top))
  }

  static func stm(_ t: inout Translator, _ i: Instruction) {
    t.execute()
    let base = t.r(i.n)
    t.storeMultiple(i.list, at: base, i.n, offset: 0)
    t.setR(i.n, t.binary(.add, base, 4 * i.list.nonzeroBitCount))
  }

  static func ldm(_ t: inout Translator, _ i: Instruction) {
    t.execute()
    let base = t.r(i.n)
    let end = t.binary(.add, base, 4 * i.list.nonzeroBitCount)
    t.loadMultiple(i.list, at: base, i.n, offset: 0, writeBack: (i.n, end))
  }
}
