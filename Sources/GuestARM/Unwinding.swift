// Owns what Thumb code does to stack frames (Procedure Call Standard for the Arm Architecture), and the frames of
// exceptions (ARMv7-M manual, B1.5.6 to B1.5.8).

import GuestKit
import IR

extension ARMGuest: Unwinding {
  public var linkRegister: Int { ARMRegisters.lr }
  /// r4 to r11, and the number of the exception in xPSR.
  public var preservedRegisters: [Int] { Array(4...11) + [ARMRegisters.xpsr] }
  /// r7, or r11 where it is asked for, points to the caller's; the return address follows.
  public var framePointers: [FramePointer] {
    [7, 11].map { FramePointer(register: $0, saved: 0, returnAddress: 4, callersStack: 8) }
  }

  public func frameInstruction(_ bytes: [UInt8], pc: UInt64) -> FrameInstruction? {
    guard bytes.count >= 2 else { return nil }
    var encoding = UInt32(bytes[0]) | UInt32(bytes[1]) << 8
    let length = encoding >= 0xE800 ? 4 : 2
    guard bytes.count >= length else { return nil }
    if length == 4 { encoding = encoding << 16 | UInt32(bytes[2]) | UInt32(bytes[3]) << 8 }
    guard let instruction = decoder.decode(encoding, length: length) else { return nil }
    var result = FrameInstruction(length: length)
    let row = decoder.rows[instruction.row]
    if let flow = flow(row.name, instruction, pc: UInt32(truncatingIfNeeded: pc)) {
      result.flow = flow
      return result
    }
    result.effects = effects(row.name, instruction, operands: row.operands, pc: UInt32(truncatingIfNeeded: pc))
    let changesPC = result.effects.contains { effect in
      switch effect {
      case .load(ARMRegisters.pc, _, _), .set(ARMRegisters.pc, _, _): true
      default: false
      }
    }
    if changesPC { result.flow = .returns(ARMRegisters.pc) }
    return result
  }

  private func flow(_ name: String, _ instruction: Instruction, pc: UInt32) -> FrameFlow? {
    let next = pc &+ 4
    switch name {
    case "b": return .jump(UInt64(next &+ UInt32(truncatingIfNeeded: instruction.j)))
    case "b.w": return .jump(UInt64(next &+ instruction.longOffset))
    case "b<c>", "b<c>.w": return .branch(UInt64(next &+ UInt32(truncatingIfNeeded: instruction.j)))
    case "cbz", "cbnz": return .branch(UInt64(next &+ UInt32(truncatingIfNeeded: instruction.i)))
    case "bl", "blx": return .call
    case "bx": return .returns(instruction.m)
    case "tbb", "tbh", "udf", "udf.w": return .unknown
    case "it<x>": return .conditional(4 - (instruction["e"] & 15).trailingZeroBitCount)
    default: return nil
    }
  }

  private func effects(_ name: String, _ instruction: Instruction, operands: String, pc: UInt32) -> [FrameEffect] {
    let (d, n, m, t, sp) = (instruction.d, instruction.n, instruction.m, instruction.t, ARMRegisters.sp)
    switch name {
    case "push": return stores(instruction.list, base: sp, from: -4 * instruction.list.nonzeroBitCount, moves: true)
    case "pop": return loads(instruction.list, base: sp, from: 0, moves: true)
    case "stmdb":
      return stores(
        instruction.list, base: n, from: -4 * instruction.list.nonzeroBitCount, moves: instruction["w"] != 0)
    case "ldm.w", "ldm":
      let moves = name == "ldm" ? instruction.list >> n & 1 == 0 : instruction["w"] != 0
      return loads(instruction.list, base: n, from: 0, moves: moves)
    case "add", "sub":
      if operands.contains("m") { return [.sum(d, left: n, right: m, isDifference: false)] }
      return [.set(d, base: n, offset: name == "add" ? instruction.i : -instruction.i)]
    case "adds", "subs":
      if operands.contains("m") { return [.sum(d, left: n, right: m, isDifference: name == "subs")] }
      return [.set(d, base: n, offset: name == "adds" ? instruction.i : -instruction.i)]
    case "addw": return [.set(d, base: n, offset: instruction.i)]
    case "subw": return [.set(d, base: n, offset: -instruction.i)]
    case "add<s>.w", "sub<s>.w":
      if operands.contains("m") {
        let isPlain = instruction.i == 0 && instruction["k"] == 0
        return isPlain ? [.sum(d, left: n, right: m, isDifference: name == "sub<s>.w")] : [.forget(d)]
      }
      let value = Int(ModifiedImmediate(instruction.i).value)
      return [.set(d, base: n, offset: name == "add<s>.w" ? value : -value)]
    case "mov": return [.set(d, base: m, offset: 0)]
    case "movs" where operands.contains("m"): return [.set(d, base: m, offset: 0)]
    case "movs", "movw": return [.set(d, base: nil, offset: instruction.i)]
    case "mov<s>.w":
      if operands.contains("m") { return [.set(d, base: m, offset: 0)] }
      return [.set(d, base: nil, offset: Int(ModifiedImmediate(instruction.i).value))]
    case "str" where !operands.contains("m"): return [.store(t, base: n, offset: instruction.i)]
    case "ldr" where operands.contains("P"):
      return [.load(t, base: nil, offset: Int((pc &+ 4) & ~3) + instruction.i)]
    case "ldr" where !operands.contains("m"): return [.load(t, base: n, offset: instruction.i)]
    case "ldr.literal":
      return [
        .load(t, base: nil, offset: Int((pc &+ 4) & ~3) + (instruction["u"] != 0 ? instruction.i : -instruction.i))
      ]
    case "str.w" where operands.contains("Q"):
      return indexed(instruction) { .store(t, base: n, offset: $0) }
    case "ldr.w" where operands.contains("Q"):
      return indexed(instruction) { .load(t, base: n, offset: $0) }
    case "strd":
      return indexed(instruction) {
        .store(t, base: n, offset: $0)
      } second: {
        .store(instruction["h"], base: n, offset: $0 + 4)
      }
    case "ldrd":
      return indexed(instruction) {
        .load(t, base: n, offset: $0)
      } second: {
        .load(instruction["h"], base: n, offset: $0 + 4)
      }
    case let name where name.hasPrefix("vstmdb") || name.hasPrefix("vldmia"):
      // `i` words are moved.
      guard instruction["w"] != 0 else { return [] }
      return [.set(n, base: n, offset: (name.hasPrefix("vstmdb") ? -4 : 4) * instruction.i)]
    case "mrs": return [.forget(d)]
    default:
      var forgotten: [Int] = []
      if operands.hasPrefix("d") { forgotten.append(d) }
      if operands.hasPrefix("d, h") { forgotten.append(instruction["h"]) }
      if operands.hasPrefix("t"), !name.hasPrefix("str") { forgotten.append(t) }
      if operands.contains("Q"), instruction["w"] != 0 { forgotten.append(n) }
      return forgotten.map { .forget($0) }
    }
  }

  /// An access whose base perhaps moves, before or behind it.
  private func indexed(
    _ instruction: Instruction, _ access: (Int) -> FrameEffect, second: ((Int) -> FrameEffect)? = nil
  ) -> [FrameEffect] {
    let offset = instruction["u"] != 0 ? instruction.i : -instruction.i
    let place = instruction["p"] != 0 ? offset : 0
    let accesses = [access(place)] + (second.map { [$0(place)] } ?? [])
    let moves = instruction["p"] == 0 || instruction["w"] != 0
    // A loaded base is no longer one.
    return accesses + (moves ? [.set(instruction.n, base: instruction.n, offset: offset)] : [])
  }

  private func stores(_ list: Int, base: Int, from: Int, moves: Bool) -> [FrameEffect] {
    let registers = (0..<16).filter { list >> $0 & 1 != 0 }
    return registers.enumerated().map { .store($1, base: base, offset: from + 4 * $0) }
      + (moves ? [.set(base, base: base, offset: from)] : [])
  }

  private func loads(_ list: Int, base: Int, from: Int, moves: Bool) -> [FrameEffect] {
    let registers = (0..<16).filter { list >> $0 & 1 != 0 }
    // The base is loaded last, so that the other loads find it.
    let ordered = registers.enumerated().sorted { ($0.element == base ? 1 : 0) < ($1.element == base ? 1 : 0) }
    return ordered.map { .load($0.element, base: base, offset: from + 4 * $0.offset) }
      + (moves ? [.set(base, base: base, offset: from + 4 * registers.count)] : [])
  }

  // MARK: Exceptions

  public func interrupted(
    returningTo target: UInt64, _ registers: RegisterValues, memory: any StackMemory
  ) -> InterruptedContext? {
    let value = ExceptionReturn(rawValue: UInt32(truncatingIfNeeded: target) | 1)
    guard value.isValid(model.features), let main = registers[ARMRegisters.sp] else { return nil }
    guard let frame = value.onProcessStack ? registers[Slot.psp.register] : main else { return nil }
    var words: [UInt64] = []
    for index in UInt64(0)..<8 {
      guard let word = memory.value(at: (frame &+ 4 * index) & 0xFFFF_FFFF, size: 4) else { return nil }
      words.append(word)
    }
    var result = registers
    for (index, register) in [0, 1, 2, 3, 12, ARMRegisters.lr].enumerated() { result[register] = words[index] }
    result[ARMRegisters.pc] = words[6] & ~1
    let number = registers[ARMRegisters.xpsr].map { Int($0 & 0x1FF) } ?? 0
    result[ARMRegisters.xpsr] = words[7]
    let size: UInt64 = value.hasFloat ? 0x20 + UInt64(Core.floatFrameSize) : 0x20
    let end = (frame &+ size | (words[7] >> 9 & 1) << 2) & 0xFFFF_FFFF
    result[ARMRegisters.sp] = end
    result[Slot.msp.register] = value.onProcessStack ? main : end
    if value.onProcessStack { result[Slot.psp.register] = end }
    return InterruptedContext(registers: result, exception: number == 0 ? "exception" : GuestARM.exceptionName(number))
  }
}
