// The operands of x86-64 instructions: registers, operand widths, conditions and memory operands.

import HostKit

/// A general-purpose register, by its number in the encoding (Intel SDM vol. 2A, table 3-1).
public enum Register: UInt8, Sendable, BitwiseCopyable, CaseIterable {
  case rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
}

extension Register: HostRegister {
  @inlinable @inline(__always)
  public var number: UInt8 { rawValue }
  @inlinable @inline(__always)
  public init(number: UInt8) { self = unsafe unsafeBitCast(number & 15, to: Register.self) }
}

/// An SSE register, by its number in the encoding.
public enum VectorRegister: UInt8, Sendable, BitwiseCopyable, CaseIterable {
  case xmm0, xmm1, xmm2, xmm3, xmm4, xmm5, xmm6, xmm7
  case xmm8, xmm9, xmm10, xmm11, xmm12, xmm13, xmm14, xmm15
}

extension VectorRegister: HostRegister {
  @inlinable @inline(__always)
  public var number: UInt8 { rawValue }
  @inlinable @inline(__always)
  public init(number: UInt8) { self = unsafe unsafeBitCast(number & 15, to: VectorRegister.self) }

  @inline(__always)
  static func xmm(_ number: UInt8) -> VectorRegister { VectorRegister(number: number) }
}

/// The size of an integer operand; the raw value is log2 of its bytes.
public enum Width: UInt8, Sendable, CaseIterable {
  case byte, word, dword, qword

  public var bits: Int { 8 << Int(rawValue) }
}

/// A condition code, by its number in `jcc`, `setcc` and `cmovcc` (SDM vol. 1, appendix B).
public enum ConditionCode: UInt8, Sendable, CaseIterable {
  case o, no, b, ae, e, ne, be, a, s, ns, p, np, l, ge, le, g

  /// The condition that holds exactly when this one does not.
  public var inverted: ConditionCode {
    switch self {
    case .o: .no
    case .no: .o
    case .b: .ae
    case .ae: .b
    case .e: .ne
    case .ne: .e
    case .be: .a
    case .a: .be
    case .s: .ns
    case .ns: .s
    case .p: .np
    case .np: .p
    case .l: .ge
    case .ge: .l
    case .le: .g
    case .g: .le
    }
  }
}

/// What an index register is multiplied by; the raw value is the SIB field.
public enum Scale: UInt8, Sendable, CaseIterable {
  case x1, x2, x4, x8
}

/// A memory operand: `[base + index * scale + displacement]`, or a place in or near the code relative to `rip`.
public struct Memory: Sendable {
  /// Register numbers; `absent` when the operand has none.
  let base: UInt8
  let index: UInt8
  let scale: Scale
  private(set) var form: Form
  let displacement: Int32

  static let absent: UInt8 = 0xFF

  struct Form: OptionSet {
    let rawValue: UInt8
    /// Relative to the base address of the GS segment.
    static var gs: Form { Form(rawValue: 1) }
    /// The sum is truncated to 32 bits before the segment base is added.
    static var address32: Form { Form(rawValue: 2) }
    /// `displacement` is the index of a label.
    static var label: Form { Form(rawValue: 4) }
    /// `displacement` is a distance from the first byte of the code.
    static var code: Form { Form(rawValue: 8) }
  }

  private init(_ base: UInt8, _ index: UInt8, _ scale: Scale, _ displacement: Int32, _ form: Form) {
    self.base = base
    self.index = index
    self.scale = scale
    self.displacement = displacement
    self.form = form
  }

  /// `[base + displacement]`.
  public init(_ base: Register, _ displacement: Int32 = 0) {
    self.init(base.rawValue, Self.absent, .x1, displacement, [])
  }

  /// `[base + index * scale + displacement]`; `index` cannot be `rsp`.
  public init(_ base: Register, _ index: Register, _ scale: Scale = .x1, _ displacement: Int32 = 0) {
    assert(index != .rsp)
    self.init(base.rawValue, index.rawValue, scale, displacement, [])
  }

  /// `[index * scale + displacement]`; `index` cannot be `rsp`.
  public init(index: Register, _ scale: Scale, _ displacement: Int32 = 0) {
    assert(index != .rsp)
    self.init(Self.absent, index.rawValue, scale, displacement, [])
  }

  /// `[displacement]`, sign-extended to 64 bits.
  public init(absolute displacement: Int32) {
    self.init(Self.absent, Self.absent, .x1, displacement, [])
  }

  /// `[rip + …]`, reaching `label`.
  public init(_ label: Label) {
    self.init(Self.absent, Self.absent, .x1, Int32(bitPattern: label.index), .label)
  }

  /// `[rip + …]`, reaching the byte `offset` away from the first byte of the code.
  init(codeOffset offset: Int32) {
    self.init(Self.absent, Self.absent, .x1, offset, .code)
  }

  /// The same operand in the GS segment.
  public var inGS: Memory {
    var copy = self
    copy.form.insert(.gs)
    return copy
  }

  /// The same operand with its address computed modulo 2³² (before the segment base is added).
  public var wrapping32: Memory {
    var copy = self
    copy.form.insert(.address32)
    return copy
  }
}
