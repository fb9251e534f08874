// Scalar and packed SSE, fused multiply-add, conversions and MXCSR.

/// `destination = f(destination, source)` or `f(source)` on SSE registers; the source may be memory.
/// The raw value is prefix, escape and opcode as the manual prints them (SDM vol. 2).
public enum VectorOp: UInt32, Sendable, CaseIterable {
  // Moves. The scalar ones merge between registers and clear the rest when they load.
  case movaps = 0x0F28
  case movups = 0x0F10
  case movdqa = 0x660F6F
  case movdqu = 0xF30F6F
  case movss = 0xF30F10
  case movsd = 0xF20F10
  case movq = 0xF30F7E
  // Scalar arithmetic.
  case addss = 0xF30F58
  case addsd = 0xF20F58
  case subss = 0xF30F5C
  case subsd = 0xF20F5C
  case mulss = 0xF30F59
  case mulsd = 0xF20F59
  case divss = 0xF30F5E
  case divsd = 0xF20F5E
  case sqrtss = 0xF30F51
  case sqrtsd = 0xF20F51
  case minss = 0xF30F5D
  case minsd = 0xF20F5D
  case maxss = 0xF30F5F
  case maxsd = 0xF20F5F
  case ucomiss = 0x0F2E
  case ucomisd = 0x660F2E
  case comiss = 0x0F2F
  case comisd = 0x660F2F
  case cvtss2sd = 0xF30F5A
  case cvtsd2ss = 0xF20F5A
  // Packed arithmetic.
  case addps = 0x0F58
  case addpd = 0x660F58
  case subps = 0x0F5C
  case subpd = 0x660F5C
  case mulps = 0x0F59
  case mulpd = 0x660F59
  case divps = 0x0F5E
  case divpd = 0x660F5E
  case sqrtps = 0x0F51
  case sqrtpd = 0x660F51
  // Bitwise.
  case andps = 0x0F54
  case andpd = 0x660F54
  case andnps = 0x0F55
  case andnpd = 0x660F55
  case orps = 0x0F56
  case orpd = 0x660F56
  case xorps = 0x0F57
  case xorpd = 0x660F57
  case pand = 0x660FDB
  case pandn = 0x660FDF
  case por = 0x660FEB
  case pxor = 0x660FEF
  // Packed integers.
  case paddb = 0x660FFC
  case paddw = 0x660FFD
  case paddd = 0x660FFE
  case paddq = 0x660FD4
  case psubb = 0x660FF8
  case psubw = 0x660FF9
  case psubd = 0x660FFA
  case psubq = 0x660FFB
  case paddsb = 0x660FEC
  case paddsw = 0x660FED
  case paddusb = 0x660FDC
  case paddusw = 0x660FDD
  case psubsb = 0x660FE8
  case psubsw = 0x660FE9
  case psubusb = 0x660FD8
  case psubusw = 0x660FD9
  case pminsb = 0x660F3838
  case pminsw = 0x660FEA
  case pminsd = 0x660F3839
  case pminub = 0x660FDA
  case pminuw = 0x660F383A
  case pminud = 0x660F383B
  case pmaxsb = 0x660F383C
  case pmaxsw = 0x660FEE
  case pmaxsd = 0x660F383D
  case pmaxub = 0x660FDE
  case pmaxuw = 0x660F383E
  case pmaxud = 0x660F383F
  case pavgb = 0x660FE0
  case pavgw = 0x660FE3
  case pabsb = 0x660F381C
  case pabsw = 0x660F381D
  case pabsd = 0x660F381E
  case pmulld = 0x660F3840
  case pmullw = 0x660FD5
  case pmuludq = 0x660FF4
  case pcmpeqb = 0x660F74
  case pcmpeqw = 0x660F75
  case pcmpeqd = 0x660F76
  case pcmpeqq = 0x660F3829
  case pcmpgtb = 0x660F64
  case pcmpgtw = 0x660F65
  case pcmpgtd = 0x660F66
  case pcmpgtq = 0x660F3837
  case pshufb = 0x660F3800
  case ptest = 0x660F3817
  case punpcklbw = 0x660F60
  case punpcklwd = 0x660F61
  case punpckldq = 0x660F62
  case punpcklqdq = 0x660F6C
  case punpckhbw = 0x660F68
  case punpckhwd = 0x660F69
  case punpckhdq = 0x660F6A
  case punpckhqdq = 0x660F6D
  case packsswb = 0x660F63
  case packssdw = 0x660F6B
  case packuswb = 0x660F67
  case packusdw = 0x660F382B
  case pmovsxbw = 0x660F3820
  case pmovsxwd = 0x660F3823
  case pmovsxdq = 0x660F3825
  case pmovzxbw = 0x660F3830
  case pmovzxwd = 0x660F3833
  case pmovzxdq = 0x660F3835
  case unpcklps = 0x0F14
  case unpcklpd = 0x660F14
}

/// `VectorOp` with an 8-bit immediate.
public enum VectorOpImmediate: UInt32, Sendable, CaseIterable {
  case roundss = 0x660F3A0A
  case roundsd = 0x660F3A0B
  case cmpss = 0xF30FC2
  case cmpsd = 0xF20FC2
  case pshufd = 0x660F70
  case shufps = 0x0FC6
  case shufpd = 0x660FC6
  case pshuflw = 0xF20F70
  case palignr = 0x660F3A0F
  case insertps = 0x660F3A21
}

/// Shifts of all lanes by an immediate: the opcode, and its extension above it.
public enum VectorShift: UInt32, Sendable, CaseIterable {
  case psrlw = 0x0266_0F71
  case psraw = 0x0466_0F71
  case psllw = 0x0666_0F71
  case psrld = 0x0266_0F72
  case psrad = 0x0466_0F72
  case pslld = 0x0666_0F72
  case psrlq = 0x0266_0F73
  case psllq = 0x0666_0F73
}

/// Moves of a lane, whose number is an immediate, from an integer register. `pinsrq` is `pinsrd` of a `qword`.
public enum LaneInsert: UInt32, Sendable, CaseIterable {
  case pinsrb = 0x660F3A20
  case pinsrw = 0x660FC4
  case pinsrd = 0x660F3A22
}

/// Moves of a lane to an integer register, zero-extended; likewise.
public enum LaneExtract: UInt32, Sendable, CaseIterable {
  case pextrb = 0x660F3A14
  case pextrw = 0x660F3A15
  case pextrd = 0x660F3A16
}

/// The top bits of all lanes, to an integer register.
public enum LaneMask: UInt32, Sendable, CaseIterable {
  case pmovmskb = 0x660FD7
  case movmskps = 0x0F50
  case movmskpd = 0x660F50
}

/// Stores of an SSE register.
public enum VectorStore: UInt32, Sendable, CaseIterable {
  case movaps = 0x0F29
  case movups = 0x0F11
  case movdqa = 0x660F7F
  case movdqu = 0xF30F7F
  case movss = 0xF30F11
  case movsd = 0xF20F11
  case movq = 0x660FD6
}

/// Conversions from an integer register or memory of either width.
public enum ConvertFromInteger: UInt32, Sendable, CaseIterable {
  case cvtsi2ss = 0xF30F2A
  case cvtsi2sd = 0xF20F2A
}

/// Conversions to an integer register of either width; out-of-range values give the most negative integer.
public enum ConvertToInteger: UInt32, Sendable, CaseIterable {
  case cvtss2si = 0xF30F2D
  case cvtsd2si = 0xF20F2D
  /// Truncating, whatever the rounding mode.
  case cvttss2si = 0xF30F2C
  case cvttsd2si = 0xF20F2C
}

/// `destination = ±(destination * third) ± second` (the 213, 132 and 231 orders as named by Intel), VEX encoded.
public enum FusedOp: UInt32, Sendable, CaseIterable {
  case vfmadd132 = 0x660F3899
  case vfmadd213 = 0x660F38A9
  case vfmadd231 = 0x660F38B9
  case vfmsub132 = 0x660F389B
  case vfmsub213 = 0x660F38AB
  case vfmsub231 = 0x660F38BB
  case vfnmadd132 = 0x660F389D
  case vfnmadd213 = 0x660F38AD
  case vfnmadd231 = 0x660F38BD
  case vfnmsub132 = 0x660F389F
  case vfnmsub213 = 0x660F38AF
  case vfnmsub231 = 0x660F38BF
}

extension Assembler {
  public mutating func vector(_ op: VectorOp, _ destination: VectorRegister, _ source: VectorRegister) {
    _ = encode(MachineOpcode(op.rawValue), .dword, reg: destination.rawValue, rm: source.rawValue)
  }

  public mutating func vector(_ op: VectorOp, _ destination: VectorRegister, _ source: Memory) {
    _ = encode(MachineOpcode(op.rawValue), .dword, reg: destination.rawValue, source)
  }

  public mutating func vector(
    _ op: VectorOpImmediate, _ destination: VectorRegister, _ source: VectorRegister, _ immediate: UInt8
  ) {
    guard encode(MachineOpcode(op.rawValue), .dword, reg: destination.rawValue, rm: source.rawValue) else { return }
    put(immediate)
  }

  public mutating func vector(
    _ op: VectorOpImmediate, _ destination: VectorRegister, _ source: Memory, _ immediate: UInt8
  ) {
    guard encode(MachineOpcode(op.rawValue), .dword, reg: destination.rawValue, source, trailing: 1) else { return }
    put(immediate)
  }

  public mutating func vectorStore(_ op: VectorStore, _ destination: Memory, _ source: VectorRegister) {
    _ = encode(MachineOpcode(op.rawValue), .dword, reg: source.rawValue, destination)
  }

  /// `movd` or `movq` from an integer register, clearing the rest. `width` is `dword` or `qword`.
  public mutating func mov(_ width: Width, _ destination: VectorRegister, _ source: Register) {
    _ = encode(0x660F6E, width, reg: destination.rawValue, rm: source.rawValue)
  }

  /// `movd` or `movq` to an integer register. `width` is `dword` or `qword`.
  public mutating func mov(_ width: Width, _ destination: Register, _ source: VectorRegister) {
    _ = encode(0x660F7E, width, reg: source.rawValue, rm: destination.rawValue)
  }

  /// `width` is that of the integer, `dword` or `qword`. The rest of the destination is kept.
  public mutating func convert(
    _ op: ConvertFromInteger, _ width: Width, _ destination: VectorRegister, _ source: Register
  ) {
    _ = encode(MachineOpcode(op.rawValue), width, reg: destination.rawValue, rm: source.rawValue)
  }

  public mutating func convert(
    _ op: ConvertFromInteger, _ width: Width, _ destination: VectorRegister, _ source: Memory
  ) {
    _ = encode(MachineOpcode(op.rawValue), width, reg: destination.rawValue, source)
  }

  public mutating func convert(
    _ op: ConvertToInteger, _ width: Width, _ destination: Register, _ source: VectorRegister
  ) {
    _ = encode(MachineOpcode(op.rawValue), width, reg: destination.rawValue, rm: source.rawValue)
  }

  public mutating func convert(_ op: ConvertToInteger, _ width: Width, _ destination: Register, _ source: Memory) {
    _ = encode(MachineOpcode(op.rawValue), width, reg: destination.rawValue, source)
  }

  /// Scalar double (`isDouble`) or single precision.
  public mutating func fused(
    _ op: FusedOp, isDouble: Bool, _ destination: VectorRegister, _ second: VectorRegister, _ third: VectorRegister
  ) {
    _ = encodeVEX(
      MachineOpcode(op.rawValue), wide: isDouble, reg: destination.rawValue, second: second.rawValue, rm: third.rawValue
    )
  }

  public mutating func fused(
    _ op: FusedOp, isDouble: Bool, _ destination: VectorRegister, _ second: VectorRegister, _ third: Memory
  ) {
    _ = encodeVEX(
      MachineOpcode(op.rawValue), wide: isDouble, reg: destination.rawValue, second: second.rawValue, third)
  }

  /// The VEX form of a scalar or bitwise operation: `destination = left op right`, bits beyond a scalar's from `left`.
  public mutating func vector3(
    _ op: VectorOp, _ destination: VectorRegister, _ left: VectorRegister, _ right: VectorRegister
  ) {
    _ = encodeVEX(
      MachineOpcode(op.rawValue), wide: false, reg: destination.rawValue, second: left.rawValue, rm: right.rawValue)
  }

  public mutating func vector3(
    _ op: VectorOp, _ destination: VectorRegister, _ left: VectorRegister, _ right: Memory
  ) {
    _ = encodeVEX(
      MachineOpcode(op.rawValue), wide: false, reg: destination.rawValue, second: left.rawValue, right)
  }

  /// By less than the lane's width.
  public mutating func vector(_ shift: VectorShift, _ destination: VectorRegister, by count: UInt8) {
    let opcode = MachineOpcode(shift.rawValue & 0xFF_FFFF)
    guard encode(opcode, .dword, reg: UInt8(shift.rawValue >> 24), rm: destination.rawValue) else { return }
    put(count)
  }

  public mutating func insert(
    _ op: LaneInsert, _ destination: VectorRegister, _ source: Register, lane: UInt8, width: Width = .dword
  ) {
    guard encode(MachineOpcode(op.rawValue), width, reg: destination.rawValue, rm: source.rawValue) else { return }
    put(lane)
  }

  public mutating func extract(
    _ op: LaneExtract, _ destination: Register, _ source: VectorRegister, lane: UInt8, width: Width = .dword
  ) {
    guard encode(MachineOpcode(op.rawValue), width, reg: source.rawValue, rm: destination.rawValue) else { return }
    put(lane)
  }

  public mutating func mask(_ op: LaneMask, _ destination: Register, _ source: VectorRegister) {
    _ = encode(MachineOpcode(op.rawValue), .dword, reg: destination.rawValue, rm: source.rawValue)
  }

  /// Loads the control and status register from 4 bytes of memory.
  public mutating func ldmxcsr(_ source: Memory) {
    _ = encode(0x0FAE, .dword, reg: 2, source)
  }

  public mutating func stmxcsr(_ destination: Memory) {
    _ = encode(0x0FAE, .dword, reg: 3, destination)
  }
}
