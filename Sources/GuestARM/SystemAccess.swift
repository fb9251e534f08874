// Owns which instructions reach special registers, for debuggers that watch those.

import GuestKit

/// MRS, MSR, CPS, VMRS and VMSR, by what they name (ARMv7-M manual, B5.2 and A7.7).
struct SpecialAccess {
  /// Numbers of registers in the register file.
  var registers: [Int]
  var reads: Bool
  var writes: Bool

  /// - Parameter length: bytes; the first halfword of a long encoding is high.
  init?(_ encoding: UInt32, length: Int) {
    guard length == 4 else {
      guard encoding & 0xFFE8 == 0xB660 || encoding & 0xFFE8 == 0xB670 else { return nil }
      let masks: [(bit: UInt32, slot: Slot)] = [(2, .primask), (1, .faultmask)]
      registers = masks.filter { encoding & $0.bit != 0 }.map(\.slot.register)
      (reads, writes) = (false, true)
      return
    }
    let number = Int(encoding & 0xFF)
    switch encoding {
    case _ where encoding & 0xFFFF_F000 == 0xF3EF_8000:
      (registers, reads, writes) = (Self.registers(number), true, false)
    case _ where encoding & 0xFFF0_F300 == 0xF380_8000:
      (registers, reads, writes) = (Self.registers(number), false, true)
    case _ where encoding & 0xFFFF_0FFF == 0xEEF1_0A10: (registers, reads, writes) = ([ARMRegisters.fpscr], true, false)
    case _ where encoding & 0xFFFF_0FFF == 0xEEE1_0A10: (registers, reads, writes) = ([ARMRegisters.fpscr], false, true)
    default: return nil
    }
  }

  private static func registers(_ number: Int) -> [Int] {
    switch SpecialRegister(rawValue: number) {
    case .apsr, .iapsr, .eapsr, .xpsr, .ipsr, .epsr, .iepsr: [ARMRegisters.xpsr]
    case .msp: [Slot.msp.register]
    case .psp: [Slot.psp.register]
    case .msplim: [Slot.msplim.register]
    case .psplim: [Slot.psplim.register]
    case .primask: [Slot.primask.register]
    case .basepri, .basepriMax: [Slot.basepri.register]
    case .faultmask: [Slot.faultmask.register]
    case .control: [Slot.control.register]
    case nil: []
    }
  }
}

extension ARMGuest: SystemRegisters {
  public var systemRegisterWord: String { "msr" }

  public var systemRegisters: [Int] {
    [ARMRegisters.xpsr] + registerFile.registers.indices.filter { registerFile.registers[$0].group == "system" }
      + (model.features.contains(.float) ? [ARMRegisters.fpscr] : [])
  }

  public func systemAccess(_ bytes: [UInt8]) -> SystemAccess? {
    guard bytes.count >= 2 else { return nil }
    let first = UInt32(bytes[0]) | UInt32(bytes[1]) << 8
    let isShort = first < 0xE800
    guard isShort || bytes.count >= 4 else { return nil }
    let encoding = isShort ? first : first << 16 | UInt32(bytes[2]) | UInt32(bytes[3]) << 8
    guard let found = SpecialAccess(encoding, length: isShort ? 2 : 4) else { return nil }
    return SystemAccess(found.registers.count == 1 ? found.registers[0] : nil, reads: found.reads, writes: found.writes)
  }

  public func otherChanges(of register: Int) -> String? {
    switch register {
    case ARMRegisters.xpsr: "most instructions change it too"
    case ARMRegisters.fpscr: "floating-point instructions set flags in it too"
    case Slot.msp.register, Slot.psp.register: "each use of the stack changes it too"
    case Slot.control.register, Slot.faultmask.register: "exceptions change it too"
    default: nil
    }
  }
}
