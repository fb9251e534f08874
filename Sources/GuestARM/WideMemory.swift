// Owns the 32-bit loads and stores (ARMv7-M manual, A5.3.5 to A5.3.10) and branches (A5.3.4).

import GuestKit
import IR

enum WideMemory {
  static let multiple = InstructionGroup<Translator>(
    "32-bit load and store: multiple, dual, exclusive, table branch",
    [
      .init("stm.w", "1110100010 w 0 nnnn llllllllllllllll", "nw, {l}", stm),
      .init("ldm.w", "1110100010 w 1 nnnn llllllllllllllll", "nw, {l}", ldm),
      .init("stmdb", "1110100100 w 0 nnnn llllllllllllllll", "nw, {l}", stmdb),
      .init("ldmdb", "1110100100 w 1 nnnn llllllllllllllll", "nw, {l}", ldmdb),
      .init("strd", "1110100 p u 1 w 0 nnnn tttt hhhh iiiiiiii; i=9:2", "t, h, Q", strd),
      .init("ldrd", "1110100 p u 1 w 1 nnnn tttt hhhh iiiiiiii; i=9:2", "t, h, Q", ldrd),
      .init("strex", "111010000100 nnnn tttt dddd iiiiiiii; i=9:2", "d, t, [n, #i]", strex),
      .init("ldrex", "111010000101 nnnn tttt .... iiiiiiii; i=9:2", "t, [n, #i]", ldrex),
      .init("strexb", "111010001100 nnnn tttt .... 0100 dddd", "d, t, [n]", strexb),
      .init("strexh", "111010001100 nnnn tttt .... 0101 dddd", "d, t, [n]", strexh),
      .init("tbb", "111010001101 nnnn 1111 0000 0000 mmmm", "[n, m]", tbb),
      .init("tbh", "111010001101 nnnn 1111 0000 0001 mmmm", "[n, m, D]", tbh),
      .init("ldrexb", "111010001101 nnnn tttt .... 0100 ....", "t, [n]", ldrexb),
      .init("ldrexh", "111010001101 nnnn tttt .... 0101 ....", "t, [n]", ldrexh),
    ])

  static func stm(_ t: inout Translator, _ i: Instruction) { store(&t, i, descends: false) }
  static func stmdb(_ t: inout Translator, _ i: Instruction) { store(&t, i, descends: true) }
  static func ldm(_ t: inout Translator, _ i: Instruction) { load(&t, i, descends: false) }
  static func ldmdb(_ t: inout Translator, _ i: Instruction) { load(&t, i, descends: true) }

  private static func store(_ t: inout Translator, _ i: Instruction, descends: Bool) {
    t.execute()
    let base = t.r(i.n)
    let size = 4 * i.list.nonzeroBitCount
    let end = t.binary(.add, base, descends ? -size : size)
    if i["w"] != 0, i.n == ARMRegisters.sp { t.checkStack(end) }
    t.storeMultiple(i.list, at: base, i.n, offset: descends ? -size : 0)
    if i["w"] != 0 { t.setBase(i.n, end) }
  }

  private static func load(_ t: inout Translator, _ i: Instruction, descends: Bool) {
    t.execute()
    let base = t.r(i.n)
    let size = 4 * i.list.nonzeroBitCount
    let end = t.binary(.add, base, descends ? -size : size)
    t.loadMultiple(
      i.list, at: base, i.n, offset: descends ? -size : 0, writeBack: i["w"] != 0 ? (i.n, end) : nil)
  }

  // MARK: Dual

  /// The address of an access with a signed offset, and what goes back to the base.
  private static func indexed(_ t: inout Translator, _ i: Instruction) -> (
    base: ValueID, offset: Int, writeBack: ValueID?
  ) {
    let offset = i["u"] != 0 ? i.i : -i.i
    let base = i.n == ARMRegisters.pc ? t.const(t.alignedPC) : t.r(i.n)
    let moved = i["w"] != 0 || i["p"] == 0 ? t.binary(.add, base, offset) : nil
    if let moved, i.n == ARMRegisters.sp { t.checkStack(moved) }
    return (base, i["p"] != 0 ? offset : 0, moved)
  }

  static func strd(_ t: inout Translator, _ i: Instruction) {
    guard i["p"] != 0 || i["w"] != 0 else { return t.undefined() }
    t.execute()
    let (base, offset, writeBack) = indexed(&t, i)
    for (number, place, rest) in [(i.t, offset, 1), (i["h"], offset + 4, 0)] {
      let access = t.alignedWord(at: base, i.n, offset: place)
      t.builder.store(t.r(number), access, at: base, offset: Int64(place), following: rest)
    }
    if let writeBack { t.setR(i.n, writeBack) }
  }

  static func ldrd(_ t: inout Translator, _ i: Instruction) {
    guard i["p"] != 0 || i["w"] != 0 else { return t.undefined() }
    t.execute()
    let (base, offset, writeBack) = indexed(&t, i)
    let access = (
      t.alignedWord(at: base, i.n, offset: offset), t.alignedWord(at: base, i.n, offset: offset + 4)
    )
    let low = t.builder.load(.i32, access.0, at: base, offset: Int64(offset), following: 1)
    let high = t.builder.load(.i32, access.1, at: base, offset: Int64(offset + 4))
    if let writeBack { t.setR(i.n, writeBack) }
    t.setR(i.t, low)
    t.setR(i["h"], high)
  }

  // MARK: Exclusive

  private static func loadExclusive(_ t: inout Translator, _ i: Instruction, size: Int) {
    t.execute()
    let address = t.binary(.add, t.r(i.n), i.i)
    let access = MemoryAccess(size: size, aligned: true)
    t.setR(i.t, t.builder.atomic(.loadReserved, .i32, access, at: address, t.const(0)))
  }
  private static func storeExclusive(_ t: inout Translator, _ i: Instruction, size: Int) {
    t.execute()
    let address = t.binary(.add, t.r(i.n), i.i)
    let access = MemoryAccess(size: size, aligned: true)
    t.setR(i.d, t.builder.atomic(.storeConditional, .i32, access, at: address, t.r(i.t)))
  }
  static func ldrex(_ t: inout Translator, _ i: Instruction) { loadExclusive(&t, i, size: 4) }
  static func ldrexb(_ t: inout Translator, _ i: Instruction) { loadExclusive(&t, i, size: 1) }
  static func ldrexh(_ t: inout Translator, _ i: Instruction) { loadExclusive(&t, i, size: 2) }
  static func strex(_ t: inout Translator, _ i: Instruction) { storeExclusive(&t, i, size: 4) }
  static func strexb(_ t: inout Translator, _ i: Instruction) { storeExclusive(&t, i, size: 1) }
  static func strexh(_ t: inout Translator, _ i: Instruction) { storeExclusive(&t, i, size: 2) }

  // MARK: Table branch

  private static func tableBranch(_ t: inout Translator, _ i: Instruction, size: Int) {
    t.execute()
    let index = size == 1 ? t.r(i.m) : t.binary(.shiftLeft, t.r(i.m), 1)
    let address = t.builder.binary(.add, t.r(i.n), index)
    let entry = t.builder.load(.i32, t.access(size == 1 ? .byte : .half, base: i.n), at: address)
    t.branch(toAddress: t.builder.binary(.add, t.const(t.readPC), t.binary(.shiftLeft, entry, 1)))
  }
  static func tbb(_ t: inout Translator, _ i: Instruction) { tableBranch(&t, i, size: 1) }
  static func tbh(_ t: inout Translator, _ i: Instruction) { tableBranch(&t, i, size: 2) }

  // MARK: Single

  static let single = InstructionGroup<Translator>(
    "32-bit load and store: single", stores + loads + literals)

  private static let stores: [InstructionRow<Translator>] = [
    .init("strb.w", "111110001000 nnnn tttt iiiiiiiiiiii; u=1 p=1", "t, Q", strb),
    .init("strb.w", "111110000000 nnnn tttt 1puw iiiiiiii", "t, Q", strb),
    .init("strbt", "111110000000 nnnn tttt 1110 iiiiiiii", "t, [n, #i]", strbt),
    .init("strb.w", "111110000000 nnnn tttt 000000 ii mmmm", "t, [n, mG]", strbIndex),
    .init("strh.w", "111110001010 nnnn tttt iiiiiiiiiiii; u=1 p=1", "t, Q", strh),
    .init("strh.w", "111110000010 nnnn tttt 1puw iiiiiiii", "t, Q", strh),
    .init("strht", "111110000010 nnnn tttt 1110 iiiiiiii", "t, [n, #i]", strht),
    .init("strh.w", "111110000010 nnnn tttt 000000 ii mmmm", "t, [n, mG]", strhIndex),
    .init("str.w", "111110001100 nnnn tttt iiiiiiiiiiii; u=1 p=1", "t, Q", str),
    .init("str.w", "111110000100 nnnn tttt 1puw iiiiiiii", "t, Q", str),
    .init("strt", "111110000100 nnnn tttt 1110 iiiiiiii", "t, [n, #i]", strt),
    .init("str.w", "111110000100 nnnn tttt 000000 ii mmmm", "t, [n, mG]", strIndex),
  ]

  private static let loads: [InstructionRow<Translator>] = [
    .init("ldrb.w", "111110001001 nnnn tttt iiiiiiiiiiii; u=1 p=1 n!=15", "t, Q", ldrb),
    .init("ldrb.w", "111110000001 nnnn tttt 1puw iiiiiiii; n!=15", "t, Q", ldrb),
    .init("ldrbt", "111110000001 nnnn tttt 1110 iiiiiiii; n!=15", "t, [n, #i]", ldrbt),
    .init("ldrb.index", "111110000001 nnnn tttt 000000 ii mmmm; n!=15", "t, [n, mG]", ldrbIndex, shows: "ldrb.w"),
    .init("ldrsb.w", "111110011001 nnnn tttt iiiiiiiiiiii; u=1 p=1 n!=15", "t, Q", ldrsb),
    .init("ldrsb.w", "111110010001 nnnn tttt 1puw iiiiiiii; n!=15", "t, Q", ldrsb),
    .init("ldrsbt", "111110010001 nnnn tttt 1110 iiiiiiii; n!=15", "t, [n, #i]", ldrsbt),
    .init("ldrsb.index", "111110010001 nnnn tttt 000000 ii mmmm; n!=15", "t, [n, mG]", ldrsbIndex, shows: "ldrsb.w"),
    .init("ldrh.w", "111110001011 nnnn tttt iiiiiiiiiiii; u=1 p=1 n!=15", "t, Q", ldrh),
    .init("ldrh.w", "111110000011 nnnn tttt 1puw iiiiiiii; n!=15", "t, Q", ldrh),
    .init("ldrht", "111110000011 nnnn tttt 1110 iiiiiiii; n!=15", "t, [n, #i]", ldrht),
    .init("ldrh.index", "111110000011 nnnn tttt 000000 ii mmmm; n!=15", "t, [n, mG]", ldrhIndex, shows: "ldrh.w"),
    .init("ldrsh.w", "111110011011 nnnn tttt iiiiiiiiiiii; u=1 p=1 n!=15", "t, Q", ldrsh),
    .init("ldrsh.w", "111110010011 nnnn tttt 1puw iiiiiiii; n!=15", "t, Q", ldrsh),
    .init("ldrsht", "111110010011 nnnn tttt 1110 iiiiiiii; n!=15", "t, [n, #i]", ldrsht),
    .init("ldrsh.index", "111110010011 nnnn tttt 000000 ii mmmm; n!=15", "t, [n, mG]", ldrshIndex, shows: "ldrsh.w"),
    .init("ldr.w", "111110001101 nnnn tttt iiiiiiiiiiii; u=1 p=1 n!=15", "t, Q", ldr),
    .init("ldr.w", "111110000101 nnnn tttt 1puw iiiiiiii; n!=15", "t, Q", ldr),
    .init("ldrt", "111110000101 nnnn tttt 1110 iiiiiiii; n!=15", "t, [n, #i]", ldrt),
    .init("ldr.index", "111110000101 nnnn tttt 000000 ii mmmm; n!=15", "t, [n, mG]", ldrIndex, shows: "ldr.w"),
  ]

  private static let literals: [InstructionRow<Translator>] = [
    .init("ldrb.literal", "11111000 u 001 1111 tttt iiiiiiiiiiii; n=15 p=1", "t, V", ldrb, shows: "ldrb.w"),
    .init("ldrh.literal", "11111000 u 011 1111 tttt iiiiiiiiiiii; n=15 p=1", "t, V", ldrh, shows: "ldrh.w"),
    .init("ldr.literal", "11111000 u 101 1111 tttt iiiiiiiiiiii; n=15 p=1", "t, V", ldr, shows: "ldr.w"),
    .init("ldrsb.literal", "11111001 u 001 1111 tttt iiiiiiiiiiii; n=15 p=1", "t, V", ldrsb, shows: "ldrsb.w"),
    .init("ldrsh.literal", "11111001 u 011 1111 tttt iiiiiiiiiiii; n=15 p=1", "t, V", ldrsh, shows: "ldrsh.w"),
  ]

  /// Loads of less than a word to the PC are hints that bring memory into caches.
  private static func isPreload(_ i: Instruction, _ transfer: Transfer) -> Bool {
    i.t == ARMRegisters.pc && transfer != .word
  }

  private static func immediate(
    _ t: inout Translator, _ i: Instruction, load: Bool, _ transfer: Transfer, _ space: AccessSpace = .current
  ) {
    if load, isPreload(i, transfer) { return }
    guard i["p"] != 0 || i["w"] != 0 else { return t.undefined() }
    t.execute()
    let (base, offset, writeBack) = indexed(&t, i)
    guard load else {
      t.store(i.t, transfer, at: base, offset: offset, baseRegister: i.n, space: space)
      if let writeBack { t.setR(i.n, writeBack) }
      return
    }
    let value = t.builder.load(.i32, t.access(transfer, base: i.n).in(space), at: base, offset: Int64(offset))
    if let writeBack, i.n != i.t { t.setR(i.n, writeBack) }
    if i.t == ARMRegisters.pc {
      t.branch(toInterworking: value, i.n == ARMRegisters.sp ? [.isReturn] : [])
    } else {
      t.setR(i.t, value)
    }
  }

  /// LDRT and its like: an offset, and the rights of user mode.
  private static func unprivileged(_ t: inout Translator, _ i: Instruction, load: Bool, _ transfer: Transfer) {
    t.execute()
    if load {
      t.load(i.t, transfer, at: t.r(i.n), offset: i.i, space: .user)
    } else {
      t.store(i.t, transfer, at: t.r(i.n), offset: i.i, space: .user)
    }
  }

  private static func index(_ t: inout Translator, _ i: Instruction, load: Bool, _ transfer: Transfer) {
    if load, isPreload(i, transfer) { return }
    t.execute()
    let index = i.i == 0 ? t.r(i.m) : t.binary(.shiftLeft, t.r(i.m), i.i)
    let address = t.builder.binary(.add, t.r(i.n), index)
    if load { t.load(i.t, transfer, at: address) } else { t.store(i.t, transfer, at: address) }
  }

  static func strb(_ t: inout Translator, _ i: Instruction) { immediate(&t, i, load: false, .byte) }
  static func strbt(_ t: inout Translator, _ i: Instruction) { unprivileged(&t, i, load: false, .byte) }
  static func strbIndex(_ t: inout Translator, _ i: Instruction) { index(&t, i, load: false, .byte) }
  static func strh(_ t: inout Translator, _ i: Instruction) { immediate(&t, i, load: false, .half) }
  static func strht(_ t: inout Translator, _ i: Instruction) { unprivileged(&t, i, load: false, .half) }
  static func strhIndex(_ t: inout Translator, _ i: Instruction) { index(&t, i, load: false, .half) }
  static func str(_ t: inout Translator, _ i: Instruction) { immediate(&t, i, load: false, .word) }
  static func strt(_ t: inout Translator, _ i: Instruction) { unprivileged(&t, i, load: false, .word) }
  static func strIndex(_ t: inout Translator, _ i: Instruction) { index(&t, i, load: false, .word) }
  static func ldrb(_ t: inout Translator, _ i: Instruction) { immediate(&t, i, load: true, .byte) }
  static func ldrbt(_ t: inout Translator, _ i: Instruction) { unprivileged(&t, i, load: true, .byte) }
  static func ldrbIndex(_ t: inout Translator, _ i: Instruction) { index(&t, i, load: true, .byte) }
  static func ldrsb(_ t: inout Translator, _ i: Instruction) { immediate(&t, i, load: true, .signedByte) }
  static func ldrsbt(_ t: inout Translator, _ i: Instruction) { unprivileged(&t, i, load: true, .signedByte) }
  static func ldrsbIndex(_ t: inout Translator, _ i: Instruction) { index(&t, i, load: true, .signedByte) }
  static func ldrh(_ t: inout Translator, _ i: Instruction) { immediate(&t, i, load: true, .half) }
  static func ldrht(_ t: inout Translator, _ i: Instruction) { unprivileged(&t, i, load: true, .half) }
  static func ldrhIndex(_ t: inout Translator, _ i: Instruction) { index(&t, i, load: true, .half) }
  static func ldrsh(_ t: inout Translator, _ i: Instruction) { immediate(&t, i, load: true, .signedHalf) }
  static func ldrsht(_ t: inout Translator, _ i: Instruction) { unprivileged(&t, i, load: true, .signedHalf) }
  static func ldrshIndex(_ t: inout Translator, _ i: Instruction) { index(&t, i, load: true, .signedHalf) }
  static func ldr(_ t: inout Translator, _ i: Instruction) { immediate(&t, i, load: true, .word) }
  static func ldrt(_ t: inout Translator, _ i: Instruction) { unprivileged(&t, i, load: true, .word) }
  static func ldrIndex(_ t: inout Translator, _ i: Instruction) { index(&t, i, load: true, .word) }
}

enum WideBranches {
  static let group = InstructionGroup<Translator>(
    "32-bit branches and control",
    [
      .init(
        "b<c>.w", "11110 j cccc jjjjjj 10 j 0 j jjjjjjjjjjj; j=20|17:12|18|19|11:1 c!=14 c!=15", "B", Thumb.branchIf),
      .init("b.w", "11110 s iiiiiiiiii 10 x 1 y iiiiiiiiiii; i=21:12|11:1", "T", branch),
      .init("nop.w", "111100111010 .... 10.0 .000 hhhhhhhh", "", Thumb.nop),
      .init("wfe.w", "111100111010 .... 10.0 .000 00000010", "", Thumb.wfe),
      .init("wfi.w", "111100111010 .... 10.0 .000 00000011", "", Thumb.wfi),
      .init("sev.w", "111100111010 .... 10.0 .000 00000100", "", Thumb.sev),
      .init("clrex", "111100111011 .... 10.0 .... 0010 ....", "", clearExclusive),
    ])

  static func branch(_ t: inout Translator, _ i: Instruction) {
    t.execute()
    t.branch(to: t.readPC &+ i.longOffset)
  }

  static func clearExclusive(_ t: inout Translator, _ i: Instruction) {
    t.execute()
    _ = t.builder.call(HelperNumber.clearExclusive.rawValue, .i64)
  }
}
