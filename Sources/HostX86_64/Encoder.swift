// The assembler's core: bounds-checked bytes, labels, and the one place where prefixes, REX, VEX, ModRM and SIB are
// formed (Intel SDM vol. 2A, chapter 2). The instructions are in the Encoder+….swift files.

import HostKit

/// Writes x86-64 machine code into memory the caller owns.
///
/// The memory must stay valid until the last call. An instruction that might not fit is left out and `failure` says so,
/// so a caller checks once, at the end of a translation. Nothing is ever written outside the memory.
@safe
public struct Assembler {
  /// Why the code assembled so far is unusable.
  public enum Failure: Sendable {
    case none
    /// Fewer than 16 bytes were left when an instruction was to be written.
    case bufferFull
    /// A branch or `rip`-relative operand is farther from its target than 2 GiB, or 127 bytes for a short jump.
    case outOfReach
  }

  private var bytes: UnsafeMutablePointer<UInt8>
  private var limit: Int
  private var labels: [LabelState] = []

  /// Bytes assembled so far: the offset of the next instruction.
  public private(set) var count = 0
  public internal(set) var failure = Failure.none
  /// The address at which the first byte will run; it may differ from where it is written.
  public private(set) var address: UInt64

  private struct LabelState {
    /// Offset of the labelled instruction, −1 before it is bound.
    var offset: Int32 = -1
    /// The newest unresolved displacement as a link (see `putDisplacement`), 0 for none.
    var pending: UInt32 = 0
  }

  /// - Parameters:
  ///   - memory: where to write; its size is the capacity in bytes.
  ///   - address: where the first byte will be executed.
  public init(_ memory: UnsafeMutableRawBufferPointer, runningAt address: UInt64) {
    let start = unsafe memory.bindMemory(to: UInt8.self)
    precondition(start.count > 0)
    unsafe bytes = start.baseAddress!
    limit = start.count - 16
    self.address = address
  }

  /// Starts again in other memory, forgetting all labels and any failure.
  public mutating func restart(_ memory: UnsafeMutableRawBufferPointer, runningAt address: UInt64) {
    let start = unsafe memory.bindMemory(to: UInt8.self)
    precondition(start.count > 0)
    unsafe bytes = start.baseAddress!
    limit = start.count - 16
    self.address = address
    labels.removeAll(keepingCapacity: true)
    count = 0
    failure = .none
  }

  // MARK: Bytes

  /// Whether an instruction (at most 15 bytes) may be written.
  @inline(__always)
  mutating func begin() -> Bool {
    if count <= limit { return true }
    failure = .bufferFull
    return false
  }

  /// Appends a byte of an instruction for which `begin` returned true.
  @inline(__always)
  mutating func put(_ byte: UInt8) {
    unsafe bytes[count] = byte
    count &+= 1
  }

  @inline(__always)
  mutating func put16(_ value: UInt16) {
    unsafe UnsafeMutableRawPointer(bytes + count).storeBytes(of: value.littleEndian, as: UInt16.self)
    count &+= 2
  }

  @inline(__always)
  mutating func put32(_ value: UInt32) {
    unsafe UnsafeMutableRawPointer(bytes + count).storeBytes(of: value.littleEndian, as: UInt32.self)
    count &+= 4
  }

  @inline(__always)
  mutating func put64(_ value: UInt64) {
    unsafe UnsafeMutableRawPointer(bytes + count).storeBytes(of: value.littleEndian, as: UInt64.self)
    count &+= 8
  }

  /// Overwrites the byte at `offset`, which must have been assembled.
  mutating func patch(_ byte: UInt8, at offset: Int) {
    precondition(offset >= 0 && offset < count)
    unsafe bytes[offset] = byte
  }

  // MARK: Labels

  public mutating func makeLabel() -> Label {
    labels.append(LabelState())
    return Label(index: UInt32(truncatingIfNeeded: labels.count - 1))
  }

  /// Puts `label` before the next instruction and resolves every branch that already names it. Once per label.
  public mutating func bind(_ label: Label) {
    let state = labels[Int(label.index)]
    precondition(state.offset < 0, "a label is bound once")
    labels[Int(label.index)] = LabelState(offset: Int32(truncatingIfNeeded: count))
    var link = state.pending
    while link != 0 {
      let field = Int(link >> 3) - 1
      precondition(field >= 0 && field + 4 <= count)
      let place = unsafe UnsafeMutableRawPointer(bytes + field)
      let next = unsafe UInt32(littleEndian: place.loadUnaligned(as: UInt32.self))
      let distance = Int32(truncatingIfNeeded: count - (field + 4 + Int(link & 7)))
      unsafe place.storeBytes(of: distance.littleEndian, as: Int32.self)
      link = next
    }
  }

  /// The offset `label` was bound at, nil before that.
  public func offset(of label: Label) -> Int? {
    let offset = labels[Int(label.index)].offset
    return offset < 0 ? nil : Int(offset)
  }

  /// Appends the 4-byte distance to `label` from the end of the instruction, `trailing` bytes behind it.
  ///
  /// Until the label is bound, the field holds a link to the label's previous unresolved field:
  /// its offset plus 1, shifted left by 3, and its own trailing byte count.
  mutating func putDisplacement(to label: Label, trailing: Int) {
    let state = labels[Int(label.index)]
    if state.offset >= 0 {
      putDisplacement(toOffset: Int(state.offset), trailing: trailing)
    } else {
      labels[Int(label.index)].pending = UInt32(truncatingIfNeeded: (count + 1) << 3 | trailing)
      put32(state.pending)
    }
  }

  /// Appends the 4-byte distance to the byte `target` away from the first byte of the code.
  mutating func putDisplacement(toOffset target: Int, trailing: Int) {
    let distance = target - (count + 4 + trailing)
    if distance != Int(Int32(truncatingIfNeeded: distance)) { failure = .outOfReach }
    put32(UInt32(truncatingIfNeeded: distance))
  }

  /// A `rip`-relative operand for a host address, nil if it is too far away.
  public func near(_ target: UInt64) -> Memory? {
    let offset = Int(truncatingIfNeeded: target &- address)
    return Int32(exactly: offset).map { Memory(codeOffset: $0) }
  }

  // MARK: Instruction formats

  /// Appends prefixes, opcode and a ModRM byte with two registers, or a register and an opcode extension in `reg`.
  ///
  /// - Parameter byteRegister: a byte operand that is `spl`, `bpl`, `sil` or `dil` needs an empty REX prefix.
  /// - Returns: false when the code is full; then the caller appends nothing more.
  @inline(__always)
  mutating func encode(
    _ opcode: MachineOpcode, _ width: Width, reg: UInt8, rm: UInt8, byteRegister: Bool = false
  ) -> Bool {
    guard begin() else { return false }
    putOpcode(opcode, width, rex: (reg >> 3) << 2 | rm >> 3, forced: byteRegister)
    put(0xC0 | (reg & 7) << 3 | rm & 7)
    return true
  }

  /// Appends prefixes, opcode, ModRM, SIB and displacement of a memory operand, `trailing` bytes of immediate to follow.
  @inline(__always)
  mutating func encode(
    _ opcode: MachineOpcode, _ width: Width, reg: UInt8, _ memory: Memory, trailing: Int = 0, byteRegister: Bool = false
  ) -> Bool {
    guard begin() else { return false }
    if memory.isPlain {
      putOpcode(opcode, width, rex: (reg >> 3) << 2 | memory.base >> 3, forced: byteRegister)
      putPlainAddress(memory, reg: reg)
      return true
    }
    putAddressPrefixes(memory)
    putOpcode(opcode, width, rex: (reg >> 3) << 2 | memory.extensionBits, forced: byteRegister)
    putAddress(memory, reg: reg, trailing: trailing)
    return true
  }

  /// Appends a VEX instruction of three registers: `reg` and `rm` from ModRM, `second` from VEX.vvvv.
  @inline(__always)
  mutating func encodeVEX(_ opcode: MachineOpcode, wide: Bool, reg: UInt8, second: UInt8, rm: UInt8) -> Bool {
    guard begin() else { return false }
    putVEX(opcode, wide: wide, rex: (reg >> 3) << 2 | rm >> 3, second: second)
    put(0xC0 | (reg & 7) << 3 | rm & 7)
    return true
  }

  @inline(__always)
  mutating func encodeVEX(
    _ opcode: MachineOpcode, wide: Bool, reg: UInt8, second: UInt8, _ memory: Memory, trailing: Int = 0
  ) -> Bool {
    guard begin() else { return false }
    putAddressPrefixes(memory)
    putVEX(opcode, wide: wide, rex: (reg >> 3) << 2 | memory.extensionBits, second: second)
    putAddress(memory, reg: reg, trailing: trailing)
    return true
  }

  /// Appends operand-size and mandatory prefixes, REX, escape bytes and the opcode byte.
  @inline(__always)
  mutating func putOpcode(_ opcode: MachineOpcode, _ width: Width, rex: UInt8, forced: Bool) {
    if width == .word { put(0x66) }
    if opcode.prefix != 0 { put(opcode.prefix) }
    let rex = 0x40 | rex | (width == .qword ? 8 : 0)
    if rex != 0x40 || forced { put(rex) }
    if opcode.escape != .none {
      put(0x0F)
      if opcode.escape == .map38 { put(0x38) }
      if opcode.escape == .map3A { put(0x3A) }
    }
    put(opcode.byte)
  }

  @inline(__always)
  private mutating func putVEX(_ opcode: MachineOpcode, wide: Bool, rex: UInt8, second: UInt8) {
    let prefixField: UInt8 =
      switch opcode.prefix {
      case 0x66: 1
      case 0xF3: 2
      case 0xF2: 3
      default: 0
      }
    let tail = (~second & 15) << 3 | prefixField
    if opcode.escape == .map0F && !wide && rex & 3 == 0 {
      put(0xC5)
      put((~rex & 4) << 5 | tail)
    } else {
      put(0xC4)
      put((~rex & 7) << 5 | opcode.escape.rawValue)
      put((wide ? 0x80 : 0) | tail)
    }
    put(opcode.byte)
  }

  @inline(__always)
  private mutating func putAddressPrefixes(_ memory: Memory) {
    if memory.form.contains(.gs) { put(0x65) }
    if memory.form.contains(.address32) { put(0x67) }
  }

  /// Appends ModRM and displacement of a base register and a displacement: of most operands.
  @inline(__always)
  private mutating func putPlainAddress(_ memory: Memory, reg: UInt8) {
    let displacement = memory.displacement
    let base = memory.base & 7
    let isShort = fitsInByte(displacement)
    let mode: UInt8 = displacement == 0 && base != 5 ? 0 : isShort ? 0x40 : 0x80
    put(mode | (reg & 7) << 3 | base)
    if base == 4 { put(0x24) }
    guard mode != 0 else { return }
    unsafe UnsafeMutableRawPointer(bytes + count).storeBytes(of: displacement.littleEndian, as: Int32.self)
    count &+= isShort ? 1 : 4
  }

  /// Appends ModRM, SIB and displacement.
  @inline(__always)
  private mutating func putAddress(_ memory: Memory, reg: UInt8, trailing: Int) {
    let reg = (reg & 7) << 3
    if !memory.form.isDisjoint(with: [.label, .code]) {
      put(reg | 5)
      if memory.form.contains(.label) {
        putDisplacement(to: Label(index: UInt32(bitPattern: memory.displacement)), trailing: trailing)
      } else {
        putDisplacement(toOffset: Int(memory.displacement), trailing: trailing)
      }
      return
    }
    let displacement = memory.displacement
    if memory.base == Memory.absent {
      // No base: a SIB byte with base 101 and mod 00 takes a 32-bit displacement; index 100 means none.
      put(reg | 4)
      put(memory.scale.rawValue << 6 | (memory.index == Memory.absent ? 4 : memory.index & 7) << 3 | 5)
      put32(UInt32(bitPattern: displacement))
      return
    }
    // rbp and r13 as base need a displacement; rsp and r12 need a SIB byte.
    let base = memory.base & 7
    let mode: UInt8 = displacement == 0 && base != 5 ? 0 : fitsInByte(displacement) ? 0x40 : 0x80
    if memory.index != Memory.absent {
      put(mode | reg | 4)
      put(memory.scale.rawValue << 6 | (memory.index & 7) << 3 | base)
    } else {
      put(mode | reg | base)
      if base == 4 { put(0x24) }
    }
    if mode == 0x40 { put(UInt8(truncatingIfNeeded: displacement)) }
    if mode == 0x80 { put32(UInt32(bitPattern: displacement)) }
  }
}

extension Memory {
  /// Whether it is a base register and a displacement, no more.
  @inline(__always)
  fileprivate var isPlain: Bool { index == Memory.absent && base != Memory.absent && form.isEmpty }

  /// The REX.X and REX.B bits.
  @inline(__always)
  fileprivate var extensionBits: UInt8 {
    (index == Memory.absent ? 0 : (index >> 3) << 1) | (base == Memory.absent ? 0 : base >> 3)
  }
}

/// The fixed bytes of an instruction, given as the manual prints them: an optional mandatory prefix, an optional
/// escape (0F, 0F 38, 0F 3A) and the opcode, as in `0xF20F58` or `0x660F3A0B`.
struct MachineOpcode: ExpressibleByIntegerLiteral {
  enum Escape: UInt8 {
    case none, map0F, map38, map3A
  }

  let prefix: UInt8
  let escape: Escape
  let byte: UInt8

  @inline(__always)
  init(integerLiteral value: UInt32) { self.init(value) }

  @inline(__always)
  init(_ value: UInt32) {
    byte = UInt8(truncatingIfNeeded: value)
    let rest = value >> 8
    switch rest & 0xFF {
    case 0x38:
      escape = .map38
      prefix = UInt8(truncatingIfNeeded: rest >> 16)
    case 0x3A:
      escape = .map3A
      prefix = UInt8(truncatingIfNeeded: rest >> 16)
    case 0x0F:
      escape = .map0F
      prefix = UInt8(truncatingIfNeeded: rest >> 8)
    default:
      escape = .none
      prefix = UInt8(truncatingIfNeeded: rest)
    }
  }
}
