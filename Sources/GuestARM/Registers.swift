// Owns the register list: what an M-profile CPU's state block holds, and how debuggers see it.

import GuestKit
import IR

/// The register list of a CPU model, and register numbers.
public enum ARMRegisters {
  @inlinable public static var sp: Int { 13 }
  @inlinable public static var lr: Int { 14 }
  /// Its slot in the state block is unused: the header holds the PC.
  @inlinable public static var pc: Int { 15 }
  /// A view of the flags, ITSTATE and IPSR.
  @inlinable public static var xpsr: Int { 16 }

  /// Core registers in the order of their share of operands in compiled Thumb code.
  private static let hottest = [3, 2, 0, 1, 13, 4, 5, 6, 7, 12, 8, 9, 10, 11, 14]

  /// Thumb's frame pointer is r7.
  private static let roles = [7: "fp", 13: "sp", 14: "ra"]

  public static func make(_ features: Features) -> RegisterFile {
    let profile = "org.gnu.gdb.arm.m-profile"
    let system = "org.gnu.gdb.arm.m-system"
    var list: [GuestRegister] = (0..<15).map { number in
      let names = [13: "sp", 14: "lr"]
      return GuestRegister(
        names[number] ?? "r\(number)", aliases: names[number] == nil ? [] : ["r\(number)"], .i32,
        pin: hottest.firstIndex(of: number), feature: profile, gdbNumber: number,
        gdbType: number == 13 ? "data_ptr" : number == 14 ? "code_ptr" : "int", group: "general",
        role: number < 4 ? "arg\(number + 1)" : roles[number], dwarfNumber: number)
    }
    list.append(
      GuestRegister(
        "pc", aliases: ["r15"], .i32, feature: profile, gdbNumber: 15, gdbType: "code_ptr", group: "general",
        role: "pc", dwarfNumber: 15))
    list.append(GuestRegister("xpsr", .i32, feature: profile, gdbNumber: 25, group: "general", role: "flags"))
    for slot in Slot.allCases {
      let isShown = slot.isShown && features.isSuperset(of: slot.needs)
      list.append(
        GuestRegister(
          "\(slot)", .i32, feature: isShown ? system : nil, gdbNumber: isShown ? 26 + slot.rawValue : nil,
          gdbType: [.msp, .psp, .msplim, .psplim].contains(slot) ? "data_ptr" : "int",
          group: isShown ? "system" : "internal", isBankedStackPointer: [.msp, .psp].contains(slot)))
    }
    guard features.contains(.float) else { return RegisterFile(list) }
    var file = RegisterFile(list + float())
    file.setFloatEnvironment(flags: FloatSlot.floatFlags.register, rounding: FloatSlot.floatRounding.register)
    return file
  }
}

/// A state register beside r0–r14. The raw value is the distance from ``Slot/first``.
enum Slot: Int, CaseIterable, Sendable {
  /// The stack pointers; the slot of the one in use is stale, r13 has its value.
  case msp, psp
  case primask, basepri, faultmask
  /// nPRIV and SPSEL; SPSEL as it was in Thread mode.
  case control
  /// The limits of the stack pointers (ARMv8-M).
  case msplim, psplim
  /// N is bit 31 of `negative`, Z is set if `zero` is 0, C is bit 0 of `carry`, V is bit 31 of `overflow`: an
  /// instruction's result can be stored as it is. Q is bit 0 of `saturated`.
  case negative, zero, carry, overflow, saturated
  /// GE, in bits 0 to 3.
  case greaterEqual
  /// ITSTATE of the instruction at PC.
  case itState
  /// The number of the exception being handled, 0 in Thread mode.
  case ipsr
  /// The event register of WFE.
  case event
  /// Whether the CPU waits by WFE and not by WFI.
  case waitsForEvent
  /// ``Configuration``
  case configuration
  /// 1 once the CPU has locked up.
  case lockup
  /// The bits of BASEPRI that exist, and whether any exception is pending and enabled: copies for translation.
  case priorityMask, ready

  static var first: Int { 17 }
  static var count: Int { ready.rawValue + 1 }
  var register: Int { Self.first + rawValue }
  /// The byte offset in the state block; ``RegisterFile`` gives each register 8 bytes.
  var offset: Int { StateOffset.registers + 8 * register }

  var isShown: Bool { rawValue <= Slot.psplim.rawValue }
  /// What a CPU needs to have it.
  var needs: Features {
    switch self {
    case .basepri, .faultmask: .main
    case .msplim, .psplim: [.main, .v8]
    default: []
    }
  }
}

/// What the system control block says about instructions: a copy for translation, kept in the state block.
struct Configuration: OptionSet, Sendable {
  let rawValue: UInt32
  /// CCR.UNALIGN_TRP
  static var trapsUnaligned: Self { .init(rawValue: 1) }
  /// CCR.DIV_0_TRP
  static var trapsDivideByZero: Self { .init(rawValue: 2) }
  /// The MPU restricts accesses.
  static var protectsMemory: Self { .init(rawValue: 4) }
  /// It does so in handlers of NMI and HardFault and under FAULTMASK, too.
  static var protectsFaultHandlers: Self { .init(rawValue: 8) }
  /// CCR.STKOFHFNMIGN: no stack limits in those (ARMv8-M).
  static var freesFaultHandlers: Self { .init(rawValue: 16) }
  /// DebugMonitor steps the next instruction. No business of translation.
  static var steps: Self { .init(rawValue: 32) }
}

extension ARMGuest {
  public func readRegister(_ cpu: VCPUState, _ register: Int) -> UInt64 {
    let core = Core(cpu)
    switch register {
    case ARMRegisters.pc: return cpu.pc
    case ARMRegisters.xpsr: return UInt64(core.xpsr)
    case Slot.msp.register: return UInt64(core.mainStack)
    case Slot.psp.register: return UInt64(core.processStack)
    case Slot.control.register: return UInt64(core.control)
    case ARMRegisters.d(0)..<ARMRegisters.d(16):
      let first = 2 * (register - ARMRegisters.d(0))
      return UInt64(core[s: first + 1]) << 32 | UInt64(core[s: first])
    case ARMRegisters.fpscr: return UInt64(core.fpscr)
    default: return UInt64(cpu.load(registerFile.registers[register].offset, as: UInt32.self))
    }
  }

  public func writeRegister(_ cpu: VCPUState, _ register: Int, _ value: UInt64) {
    let core = Core(cpu)
    let wide = value
    let value = UInt32(truncatingIfNeeded: value)
    switch register {
    case ARMRegisters.d(0)..<ARMRegisters.d(16):
      let first = 2 * (register - ARMRegisters.d(0))
      (core[s: first], core[s: first + 1]) = (value, UInt32(wide >> 32))
    case ARMRegisters.fpscr: core.fpscr = value
    case ARMRegisters.pc:
      cpu.pc = UInt64(value & ~1)
      // A debugger that sends the CPU elsewhere ends the lock-up.
      core[.lockup] = 0
    case ARMRegisters.sp: core[r: register] = value & ~3
    case ARMRegisters.xpsr: core.xpsr = value
    case Slot.msp.register: core.mainStack = value
    case Slot.psp.register: core.processStack = value
    case Slot.control.register: core.control = value
    case Slot.msplim.register: core[.msplim] = value & ~7
    case Slot.psplim.register: core[.psplim] = value & ~7
    default: cpu.store(UInt64(value), at: registerFile.registers[register].offset)
    }
  }

  /// Takes stack pointer and PC from the vector table at `pc` (ARMv7-M manual, B1.5.5 "Reset behavior").
  public func reset(_ cpu: VCPUState, number: Int, pc: UInt64) {
    for register in registerFile.registers { cpu.store(UInt64(0), at: register.offset) }
    let core = Core(cpu)
    core[.zero] = 1
    core[.priorityMask] = 0xFF
    if model.features.contains(.float) { core.resetFloat() }
    core[r: ARMRegisters.lr] = 0xFFFF_FFFF
    let context = cpu.context
    core.system?.reset(vectorTable: UInt32(truncatingIfNeeded: pc))
    core.system?.publishMasks()
    guard let stack = context.readPhysical(pc, size: 4), let entry = context.readPhysical(pc &+ 4, size: 4) else {
      core.system?.state.unreadVector = UInt32(truncatingIfNeeded: pc)
      return core.lockUp(Cause(.reset, .vectorTable))
    }
    core[r: ARMRegisters.sp] = UInt32(stack) & ~3
    cpu.pc = entry ^ 1
    core.system?.noteReset()
  }
}
