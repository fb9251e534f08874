// Shifts, rotates, bit tests and counts, and the BMI extensions.

/// Shifts and rotates by an immediate or `cl`; the raw value is the opcode extension.
public enum Shift: UInt8, Sendable, CaseIterable {
  case rol, ror, shl = 4, shr, sar = 7
}

/// `destination = f(source)`. CPUs that lack `lzcnt` and `tzcnt` take them for `bsr` and `bsf`.
public enum BitCount: UInt32, Sendable, CaseIterable {
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

  public mutating func shiftByCL(_ op: Shift, _ width: Width, _ operand: Register) {
    _ = encode(
      sized(0xD2, width), width, reg: op.rawValue, rm: operand.rawValue, byteRegister: isNewByte(width, operand))
  }

  public mutating func count(_ op: BitCount, _ width: Width, _ destination: Register, _ source: Register) {
    _ = encode(MachineOpcode(op.rawValue), width, reg: destination.rawValue, rm: source.rawValue)
  }

  /// Copies bit `bit` (modulo the width) of `operand` to the carry flag, and changes it as `op` says. `width` is not `byte`.
  public mutating func bit(_ op: BitTest, _ width: Width, _ operand: Register, _ bit: UInt8) {
    guard encode(0x0FBA, width, reg: op.rawValue, rm: operand.rawValue) else { return }
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

  /// Rotates `source` right; changes no flags.
  public mutating func rorx(_ width: Width, _ destination: Register, _ source: Register, by count: UInt8) {
    guard encodeVEX(0xF20F3AF0, wide: width == .qword, reg: destination.rawValue, second: 0, rm: source.rawValue)
    else { return }
    put(count)
  }

  /// `~first & second`; sets flags.
  public mutating func andn(_ width: Width, _ destination: Register, _ first: Register, _ second: Register) {
    _ = encodeVEX(
      0x0F38F2, wide: width == .qword, reg: destination.rawValue, second: first.rawValue, rm: second.rawValue)
  }
}
