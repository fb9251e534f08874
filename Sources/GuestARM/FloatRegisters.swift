// Owns the floating-point registers in the state block, and FPSCR put together from them.
//
// Source: ARMv7-M Architecture Reference Manual, B1.4.5 "FP extension registers" and A2.5 "The optional Floating-point
// Extension".

import GuestKit
import IR

extension ARMRegisters {
  /// s0–s31; the halves of d0–d15.
  static func s(_ number: Int) -> Int { FloatSlot.first + FloatSlot.count + number }

  /// s15 downwards is what GCC computes in, s0 upwards what LLVM does and arguments come in.
  private static let hottestSingles = [15, 0, 14, 1, 13, 2, 12, 3, 4, 5, 6, 7]

  /// What a CPU with a floating-point unit has beside the rest.
  static func float() -> [GuestRegister] {
    var list = FloatSlot.allCases.map { GuestRegister("\($0)", .i32) }
    list += (0..<32).map { GuestRegister("s\($0)", .f32, pin: hottestSingles.firstIndex(of: $0), group: "float") }
    let feature = "org.gnu.gdb.arm.vfp"
    list += (0..<16).map {
      GuestRegister(
        "d\($0)", .i64, feature: feature, gdbNumber: 60 + $0, gdbType: "ieee_double", group: "float",
        dwarfNumber: 256 + $0)
    }
    list.append(GuestRegister("fpscr", .i32, feature: feature, gdbNumber: 76, group: "float"))
    return list
  }

  /// Views: their slots are unused.
  static func d(_ number: Int) -> Int { s(32) + number }
  static var fpscr: Int { d(16) }
}

/// A register of the floating-point unit other than s0–s31. The raw value is the distance from ``FloatSlot/first``.
enum FloatSlot: Int, CaseIterable, Sendable {
  /// The ``FloatEnvironment``.
  case floatFlags, floatRounding
  /// AHP, DN and FZ, in FPSCR's places.
  case floatModes
  /// What the last comparison found, as the op `forder` says it; 16 and above, FPSCR's N, Z, C and V in the low bits,
  /// if they are of another origin and no comparison's.
  case floatOrder
  /// CPACR.CP10: 0 no access, 1 privileged code, 3 all.
  case floatAccess
  /// FPCCR, FPCAR and FPDSCR.
  case floatContext, floatAddress, floatDefault

  static var first: Int { Slot.first + Slot.count }
  static var count: Int { floatDefault.rawValue + 1 }
  var register: Int { Self.first + rawValue }
  var offset: Int { StateOffset.registers + 8 * register }
}

/// The modes that FPSCR sets.
struct FloatModes {
  /// FPSCR's bits 22 to 26.
  let bits: UInt32
  static var mask: UInt32 { 0x07C0_0000 }

  init(_ word: UInt32) { bits = word & Self.mask }

  var isAlternativeHalf: Bool { bits >> 26 & 1 != 0 }
  var deliversDefaultNaN: Bool { bits >> 25 & 1 != 0 }
  var flushesSubnormals: Bool { bits >> 24 & 1 != 0 }
  var rounding: FloatRounding { Self.roundings[Int(bits >> 22 & 3)] }

  private static let roundings: [FloatRounding] = [.nearestEven, .up, .down, .towardZero]

  /// RMode, in its place, of a rounding mode as ``FloatEnvironment`` has it.
  static func field(_ rounding: UInt32) -> UInt32 { [0, 3, 2, 1, 0, 0, 0, 0][Int(rounding & 7)] << 22 }
}

extension Core {
  subscript(slot: FloatSlot) -> UInt32 {
    get { cpu.load(slot.offset) }
    nonmutating set { cpu.store(UInt64(newValue), at: slot.offset) }
  }

  subscript(s number: Int) -> UInt32 {
    get { cpu.load(StateOffset.registers + 8 * ARMRegisters.s(number)) }
    nonmutating set { cpu.store(UInt64(newValue), at: StateOffset.registers + 8 * ARMRegisters.s(number)) }
  }

  /// N, Z, C and V of FPSCR, as a number below 16.
  private var floatConditions: UInt32 {
    get {
      switch self[.floatOrder] {
      case 0xFFFF_FFFF: 8
      case 0: 6
      case 1: 2
      case 2: 3
      case let other: other & 15
      }
    }
    nonmutating set {
      self[.floatOrder] =
        switch newValue {
        case 8: 0xFFFF_FFFF
        case 6: 0
        case 2: 1
        case 3: 2
        default: 16 | newValue
        }
    }
  }

  /// Of the sticky flags, what FPSCR calls them: its bit for each bit of theirs.
  private static let stickyBits: [UInt32] = [4, 3, 2, 1, 0, 7]

  var fpscr: UInt32 {
    get {
      var value = floatConditions << 28 | self[.floatModes] | FloatModes.field(self[.floatRounding])
      let flags: UInt32 = self[.floatFlags]
      for (bit, place) in Self.stickyBits.enumerated() { value |= (flags >> UInt32(bit) & 1) << place }
      return value
    }
    nonmutating set {
      floatConditions = newValue >> 28
      setFloatModes(newValue)
      var flags: UInt32 = 0
      for (bit, place) in Self.stickyBits.enumerated() { flags |= (newValue >> place & 1) << UInt32(bit) }
      self[.floatFlags] = flags
    }
  }

  /// Sets FPSCR's bits 22 to 26.
  func setFloatModes(_ value: UInt32) {
    self[.floatModes] = value & 0x0700_0000
    self[.floatRounding] = UInt32(FloatModes(value).rounding.rawValue)
  }

  /// VMRS APSR_nzcv, FPSCR
  func copyFloatConditions() { apsr = apsr & 0x0FFF_FFFF | floatConditions << 28 }
}
