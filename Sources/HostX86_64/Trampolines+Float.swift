// What floating point adds to the hand-written code: the way in with the guest's rounding mode and SSE registers, what
// call-outs save of them, and constants.
//
// While translated code runs that uses floating point, MXCSR holds the guest's rounding mode and the exceptions since
// it was last read; leaving, and every call out, adds those to the guest's sticky flags and goes back to the default
// MXCSR that compiled code expects. None of this runs before the first block with floating-point values is compiled.

import HostKit
import IR

extension ABI {
  /// Whether translated code uses floating point (u32).
  static var floatInUse: Int { StateOffset.hostPrivate + 16 }
  /// MXCSR for the guest, without exceptions; the default; and a place to store it (u32 each).
  static var guestMXCSR: Int { StateOffset.hostPrivate + 20 }
  static var defaultMXCSR: Int { StateOffset.hostPrivate + 24 }
  static var savedMXCSR: Int { StateOffset.hostPrivate + 28 }
  /// All exceptions masked, none seen, to nearest even.
  static var plainMXCSR: UInt32 { 0x1F80 }

  /// MXCSR for a guest's rounding mode (SDM vol. 1, 10.2.3). Ties away from zero are none of the host's.
  static func mxcsr(_ rounding: UInt8) -> UInt32 {
    switch FloatRounding(rawValue: UInt16(rounding)) {
    case .towardZero: plainMXCSR | 3 << 13
    case .down: plainMXCSR | 1 << 13
    case .up: plainMXCSR | 2 << 13
    case .nearestEven, .nearestMaxMagnitude, .dynamic, nil: plainMXCSR
    }
  }
}

/// Operands of 16 bytes.
enum FloatConstant: Int, CaseIterable {
  /// The ones above a NaN-boxed f32.
  case box
  case signDouble, signSingle, magnitudeDouble, magnitudeSingle
  /// The canonical NaNs, the second NaN-boxed.
  case nanDouble, nanSingle
  /// The least normal numbers.
  case leastDouble, leastSingle, negativeLeastDouble, negativeLeastSingle
  /// The greatest numbers whose conversion to unsigned integers of 32 and 64 bits is left to the host, as bits.
  case limit32, limit64
  /// In each byte what takes numbers from 16 on beyond 127 if it is added with saturation.
  case tableBias

  var bits: UInt64 {
    switch self {
    case .box: 0xFFFF_FFFF_0000_0000
    case .signDouble: 1 << 63
    case .signSingle: 1 << 31
    case .magnitudeDouble: 0x7FFF_FFFF_FFFF_FFFF
    case .magnitudeSingle: 0xFFFF_FFFF_7FFF_FFFF
    case .leastDouble: 0x0010_0000_0000_0000
    case .leastSingle: 0x0080_0000
    case .negativeLeastDouble: 0x8010_0000_0000_0000
    case .negativeLeastSingle: 0x8080_0000
    case .nanDouble: 0x7FF8_0000_0000_0000
    case .nanSingle: 0xFFFF_FFFF_7FC0_0000
    case .limit32: 0x41EF_FFFF_FFE0_0000
    case .limit64: 0x43DF_FFFF_FFFF_FFFF
    case .tableBias: 0x7070_7070_7070_7070
    }
  }

  var upperBits: UInt64 { self == .tableBias ? bits : 0 }
}

/// Offsets of the pieces from the start of the code cache.
struct FloatTrampolines {
  /// As `Trampolines.enter`, for code that uses floating point.
  private(set) var enter = 0
  /// The constants in the order of their cases.
  private(set) var constants = 0
  /// By the six exception bits of MXCSR: sticky flags as the ``FloatEnvironment`` has them.
  private var flagTable = 0
  /// Subroutine: `MXCSR` to the guest's flags, the default to MXCSR. Changes rax and rcx.
  private var suspend = 0
  private let pins: [RegisterSlot]
  /// What slow paths see of each SSE register.
  private let saved: Type
  private let environment: FloatEnvironment?

  /// - Parameter pins: state slots of the pinned registers, in the order of `ABI.pinnedVector`.
  init(_ assembler: inout Assembler, pins: [RegisterSlot], hasVectors: Bool, environment: FloatEnvironment?) {
    self.pins = pins
    saved = hasVectors ? .v128 : .f64
    self.environment = environment
    assembler.align(to: 16)
    constants = assembler.count
    for constant in FloatConstant.allCases { assembler.data([constant.bits, constant.upperBits]) }
    flagTable = assembler.count
    for start in stride(from: UInt64(0), to: 64, by: 8) {
      assembler.data([(0..<8).reduce(0) { $0 | Self.flags(start + $1) << ($1 * 8) }])
    }
    suspend = assembler.count
    emitSuspend(&assembler, .rbp)
    assembler.plain(.ret)
  }

  /// IE, DE, ZE, OE, UE, PE to the five flags of IEEE 754.
  private static func flags(_ mxcsr: UInt64) -> UInt64 {
    (mxcsr & 1) << 4 | (mxcsr >> 2 & 1) << 3 | (mxcsr >> 3 & 1) << 2 | (mxcsr >> 4 & 1) << 1 | mxcsr >> 5 & 1
  }

  private func emitSuspend(_ assembler: inout Assembler, _ state: Register) {
    let saved = Memory(state, Int32(ABI.savedMXCSR))
    assembler.stmxcsr(saved)
    if let environment {
      assembler.load(.dword, .rax, saved)
      assembler.alu(.and, .dword, .rax, 63)
      assembler.lea(.qword, .rcx, Memory(codeOffset: Int32(flagTable)))
      assembler.movzx(from: .byte, .rax, Memory(.rcx, .rax))
      assembler.alu(.or, .byte, Memory(state, Int32(environment.flags)), .rax)
    }
    assembler.ldmxcsr(Memory(state, Int32(ABI.defaultMXCSR)))
  }

  /// The C function (state, address of a block) around `Trampolines.enter`.
  mutating func emitEnter(_ assembler: inout Assembler, around enter: Int) {
    assembler.align(to: 16)
    self.enter = assembler.count
    assembler.push(.rbx)
    assembler.mov(.qword, .rbx, .rdi)
    assembler.ldmxcsr(Memory(.rbx, Int32(ABI.guestMXCSR)))
    for (index, slot) in pins.enumerated() {
      assembler.vector(slot.type.inVectorPin.loading, ABI.pinnedVector(index), Memory(.rbx, Int32(slot.offset)))
    }
    assembler.call(toAddress: assembler.address + UInt64(enter))
    for (index, slot) in pins.enumerated() {
      assembler.vectorStore(slot.type.inVectorPin.storing, Memory(.rbx, Int32(slot.offset)), ABI.pinnedVector(index))
    }
    emitSuspend(&assembler, .rbx)
    assembler.pop(.rbx)
    assembler.plain(.ret)
  }

  /// Before a call-out, if floating point is in use. Changes rax and rcx.
  func emitSave(_ assembler: inout Assembler) {
    let over = emitTest(&assembler)
    for (index, slot) in pins.enumerated() {
      assembler.vectorStore(slot.type.inVectorPin.storing, ABI.state(slot.offset), ABI.pinnedVector(index))
    }
    assembler.call(toAddress: assembler.address + UInt64(suspend))
    assembler.bind(over)
  }

  /// After a call-out.
  func emitLoad(_ assembler: inout Assembler) {
    let over = emitTest(&assembler)
    for (index, slot) in pins.enumerated() {
      assembler.vector(slot.type.inVectorPin.loading, ABI.pinnedVector(index), ABI.state(slot.offset))
    }
    assembler.ldmxcsr(ABI.state(ABI.guestMXCSR))
    assembler.bind(over)
  }

  /// Bytes on the stack that ``emitSaveEverything(_:)`` needs; with 8 more they are a multiple of 16.
  var saveArea: Int32 { Int32(16 * saved.bytes + 8) }
  private func place(_ number: UInt8) -> Memory { Memory(.rsp, Int32(8 + saved.bytes * Int(number))) }

  /// Before a slow path that looks at any register: all 16 to the stack, from `rsp + 8` on. Changes rax and rcx.
  func emitSaveEverything(_ assembler: inout Assembler) {
    let over = emitTest(&assembler)
    for number in UInt8(0)..<16 {
      assembler.vectorStore(saved.storing, place(number), .xmm(number))
    }
    assembler.call(toAddress: assembler.address + UInt64(suspend))
    assembler.bind(over)
  }

  func emitLoadEverything(_ assembler: inout Assembler) {
    let over = emitTest(&assembler)
    for number in UInt8(0)..<16 {
      assembler.vector(saved.loading, .xmm(number), place(number))
    }
    assembler.ldmxcsr(ABI.state(ABI.guestMXCSR))
    assembler.bind(over)
  }

  /// Jumps to the label returned if floating point is not in use.
  private func emitTest(_ assembler: inout Assembler) -> Label {
    let over = assembler.makeLabel()
    assembler.alu(.cmp, .dword, ABI.state(ABI.floatInUse), 0)
    assembler.jcc(.e, over)
    return over
  }
}

extension Assembler {
  /// Appends numbers, 8 bytes each.
  mutating func data(_ numbers: [UInt64]) {
    for number in numbers where begin() { put64(number) }
  }
}
