// Owns what ARMv8-M adds to the instructions of ARMv7-M and ARMv6-M (ARMv8-M manual, C2.4), without the Security
// Extension, and the limits of stack pointers (B3.21).

import GuestKit
import IR

enum V8 {
  static let group = InstructionGroup<Translator>(
    "ARMv8-M: load-acquire, store-release, test target, security",
    [
      .init("lda", "111010001101 nnnn tttt 1111 1010 1111", "t, [n]", lda),
      .init("ldab", "111010001101 nnnn tttt 1111 1000 1111", "t, [n]", ldab),
      .init("ldah", "111010001101 nnnn tttt 1111 1001 1111", "t, [n]", ldah),
      .init("ldaex", "111010001101 nnnn tttt 1111 1110 1111", "t, [n]", ldaex),
      .init("ldaexb", "111010001101 nnnn tttt 1111 1100 1111", "t, [n]", ldaexb),
      .init("ldaexh", "111010001101 nnnn tttt 1111 1101 1111", "t, [n]", ldaexh),
      .init("stl", "111010001100 nnnn tttt 1111 1010 1111", "t, [n]", stl),
      .init("stlb", "111010001100 nnnn tttt 1111 1000 1111", "t, [n]", stlb),
      .init("stlh", "111010001100 nnnn tttt 1111 1001 1111", "t, [n]", stlh),
      .init("stlex", "111010001100 nnnn tttt 1111 1110 dddd", "d, t, [n]", stlex),
      .init("stlexb", "111010001100 nnnn tttt 1111 1100 dddd", "d, t, [n]", stlexb),
      .init("stlexh", "111010001100 nnnn tttt 1111 1101 dddd", "d, t, [n]", stlexh),
      .init("tt", "111010000100 nnnn 1111 dddd 00 ......", "d, n", tt),
      .init("ttt", "111010000100 nnnn 1111 dddd 01 ......", "d, n", ttt),
      // Of the Security Extension, which no model here has: undefined, by name in the log. But SG is a NOP wherever memory
      // is not Secure (C2.4, "SG"), so everywhere.
      .init("tta", "111010000100 nnnn 1111 dddd 10 ......", "d, n", security),
      .init("ttat", "111010000100 nnnn 1111 dddd 11 ......", "d, n", security),
      .init("bxns", "010001110 mmmm 100", "m", security),
      .init("blxns", "010001111 mmmm 100", "m", security),
      .init("sg", "1110100101111111 1110100101111111", "", Thumb.nop),
    ])

  /// What Baseline has of the rows of Mainline.
  static let baseline: [InstructionGroup<Translator>] = [
    part(Thumb.conditional, "cbz", "cbnz"), part(WideData.plain, "movw", "movt"),
    part(WideBranches.group, "b.w", "clrex"), part(WideMultiply.group, "sdiv", "udiv"),
    part(WideMemory.multiple, "ldrex", "ldrexb", "ldrexh", "strex", "strexb", "strexh"),
  ]

  private static func part(_ group: InstructionGroup<Translator>, _ names: String...) -> InstructionGroup<Translator> {
    InstructionGroup(group.name, group.rows.filter { names.contains($0.name) })
  }

  // MARK: Acquire and release

  private static func acquire(_ t: inout Translator, _ i: Instruction, size: Int) {
    t.execute()
    let access = MemoryAccess(size: size, aligned: size > 1, ordering: .acquire)
    t.setR(i.t, t.builder.load(.i32, access, at: t.r(i.n)))
  }
  static func lda(_ t: inout Translator, _ i: Instruction) { acquire(&t, i, size: 4) }
  static func ldab(_ t: inout Translator, _ i: Instruction) { acquire(&t, i, size: 1) }
  static func ldah(_ t: inout Translator, _ i: Instruction) { acquire(&t, i, size: 2) }

  private static func release(_ t: inout Translator, _ i: Instruction, size: Int) {
    t.execute()
    t.builder.store(t.r(i.t), MemoryAccess(size: size, aligned: size > 1, ordering: .release), at: t.r(i.n))
  }
  static func stl(_ t: inout Translator, _ i: Instruction) { release(&t, i, size: 4) }
  static func stlb(_ t: inout Translator, _ i: Instruction) { release(&t, i, size: 1) }
  static func stlh(_ t: inout Translator, _ i: Instruction) { release(&t, i, size: 2) }

  private static func acquireExclusive(_ t: inout Translator, _ i: Instruction, size: Int) {
    t.execute()
    let access = MemoryAccess(size: size, aligned: size > 1, ordering: .acquire)
    t.setR(i.t, t.builder.atomic(.loadReserved, .i32, access, at: t.r(i.n), t.const(0)))
  }
  static func ldaex(_ t: inout Translator, _ i: Instruction) { acquireExclusive(&t, i, size: 4) }
  static func ldaexb(_ t: inout Translator, _ i: Instruction) { acquireExclusive(&t, i, size: 1) }
  static func ldaexh(_ t: inout Translator, _ i: Instruction) { acquireExclusive(&t, i, size: 2) }

  private static func releaseExclusive(_ t: inout Translator, _ i: Instruction, size: Int) {
    t.execute()
    let access = MemoryAccess(size: size, aligned: size > 1, ordering: .release)
    t.setR(i.d, t.builder.atomic(.storeConditional, .i32, access, at: t.r(i.n), t.r(i.t)))
  }
  static func stlex(_ t: inout Translator, _ i: Instruction) { releaseExclusive(&t, i, size: 4) }
  static func stlexb(_ t: inout Translator, _ i: Instruction) { releaseExclusive(&t, i, size: 1) }
  static func stlexh(_ t: inout Translator, _ i: Instruction) { releaseExclusive(&t, i, size: 2) }

  // MARK: Test target

  /// - Parameter asUser: whether user mode's rights are asked for, whatever the mode.
  private static func testTarget(_ t: inout Translator, _ i: Instruction, asUser: Bool) {
    t.setR(i.d, t.builder.call(HelperNumber.testTarget.rawValue, .i32, t.r(i.n), imm: asUser ? 1 : 0))
  }
  static func tt(_ t: inout Translator, _ i: Instruction) { testTarget(&t, i, asUser: false) }
  static func ttt(_ t: inout Translator, _ i: Instruction) { testTarget(&t, i, asUser: true) }

  static func security(_ t: inout Translator, _ i: Instruction) {
    t.execute()
    _ = t.builder.call(HelperNumber.lacksSecurity.rawValue, .i64, imm: Int64(i.bits))
    t.undefined()
  }
}

extension Translator {
  /// Comes before what an instruction does beside giving the stack pointer this value: a UsageFault if it is below its
  /// limit. Nothing where there is no limit.
  mutating func checkStack(_ value: ValueID) {
    guard flags.limitsStack, checkedStack != value else { return }
    execute()
    checkedStack = value
    _ = builder.call(HelperNumber.checkStackLimit.rawValue, .i64, value)
  }
}

// MARK: Helpers

let checkStackLimitHelper: HelperFunction = { state, value, _, _, _ in
  let core = unsafe Core(VCPUState(state))
  guard UInt32(truncatingIfNeeded: value) < core.stackLimit else { return 0 }
  core.cpu.raise(GuestException(cause: Cause(.usageFault, .stackOverflow).rawValue))
  return 0
}

/// TTResp(): MREGION in bits 0 to 7, MRVALID in bit 16, R and RW in bits 18 and 19. User mode sees nothing.
let testTargetHelper: HelperFunction = { state, address, _, _, asUser in
  let core = unsafe Core(VCPUState(state))
  guard core.isPrivileged, let system = core.system else { return 0 }
  let place = UInt32(truncatingIfNeeded: address)
  let (rights, region) = system.lookUp(place, privileged: asUser == 0, core)
  var value: UInt64 = region.map { UInt64($0) | 1 << 16 } ?? 0
  if rights.contains(.read) { value |= 1 << 18 }
  if rights.contains(.write) { value |= 1 << 19 }
  return value
}

let lacksSecurityHelper: HelperFunction = { state, _, _, _, encoding in
  let names: [(mask: UInt64, bits: UInt64, name: String)] = [
    (0xFF87, 0x4704, "bxns"), (0xFF87, 0x4784, "blxns"), (0xFFF0_F0C0, 0xE840_F080, "tta"),
    (0xFFF0_F0C0, 0xE840_F0C0, "ttat"),
  ]
  let name = names.first { encoding & $0.mask == $0.bits }?.name ?? "the instruction"
  let core = unsafe Core(VCPUState(state))
  guard let system = core.system else { return 0 }
  system.unimplemented.once("\(name): the Security Extension is not implemented", system.context)
  return 0
}
