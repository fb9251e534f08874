// Moves, arithmetic, logic, multiplication and division on general-purpose registers and memory.

/// The eight two-operand operations that share one encoding scheme; the raw value is their number in it.
public enum Arithmetic: UInt8, Sendable, CaseIterable {
  case add, or, adc, sbb, and, sub, xor, cmp
}

/// One-operand operations of opcodes F6 and F7. The last four work on `rdx:rax` (byte: `ax`).
public enum Unary: UInt8, Sendable, CaseIterable {
  case not = 2, neg, mul, imul, div, idiv
}

/// Whether `value` survives sign extension from 8 bits.
@inline(__always)
func fitsInByte(_ value: Int32) -> Bool { value == Int32(Int8(truncatingIfNeeded: value)) }

/// Whether `register` as a byte operand needs a REX prefix, without which its number means `ah`, `ch`, `dh` or `bh`.
@inline(__always)
func isNewByte(_ width: Width, _ register: Register) -> Bool {
  width == .byte && register.rawValue & 0xC == 4
}

extension Assembler {
  /// Selects the byte form of an opcode (even) or its wider form (odd).
  @inline(__always)
  func sized(_ byteForm: UInt8, _ width: Width) -> MachineOpcode {
    MachineOpcode(UInt32(byteForm | (width == .byte ? 0 : 1)))
  }

  /// Bytes an immediate takes in an instruction of `width`: at most 4.
  @inline(__always)
  func immediateSize(_ width: Width) -> Int { width == .byte ? 1 : width == .word ? 2 : 4 }

  @inline(__always)
  mutating func putImmediate(_ value: Int32, _ width: Width) {
    switch width {
    case .byte: put(UInt8(truncatingIfNeeded: value))
    case .word: put16(UInt16(truncatingIfNeeded: value))
    case .dword, .qword: put32(UInt32(bitPattern: value))
    }
  }

  // MARK: Arithmetic and logic

  public mutating func alu(_ op: Arithmetic, _ width: Width, _ destination: Register, _ source: Register) {
    _ = encode(
      sized(op.rawValue << 3, width), width, reg: source.rawValue, rm: destination.rawValue,
      byteRegister: isNewByte(width, source) || isNewByte(width, destination))
  }

  /// The immediate is sign-extended to `width`; the shortest form is chosen.
  public mutating func alu(_ op: Arithmetic, _ width: Width, _ destination: Register, _ immediate: Int32) {
    if width != .byte && fitsInByte(immediate) {
      guard encode(0x83, width, reg: op.rawValue, rm: destination.rawValue) else { return }
      put(UInt8(truncatingIfNeeded: immediate))
    } else if destination == .rax {
      guard begin() else { return }
      putOpcode(sized(op.rawValue << 3 | 4, width), width, rex: 0, forced: false)
      putImmediate(immediate, width)
    } else {
      guard
        encode(
          sized(0x80, width), width, reg: op.rawValue, rm: destination.rawValue,
          byteRegister: isNewByte(width, destination))
      else { return }
      putImmediate(immediate, width)
    }
  }

  public mutating func alu(_ op: Arithmetic, _ width: Width, _ destination: Register, _ source: Memory) {
    _ = encode(
      sized(op.rawValue << 3 | 2, width), width, reg: destination.rawValue, source,
      byteRegister: isNewByte(width, destination))
  }

  public mutating func alu(_ op: Arithmetic, _ width: Width, _ destination: Memory, _ source: Register) {
    _ = encode(
      sized(op.rawValue << 3, width), width, reg: source.rawValue, destination,
      byteRegister: isNewByte(width, source))
  }

  public mutating func alu(_ op: Arithmetic, _ width: Width, _ destination: Memory, _ immediate: Int32) {
    if width != .byte && fitsInByte(immediate) {
      guard encode(0x83, width, reg: op.rawValue, destination, trailing: 1) else { return }
      put(UInt8(truncatingIfNeeded: immediate))
    } else {
      guard encode(sized(0x80, width), width, reg: op.rawValue, destination, trailing: immediateSize(width))
      else { return }
      putImmediate(immediate, width)
    }
  }

  public mutating func test(_ width: Width, _ left: Register, _ right: Register) {
    _ = encode(
      sized(0x84, width), width, reg: right.rawValue, rm: left.rawValue,
      byteRegister: isNewByte(width, left) || isNewByte(width, right))
  }

  public mutating func test(_ width: Width, _ left: Register, _ immediate: Int32) {
    if left == .rax {
      guard begin() else { return }
      putOpcode(sized(0xA8, width), width, rex: 0, forced: false)
    } else {
      guard
        encode(sized(0xF6, width), width, reg: 0, rm: left.rawValue, byteRegister: isNewByte(width, left))
      else { return }
    }
    putImmediate(immediate, width)
  }

  public mutating func test(_ width: Width, _ left: Memory, _ right: Register) {
    _ = encode(sized(0x84, width), width, reg: right.rawValue, left, byteRegister: isNewByte(width, right))
  }

  public mutating func unary(_ op: Unary, _ width: Width, _ operand: Register) {
    _ = encode(
      sized(0xF6, width), width, reg: op.rawValue, rm: operand.rawValue, byteRegister: isNewByte(width, operand))
  }

  public mutating func inc(_ width: Width, _ operand: Memory) {
    _ = encode(sized(0xFE, width), width, reg: 0, operand)
  }

  /// `destination *= source`, low half. `width` is not `byte`.
  public mutating func imul(_ width: Width, _ destination: Register, _ source: Register) {
    _ = encode(0x0FAF, width, reg: destination.rawValue, rm: source.rawValue)
  }

  public mutating func imul(_ width: Width, _ destination: Register, _ source: Memory) {
    _ = encode(0x0FAF, width, reg: destination.rawValue, source)
  }

  /// `destination = source * immediate`, low half. `width` is not `byte`.
  public mutating func imul(_ width: Width, _ destination: Register, _ source: Register, _ immediate: Int32) {
    let short = fitsInByte(immediate)
    guard encode(short ? 0x6B : 0x69, width, reg: destination.rawValue, rm: source.rawValue) else { return }
    putImmediate(immediate, short ? .byte : width)
  }

  /// Fills `rdx` with the sign of `rax` (`cwd`, `cdq`, `cqo`). `width` is not `byte`.
  public mutating func signIntoRDX(_ width: Width) {
    guard begin() else { return }
    putOpcode(0x99, width, rex: 0, forced: false)
  }

  // MARK: Moves

  public mutating func mov(_ width: Width, _ destination: Register, _ source: Register) {
    _ = encode(
      sized(0x88, width), width, reg: source.rawValue, rm: destination.rawValue,
      byteRegister: isNewByte(width, source) || isNewByte(width, destination))
  }

  /// Loads a whole register with a constant by the shortest instruction that leaves the flags alone.
  public mutating func mov(_ destination: Register, _ immediate: Int64) {
    guard begin() else { return }
    let high = destination.rawValue >> 3
    let low = destination.rawValue & 7
    if let value = UInt32(exactly: immediate) {
      putOpcode(MachineOpcode(0xB8 | UInt32(low)), .dword, rex: high, forced: false)
      put32(value)
    } else if let value = Int32(exactly: immediate) {
      guard encode(0xC7, .qword, reg: 0, rm: destination.rawValue) else { return }
      put32(UInt32(bitPattern: value))
    } else {
      putOpcode(MachineOpcode(0xB8 | UInt32(low)), .qword, rex: high, forced: false)
      put64(UInt64(bitPattern: immediate))
    }
  }

  /// Clears a whole register and changes the flags.
  public mutating func zero(_ destination: Register) {
    alu(.xor, .dword, destination, destination)
  }

  /// `byte` and `word` leave the rest of the register as it is; `dword` clears its upper half.
  public mutating func load(_ width: Width, _ destination: Register, _ source: Memory) {
    _ = encode(
      sized(0x8A, width), width, reg: destination.rawValue, source, byteRegister: isNewByte(width, destination))
  }

  public mutating func store(_ width: Width, _ destination: Memory, _ source: Register) {
    _ = encode(sized(0x88, width), width, reg: source.rawValue, destination, byteRegister: isNewByte(width, source))
  }

  /// The immediate is sign-extended to `width`.
  public mutating func store(_ width: Width, _ destination: Memory, _ immediate: Int32) {
    guard encode(sized(0xC6, width), width, reg: 0, destination, trailing: immediateSize(width)) else { return }
    putImmediate(immediate, width)
  }

  /// Zero-extends `source` of width `from` to 64 bits.
  public mutating func movzx(from: Width, _ destination: Register, _ source: Register) {
    switch from {
    case .byte:
      _ = encode(
        0x0FB6, .dword, reg: destination.rawValue, rm: source.rawValue, byteRegister: isNewByte(.byte, source))
    case .word: _ = encode(0x0FB7, .dword, reg: destination.rawValue, rm: source.rawValue)
    case .dword, .qword: mov(from, destination, source)
    }
  }

  public mutating func movzx(from: Width, _ destination: Register, _ source: Memory) {
    switch from {
    case .byte: _ = encode(0x0FB6, .dword, reg: destination.rawValue, source)
    case .word: _ = encode(0x0FB7, .dword, reg: destination.rawValue, source)
    case .dword, .qword: load(from, destination, source)
    }
  }

  /// Sign-extends `source` of width `from` to `to`, which is `dword` or `qword`.
  public mutating func movsx(from: Width, to: Width, _ destination: Register, _ source: Register) {
    switch from {
    case .byte:
      _ = encode(
        0x0FBE, to, reg: destination.rawValue, rm: source.rawValue, byteRegister: isNewByte(.byte, source))
    case .word: _ = encode(0x0FBF, to, reg: destination.rawValue, rm: source.rawValue)
    case .dword where to == .qword: _ = encode(0x63, .qword, reg: destination.rawValue, rm: source.rawValue)
    case .dword, .qword: mov(from, destination, source)
    }
  }

  public mutating func movsx(from: Width, to: Width, _ destination: Register, _ source: Memory) {
    switch from {
    case .byte: _ = encode(0x0FBE, to, reg: destination.rawValue, source)
    case .word: _ = encode(0x0FBF, to, reg: destination.rawValue, source)
    case .dword where to == .qword: _ = encode(0x63, .qword, reg: destination.rawValue, source)
    case .dword, .qword: load(from, destination, source)
    }
  }

  public mutating func lea(_ width: Width, _ destination: Register, _ address: Memory) {
    _ = encode(0x8D, width, reg: destination.rawValue, address)
  }

  /// Reverses the bytes of a `dword` or `qword` register.
  public mutating func bswap(_ width: Width, _ operand: Register) {
    guard begin() else { return }
    putOpcode(MachineOpcode(0x0FC8 | UInt32(operand.rawValue & 7)), width, rex: operand.rawValue >> 3, forced: false)
  }

  /// Loads `word`, `dword` or `qword` in reverse order of bytes (MOVBE); what is above a `word` stays.
  public mutating func loadReversed(_ width: Width, _ destination: Register, _ source: Memory) {
    _ = encode(0x0F38F0, width, reg: destination.rawValue, source)
  }

  /// Stores likewise.
  public mutating func storeReversed(_ width: Width, _ destination: Memory, _ source: Register) {
    _ = encode(0x0F38F1, width, reg: source.rawValue, destination)
  }

  public mutating func push(_ operand: Register) {
    guard begin() else { return }
    putOpcode(MachineOpcode(0x50 | UInt32(operand.rawValue & 7)), .dword, rex: operand.rawValue >> 3, forced: false)
  }

  /// Pushes the immediate sign-extended to 64 bits. Always 5 bytes.
  public mutating func push(_ immediate: Int32) {
    guard begin() else { return }
    put(0x68)
    put32(UInt32(bitPattern: immediate))
  }

  public mutating func pop(_ operand: Register) {
    guard begin() else { return }
    putOpcode(MachineOpcode(0x58 | UInt32(operand.rawValue & 7)), .dword, rex: operand.rawValue >> 3, forced: false)
  }
}
