// Shifts, rotates, bit tests and counts, and the BMI extensions.

/// Shifts and rotates by an immediate or `cl`; the raw value is the opcode extension.
public enum Shift: UInt8, Sendable, CaseIterable {
  case rol, ror, rcl, rcr, shl, shr, sar = 7
}

/// `destination = f(source)`: scans and counts. `bsf` and `bsr` leave the destination undefined for 0;
/// `lzcnt` and `tzcnt` execute as `bsr` and `bsf` where the CPU lacks them.
public enum BitCount: UInt32, Sendable, CaseIterable {
  case bsf = 0x0FBC
  case bsr = 0x0FBD
  case tzcnt = 0xF30FBC
  case lzcnt = 0xF30FBD
  case popcnt = 0xF30FB8
}

/// Bit test and modify: the raw value is the opcode extension of the immediate form.
public enum BitTest: UInt8, Sendable, CaseIterable {
  case bt = 4, bts, btr, btc
}

/// BMI operations `destination = f(source, control)` whose source may be memory and whose control is in VEX.vvvv.
/// They change no flags.
public enum ControlledShift: UInt32, Sendable, CaseIterable {
  case shlx = 0x660F38F7
  case shrx = 0xF20F38F7
  case sarx = 0xF30F38F7
}

/// BMI operations that change flags; the operand order differs, see `Assembler.bmi`.
public enum BitField: UInt32, Sendable, CaseIterable {
  case bzhi = 0x0F38F5
  case bextr = 0x0F38F7
}

/// BMI operations `destination = f(first, second)` with `first` in VEX.vvvv.
public enum BitCombination: UInt32, Sendable, CaseIterable {
  /// `~first & second`; sets flags.
  case andn = 0x0F38F2
  /// Scatters the low bits of `first` to the positions set in `second`.
  case pdep = 0xF20F38F5
  /// Gathers the bits of `first` at the positions set in `second`.
  case pext = 0xF30F38F5
  /// `destination:first = rdx * second`, the high half in `destination`. Changes no flags.
  case mulx = 0xF20F38F6
}

/// BMI1 operations on the lowest set bit; the raw value is the opcode extension.
public enum LowestBit: UInt8, Sendable, CaseIterable {
  case blsr = 1, blsmsk, blsi
}

extension Assembler {
  public mutating func shift(_ op: Shift, _ width: Width, _ operand: Register, by count: UInt8) {
    let single = count == 1
    guard
      encode(
        sized(single ? 0xD0 : 0xC0, width), width, reg: op.rawValue, rm: operand.rawValue,
        byteRegister: isNewByte(width, operand))
    else { return }
    if !single { put(count) }
  }

  public mutating func shift(_ op: Shift, _ width: Width, _ operand: Memory, by count: UInt8) {
    guard encode(sized(0xC0, width), width, reg: op.rawValue, operand, trailing: 1) else { return }
    put(count)
  }

  public mutating func shiftByCL(_ op: Shift, _ width: Width, _ operand: Register) {
    _ = encode(
      sized(0xD2, width), width, reg: op.rawValue, rm: operand.rawValue, byteRegister: isNewByte(width, operand))
  }

  public mutating func shiftByCL(_ op: Shift, _ width: Width, _ operand: Memory) {
    _ = encode(sized(0xD2, width), width, reg: op.rawValue, operand)
  }

  /// Shifts `destination` left, filling from the top of `source`. `width` is not `byte`.
  public mutating func shld(_ width: Width, _ destination: Register, _ source: Register, by count: UInt8) {
    guard encode(0x0FA4, width, reg: source.rawValue, rm: destination.rawValue) else { return }
    put(count)
  }

  /// Shifts `destination` right, filling from the bottom of `source`. `width` is not `byte`.
  public mutating func shrd(_ width: Width, _ destination: Register, _ source: Register, by count: UInt8) {
    guard encode(0x0FAC, width, reg: source.rawValue, rm: destination.rawValue) else { return }
    put(count)
  }

  public mutating func count(_ op: BitCount, _ width: Width, _ destination: Register, _ source: Register) {
    _ = encode(MachineOpcode(op.rawValue), width, reg: destination.rawValue, rm: source.rawValue)
  }

  public mutating func count(_ op: BitCount, _ width: Width, _ destination: Register, _ source: Memory) {
    _ = encode(MachineOpcode(op.rawValue), width, reg: destination.rawValue, source)
  }

  /// Copies bit `bit` (modulo the width) of `operand` to the carry flag. `width` is not `byte`.
  public mutating func bit(_ op: BitTest, _ width: Width, _ operand: Register, _ bit: Register) {
    _ = encode(MachineOpcode(0x0F83 | UInt32(op.rawValue) << 3), width, reg: bit.rawValue, rm: operand.rawValue)
  }

  public mutating func bit(_ op: BitTest, _ width: Width, _ operand: Register, _ bit: UInt8) {
    guard encode(0x0FBA, width, reg: op.rawValue, rm: operand.rawValue) else { return }
    put(bit)
  }

  public mutating func bit(_ op: BitTest, _ width: Width, _ operand: Memory, _ bit: UInt8) {
    guard encode(0x0FBA, width, reg: op.rawValue, operand, trailing: 1) else { return }
    put(bit)
  }

  // MARK: BMI (the caller has checked that the CPU has it); `dword` or `qword` only

  /// Shifts `source` by `amount` modulo the width.
  public mutating func shiftX(
    _ op: ControlledShift, _ width: Width, _ destination: Register, _ source: Register, by amount: Register
  ) {
    _ = encodeVEX(
      MachineOpcode(op.rawValue), wide: width == .qword, reg: destination.rawValue, second: amount.rawValue,
      rm: source.rawValue)
  }

  public mutating func shiftX(
    _ op: ControlledShift, _ width: Width, _ destination: Register, _ source: Memory, by amount: Register
  ) {
    _ = encodeVEX(
      MachineOpcode(op.rawValue), wide: width == .qword, reg: destination.rawValue, second: amount.rawValue, source)
  }

  /// Rotates `source` right; changes no flags.
  public mutating func rorx(_ width: Width, _ destination: Register, _ source: Register, by count: UInt8) {
    guard encodeVEX(0xF20F3AF0, wide: width == .qword, reg: destination.rawValue, second: 0, rm: source.rawValue)
    else { return }
    put(count)
  }

  public mutating func rorx(_ width: Width, _ destination: Register, _ source: Memory, by count: UInt8) {
    guard
      encodeVEX(0xF20F3AF0, wide: width == .qword, reg: destination.rawValue, second: 0, source, trailing: 1)
    else { return }
    put(count)
  }

  /// `bzhi` clears the bits of `source` from number `control` up; `bextr` extracts a field described by `control`.
  public mutating func bmi(
    _ op: BitField, _ width: Width, _ destination: Register, _ source: Register, _ control: Register
  ) {
    _ = encodeVEX(
      MachineOpcode(op.rawValue), wide: width == .qword, reg: destination.rawValue, second: control.rawValue,
      rm: source.rawValue)
  }

  public mutating func bmi(
    _ op: BitCombination, _ width: Width, _ destination: Register, _ first: Register, _ second: Register
  ) {
    _ = encodeVEX(
      MachineOpcode(op.rawValue), wide: width == .qword, reg: destination.rawValue, second: first.rawValue,
      rm: second.rawValue)
  }

  public mutating func bmi(
    _ op: BitCombination, _ width: Width, _ destination: Register, _ first: Register, _ second: Memory
  ) {
    _ = encodeVEX(
      MachineOpcode(op.rawValue), wide: width == .qword, reg: destination.rawValue, second: first.rawValue, second)
  }

  public mutating func bmi(_ op: LowestBit, _ width: Width, _ destination: Register, _ source: Register) {
    _ = encodeVEX(
      0x0F38F3, wide: width == .qword, reg: op.rawValue, second: destination.rawValue, rm: source.rawValue)
  }
}
