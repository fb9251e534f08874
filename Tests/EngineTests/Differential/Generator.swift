// Owns the drawing of random cases from the rows of the decode table.

import GuestKit
import GuestRISCV
import TestSupport
import Testing

/// The extensions that are tested, by the names of their row groups.
enum TestedExtension: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case i = "I"
  case m = "M"
  case a = "A"
  case f = "F"
  case d = "D"
  case c = "C"
  case zba = "Zba"
  case zbb = "Zbb"
  case zbs = "Zbs"
  case zicond = "Zicond"
  case zicsr = "Zicsr"

  var testDescription: String { rawValue }

  var groups: [String] { self == .c ? ["C", "Zcf", "Zcd"] : [rawValue] }
  /// Rows left out where QEMU's user-mode emulation is compared: 7.2 counts the zeros of all 64 bits for `ctzw`, which
  /// works on the lower 32 (unprivileged manual, "Zbb", ctzw).
  static let notEmulated = ["ctzw", "c.ebreak"]
  /// Rows mixed in, so that operands are more than what the case starts from.
  var companions: [String] { self == .zicsr ? ["F", "D", "I"] : ["I"] }
}

/// Draws cases for one extension. Equal seeds give equal cases.
struct CaseGenerator {
  static let length = 32

  /// What a case may contain that differs, or may differ, between Martlet and a user-mode emulator: counters, CSRs of
  /// privileged modes, accesses outside the scratch memory, store-conditionals of another size than the reservation.
  let machineOnly: Bool
  private let tested: [InstructionForm]
  private let companions: [InstructionForm]
  private let xlen: Int
  private let hasAtomics: Bool
  /// Dynamic rounding is rare, because random values of `frm` make it illegal.
  private let changesRounding: Bool
  private var random: SplitMix

  init(_ guest: RISCVGuest, _ tested: TestedExtension, seed: UInt64, machineOnly: Bool) {
    let table = guest.decoder
    func forms(_ groups: [String]) -> [InstructionForm] {
      groups.flatMap { table.rows(of: $0) }.map { InstructionForm(table.rows[$0], table.patterns[$0]) }
    }
    self.tested = forms(tested.groups).filter {
      machineOnly || !TestedExtension.notEmulated.contains($0.name)
    }
    companions = forms(tested.companions).filter { $0.kind == .plain }
    xlen = guest.xlen
    hasAtomics = tested == .a
    changesRounding = tested == .zicsr
    self.machineOnly = machineOnly
    let salt = tested.rawValue.utf8.reduce(UInt64(guest.xlen)) { $0 &* 31 &+ UInt64($1) }
    random = SplitMix(seed: seed ^ salt << 32 ^ (machineOnly ? 1 << 63 : 0))
  }

  mutating func next() -> RandomCase {
    var result = RandomCase(instructions: [], x: [], f: [], fcsr: 0, floatState: 3, reserved: 1)
    while pointerRegisters.contains(result.reserved) || result.reserved == 1 { result.reserved = 3 + random.below(29) }
    let mask: UInt64 = xlen == 32 ? 0xFFFF_FFFF : .max
    result.x = (0..<32).map { _ in HardValues.integer(using: &random) & mask }
    result.x[0] = 0
    result.x[result.reserved] = Place.output
    for pointer in pointerRegisters { result.x[pointer] = self.pointer() }
    result.f = (0..<32).map { _ in HardValues.float(using: &random) }
    let mode = random.once(in: 40) ? 5 + random.below(3) : random.below(5)
    result.fcsr = UInt64(mode << 5 | (random.once(in: 2) ? 0 : random.below(32)))
    result.floatState = !machineOnly ? 3 : random.once(in: 40) ? 0 : [3, 3, 3, 1, 2][random.below(5)]
    let aligned = pointerRegisters.filter { result.x[$0] & 7 == 0 }
    var draft = Draft(intact: pointerRegisters, aligned: aligned, reserved: result.reserved)
    while result.instructions.count < Self.length {
      let pool = random.once(in: 4) ? companions : tested
      if let instruction = instruction(pool[random.below(pool.count)], &draft) {
        result.instructions.append(instruction)
      }
    }
    return result
  }

  /// Mostly aligned where accesses must be.
  private mutating func pointer() -> UInt64 {
    let offset = random.below(256)
    return Place.pointer + UInt64(hasAtomics && !random.once(in: 32) ? offset & ~7 : offset)
  }

  /// What is known of a case while it grows.
  private struct Draft {
    /// Pointer registers that still are pointers.
    var intact: [Int]
    /// Those that start as multiples of 8.
    let aligned: [Int]
    var reserved: Int
    /// The size bit of the last load-reserved.
    var reservation: UInt32?
  }

  /// A random instruction of this form; nil if none fits here.
  private mutating func instruction(_ form: InstructionForm, _ draft: inout Draft) -> CaseInstruction? {
    var bits = form.pattern.randomEncoding(using: &random)
    // A store-conditional that fails need not look at its address.
    let isWild = machineOnly && !form.name.hasPrefix("sc.") && random.once(in: 100)
    if form.kind == .memory, !isWild {
      guard let placed = onScratch(form, bits, draft) else { return nil }
      bits = placed
    }
    if form.has("m") {
      let mode = random.once(in: 400) ? 5 + random.below(2) : [0, 1, 2, 3, 4][random.below(5)]
      let isDynamic = random.once(in: changesRounding ? 8 : 2)
      bits = form.setting("m", to: isDynamic ? 7 : mode, in: bits) ?? bits
    }
    if form.has("c") {
      let number = csr()
      // Counters cannot be written: those that are not merely read are illegal.
      let isCounter = number >= 0xC00 && number < 0xCA0
      let reads = isCounter && !random.once(in: 30)
      if reads, form.name.hasPrefix("csrrw") { return nil }
      if reads { bits = form.setting(form.has("s") ? "s" : "i", to: 0, in: bits) ?? bits }
      bits = form.setting("c", to: number, in: bits) ?? bits
    }
    if form.name.hasPrefix("lr.") { draft.reservation = bits & 0x7000 }
    if form.name.hasPrefix("sc."), !machineOnly, draft.reservation != bits & 0x7000 { return nil }
    guard let placed = destination(form, bits, &draft) else { return nil }
    bits = placed
    guard form.kind == .indirectJump else { return CaseInstruction(form: form, bits: bits, span: 1 + random.below(4)) }
    let free = (1..<32).filter { !pointerRegisters.contains($0) && $0 != draft.reserved }
    guard let jump = form.choosing("s", from: free, in: bits, using: &random) else { return nil }
    return CaseInstruction(form: form, bits: form.setting("i", to: 0, in: jump) ?? jump, span: 1 + random.below(4))
  }

  private mutating func onScratch(_ form: InstructionForm, _ bits: UInt32, _ draft: Draft) -> UInt32? {
    var bits = bits
    if form.has("i") {
      let places = (0..<8).map { _ in
        Place.displacements.lowerBound + random.below(Place.displacements.count)
      }
      // Forms without negative or odd displacements take one of their own.
      if let chosen = form.choosing("i", from: places, in: bits, using: &random) { bits = chosen }
      guard Place.displacements.contains(form.pattern.extract("i", from: bits)) else { return nil }
    }
    // QEMU 7.2 lets a store-conditional without reservation fail where its misaligned address must raise an exception
    // (unprivileged manual, "Load-Reserved/Store-Conditional Instructions").
    let bases = form.name.hasPrefix("sc.") && !machineOnly ? draft.intact.filter(draft.aligned.contains) : draft.intact
    if form.has("s") { return form.choosing("s", from: bases, in: bits, using: &random) }
    return draft.intact.contains(form.pattern.extract("s", from: bits)) ? bits : nil
  }

  /// Chooses a destination that leaves pointers and the reserved register alone. Floating-point results mostly go to
  /// the upper half, so that the lower keeps the values the case started from.
  private mutating func destination(
    _ form: InstructionForm, _ bits: UInt32, _ draft: inout Draft
  ) -> UInt32? {
    if !form.writesInteger {
      guard form.has("d"), !random.once(in: 4) else { return bits }
      return form.choosing("d", from: Array(16..<32), in: bits, using: &random) ?? bits
    }
    guard form.has("d") else {
      // `c.addi16sp` moves the stack pointer away.
      if form.pattern.extract("d", from: bits) == 2 { draft.intact.removeAll { $0 == 2 } }
      return bits
    }
    let free = (0..<32).filter { !pointerRegisters.contains($0) && $0 != draft.reserved }
    return form.choosing("d", from: free, in: bits, using: &random)
  }

  private mutating func csr() -> Int {
    guard machineOnly else { return 1 + random.below(3) }
    if random.once(in: 500) { return random.below(4096) }
    let counters = [0xC00, 0xC01, 0xC02] + (xlen == 32 ? [0xC80, 0xC81, 0xC82] : [])
    return random.once(in: 5) ? counters[random.below(counters.count)] : 1 + random.below(3)
  }
}
