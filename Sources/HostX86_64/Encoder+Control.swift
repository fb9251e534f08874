// Branches, calls, conditional moves, padding, and instructions on memory shared between threads.

import HostKit

/// Instructions without operands; the raw value is their bytes in order.
public enum Plain: UInt32, Sendable, CaseIterable {
  case ret = 0xC3
  case int3 = 0xCC
  case pushfq = 0x9C
  case popfq = 0x9D
  case lahf = 0x9F
  case sahf = 0x9E
  case clc = 0xF8
  case stc = 0xF9
  case cmc = 0xF5
  case ud2 = 0x0F0B
  case hlt = 0xF4
  case pause = 0xF390
  case mfence = 0x0FAEF0
  case lfence = 0x0FAEE8
  case sfence = 0x0FAEF8
}

/// A forward `jmp` or `jcc` of two bytes whose target is not bound yet.
public struct ShortJump: Sendable {
  /// Offset of the byte behind the jump.
  let end: Int
}

extension Assembler {
  public mutating func plain(_ op: Plain) {
    guard begin() else { return }
    if op.rawValue > 0xFFFF { put(UInt8(truncatingIfNeeded: op.rawValue >> 16)) }
    if op.rawValue > 0xFF { put(UInt8(truncatingIfNeeded: op.rawValue >> 8)) }
    put(UInt8(truncatingIfNeeded: op.rawValue))
  }

  // MARK: Branches inside the code

  /// To a label not bound yet the 6-byte form is used, to a bound one the shortest.
  public mutating func jcc(_ condition: ConditionCode, _ target: Label) {
    guard begin() else { return }
    if putShort(0x70 | condition.rawValue, target) { return }
    put(0x0F)
    put(0x80 | condition.rawValue)
    putDisplacement(to: target, trailing: 0)
  }

  /// To a label not bound yet the 5-byte form is used, to a bound one the shortest.
  public mutating func jmp(_ target: Label) {
    guard begin() else { return }
    if putShort(0xEB, target) { return }
    put(0xE9)
    putDisplacement(to: target, trailing: 0)
  }

  /// Appends `opcode` and an 8-bit distance if `target` is bound and near enough.
  private mutating func putShort(_ opcode: UInt8, _ target: Label) -> Bool {
    guard let offset = offset(of: target), offset - (count + 2) >= -128 else { return false }
    let distance = offset - (count + 2)
    put(opcode)
    put(UInt8(truncatingIfNeeded: distance))
    return true
  }

  /// A conditional jump of at most 127 bytes forward; `land` gives it its target.
  public mutating func shortJcc(_ condition: ConditionCode) -> ShortJump {
    guard begin() else { return ShortJump(end: 0) }
    put(0x70 | condition.rawValue)
    put(0)
    return ShortJump(end: count)
  }

  public mutating func shortJmp() -> ShortJump {
    guard begin() else { return ShortJump(end: 0) }
    put(0xEB)
    put(0)
    return ShortJump(end: count)
  }

  /// Makes `jump` arrive at the next instruction.
  public mutating func land(_ jump: ShortJump) {
    guard failure == .none else { return }
    guard let distance = Int8(exactly: count - jump.end) else {
      failure = .outOfReach
      return
    }
    patch(UInt8(bitPattern: distance), at: jump.end - 1)
  }

  // MARK: Branches to host addresses

  /// Always 6 bytes. Returns the offset of the 4-byte displacement, for later patching.
  @discardableResult
  public mutating func jcc(_ condition: ConditionCode, toAddress target: UInt64) -> Int {
    guard begin() else { return 0 }
    put(0x0F)
    put(0x80 | condition.rawValue)
    putDisplacement(toOffset: Int(truncatingIfNeeded: target &- address), trailing: 0)
    return count - 4
  }

  /// Always 5 bytes. Returns the offset of the 4-byte displacement, for later patching.
  @discardableResult
  public mutating func jmp(toAddress target: UInt64) -> Int {
    guard begin() else { return 0 }
    put(0xE9)
    putDisplacement(toOffset: Int(truncatingIfNeeded: target &- address), trailing: 0)
    return count - 4
  }

  /// Always 5 bytes. Returns the offset of the 4-byte displacement, for later patching.
  @discardableResult
  public mutating func call(toAddress target: UInt64) -> Int {
    guard begin() else { return 0 }
    put(0xE8)
    putDisplacement(toOffset: Int(truncatingIfNeeded: target &- address), trailing: 0)
    return count - 4
  }

  /// Pads with `nop` until a displacement that follows `opcodeBytes` of opcode lies on a 4-byte boundary
  /// of `address`, so that it can be replaced atomically while it runs.
  public mutating func alignDisplacement(after opcodeBytes: Int) {
    nop(-(Int(truncatingIfNeeded: address) + count + opcodeBytes) & 3)
  }

  /// Pads with `nop` to a boundary of `bytes`, a power of two, of the address it will run at.
  public mutating func align(to bytes: Int) {
    nop(-(Int(truncatingIfNeeded: address) + count) & (bytes - 1))
  }

  // MARK: Indirect branches

  public mutating func jmp(_ target: Register) {
    _ = encode(0xFF, .dword, reg: 4, rm: target.rawValue)
  }

  public mutating func jmp(_ target: Memory) {
    _ = encode(0xFF, .dword, reg: 4, target)
  }

  public mutating func call(_ target: Register) {
    _ = encode(0xFF, .dword, reg: 2, rm: target.rawValue)
  }

  // MARK: Conditions as data

  /// Sets the low byte of `destination` to 0 or 1 and leaves the rest.
  public mutating func setcc(_ condition: ConditionCode, _ destination: Register) {
    _ = encode(
      MachineOpcode(0x0F90 | UInt32(condition.rawValue)), .byte, reg: 0, rm: destination.rawValue,
      byteRegister: isNewByte(.byte, destination))
  }

  /// `width` is not `byte`. A `dword` move clears the upper half even when the condition fails.
  public mutating func cmovcc(
    _ condition: ConditionCode, _ width: Width, _ destination: Register, _ source: Register
  ) {
    _ = encode(
      MachineOpcode(0x0F40 | UInt32(condition.rawValue)), width, reg: destination.rawValue, rm: source.rawValue)
  }

  /// The memory is read even when the condition fails.
  public mutating func cmovcc(_ condition: ConditionCode, _ width: Width, _ destination: Register, _ source: Memory) {
    _ = encode(MachineOpcode(0x0F40 | UInt32(condition.rawValue)), width, reg: destination.rawValue, source)
  }

  // MARK: Padding

  /// `length` bytes that do nothing, in as few instructions as possible (SDM vol. 2B, "NOP").
  public mutating func nop(_ length: Int) {
    var rest = length
    while rest > 0, begin() {
      let size = min(rest, 9)
      rest -= size
      if size == 1 {
        put(0x90)
      } else if size == 2 {
        put16(0x9066)
      } else {
        // 0F 1F /0 with a memory operand that is as long as needed.
        let wide = size == 6 || size == 9
        if wide { put(0x66) }
        let body = wide ? size - 1 : size
        put16(0x1F0F)
        switch body {
        case 3: put(0x00)
        case 4: put16(0x0040)
        case 5:
          put(0x44)
          put16(0x0000)
        case 7:
          put(0x80)
          put32(0)
        default:
          put16(0x0084)
          put32(0)
        }
      }
    }
  }

  // MARK: Atomics

  /// `xchg` with memory locks the bus by itself.
  public mutating func xchg(_ width: Width, _ destination: Memory, _ source: Register) {
    _ = encode(sized(0x86, width), width, reg: source.rawValue, destination, byteRegister: isNewByte(width, source))
  }

  /// If `rax` equals `destination`, stores `source` there and sets ZF; else loads it into `rax`. Atomic.
  public mutating func lockCmpxchg(_ width: Width, _ destination: Memory, _ source: Register) {
    guard putLock() else { return }
    _ = encode(
      MachineOpcode(width == .byte ? 0x0FB0 : 0x0FB1), width, reg: source.rawValue, destination,
      byteRegister: isNewByte(width, source))
  }

  /// The same on 16 aligned bytes, `rdx:rax` and `rcx:rbx`.
  public mutating func lockCmpxchg16b(_ destination: Memory) {
    guard putLock() else { return }
    _ = encode(0x0FC7, .qword, reg: 1, destination)
  }

  /// Adds `source` to `destination` and returns the old value in `source`. Atomic.
  public mutating func lockXadd(_ width: Width, _ destination: Memory, _ source: Register) {
    guard putLock() else { return }
    _ = encode(
      MachineOpcode(width == .byte ? 0x0FC0 : 0x0FC1), width, reg: source.rawValue, destination,
      byteRegister: isNewByte(width, source))
  }

  /// An arithmetic operation on memory, atomic. `op` is not `cmp`.
  public mutating func lockAlu(_ op: Arithmetic, _ width: Width, _ destination: Memory, _ source: Register) {
    guard putLock() else { return }
    alu(op, width, destination, source)
  }

  public mutating func lockAlu(_ op: Arithmetic, _ width: Width, _ destination: Memory, _ immediate: Int32) {
    guard putLock() else { return }
    alu(op, width, destination, immediate)
  }

  private mutating func putLock() -> Bool {
    guard begin() else { return false }
    put(0xF0)
    return true
  }
}
