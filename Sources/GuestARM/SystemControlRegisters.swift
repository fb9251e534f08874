// Owns the registers of the system control space: their declaration and what accesses do (ARMv7-M manual, B3.2 to B3.4).

import Bits
import Bus
import GuestKit

extension SystemControl {
  /// Offsets are from the start of the Private Peripheral Bus.
  static func declare(_ features: Features, interrupts: Int) -> [Register] {
    let words = (interrupts + 31) / 32
    let (isMain, isV8) = (features.contains(.main), features.contains(.v8))
    var list: [Register] = [
      Register(
        "SYST_CSR", 0xE010, sideEffectOnRead: true,
        [.field("ENABLE", 0), .field("TICKINT", 1), .field("CLKSOURCE", 2), .field("COUNTFLAG", 16)]),
      Register("SYST_RVR", 0xE014),
      Register("SYST_CVR", 0xE018),
      Register("SYST_CALIB", 0xE01C, .readOnly),
      Register("NVIC_ISER", 0xE100, count: words),
      Register("NVIC_ICER", 0xE180, count: words),
      Register("NVIC_ISPR", 0xE200, count: words),
      Register("NVIC_ICPR", 0xE280, count: words),
      Register("CPUID", 0xED00, .readOnly),
      Register(
        "ICSR", 0xED04,
        [
          .field("VECTACTIVE", 0..<9), .field("VECTPENDING", 12..<21), .field("ISRPENDING", 22),
          .field("PENDSTSET", 26), .field("PENDSVSET", 28), .field("NMIPENDSET", 31),
        ] + (isMain ? [.field("RETTOBASE", 11)] : [])),
      Register("AIRCR", 0xED0C, [.field("SYSRESETREQ", 2)] + (isMain ? [.field("PRIGROUP", 8..<11)] : [])),
      Register("SCR", 0xED10, [.field("SLEEPONEXIT", 1), .field("SLEEPDEEP", 2), .field("SEVONPEND", 4)]),
      Register("CCR", 0xED14, isMain ? configurationFields : [.field("UNALIGN_TRP", 3), .field("STKALIGN", 9)]),
      Register("SHCSR", 0xED24, isMain ? handlerFields : [.field("SVCALLPENDED", 15)]),
      Register("DFSR", 0xED30),
      Register("DHCSR", 0xEDF0, [.field("C_DEBUGEN", 0)]),
      Register("DEMCR", 0xEDFC),
    ]
    // ARMv6-M has priorities by the word, and three system exceptions with one.
    list +=
      isMain || isV8
      ? [
        Register("NVIC_IPR", 0xE400, width: 1, count: interrupts),
        Register("NVIC_IABR", 0xE300, .readOnly, count: words),
      ] : [Register("NVIC_IPR", 0xE400, count: (interrupts + 3) / 4)]
    list.append(
      isMain ? Register("SHPR", 0xED18, width: 1, count: 12) : Register("SHPR", 0xED1C, count: 2))
    if features.contains(.unprivileged) { list.append(Register("VTOR", 0xED08)) }
    if features.contains(.mpu) {
      list += [
        Register("MPU_TYPE", 0xED90, .readOnly, [.field("DREGION", 8..<16)]),
        Register("MPU_CTRL", 0xED94, [.field("ENABLE", 0), .field("HFNMIENA", 1), .field("PRIVDEFENA", 2)]),
        Register("MPU_RNR", 0xED98), Register("MPU_RBAR", 0xED9C), Register(isV8 ? "MPU_RLAR" : "MPU_RASR", 0xEDA0),
      ]
    }
    guard isMain else { return list }
    list += [
      Register("ICTR", 0xE004, .readOnly),
      Register("CFSR", 0xED28),
      Register("HFSR", 0xED2C),
      Register("MMFAR", 0xED34),
      Register("BFAR", 0xED38),
      Register("CPACR", 0xED88, [.field("CP10", 20..<22), .field("CP11", 22..<24)]),
      Register("AFSR", 0xED3C),
      Register("STIR", 0xEF00, .writeOnly),
      Register("DWT_CTRL", 0x1000, [.field("CYCCNTENA", 0)]),
      Register("DWT_CYCCNT", 0x1004),
      Register("DWT_COMP", 0x1020, count: DebugUnitState.comparators, stride: 16),
      Register("DWT_FUNCTION", 0x1028, sideEffectOnRead: true, count: DebugUnitState.comparators, stride: 16),
      Register("FP_CTRL", 0x2000),
      Register("ITM_TER", 0x0E00),
      Register("ITM_TPR", 0x0E40),
      Register("ITM_TCR", 0x0E80, [.field("ITMENA", 0)]),
    ]
    guard features.contains(.float) else { return list }
    list += [
      Register(
        "FPCCR", 0xEF34, [.field("LSPACT", 0), .field("USER", 1), .field("LSPEN", 30), .field("ASPEN", 31)]),
      Register("FPCAR", 0xEF38),
      Register("FPDSCR", 0xEF3C),
      Register("MVFR0", 0xEF40, .readOnly),
      Register("MVFR1", 0xEF44, .readOnly),
      Register("MVFR2", 0xEF48, .readOnly),
    ]
    return list
  }

  private static let configurationFields: [Bus.Field] = [
    .field("NONBASETHRDENA", 0), .field("USERSETMPEND", 1), .field("UNALIGN_TRP", 3), .field("DIV_0_TRP", 4),
    .field("BFHFNMIGN", 8), .field("STKALIGN", 9),
  ]
  private static let handlerFields: [Bus.Field] = [
    .field("MEMFAULTENA", 16), .field("BUSFAULTENA", 17), .field("USGFAULTENA", 18),
  ]

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    let shift = 8 * (offset & 3)
    if (0xE400..<0xE800).contains(offset) || (0xED18..<0xED24).contains(offset) {
      return (0..<UInt64(size)).reduce(0) { value, byte in
        value | UInt64(prioritized(offset + byte).map { state.priority[$0] } ?? 0) << (8 * byte)
      }
    }
    return UInt64(word(offset & ~3, isPeek: false)) >> shift & .mask(8 * size)
  }

  public func peek(region: Int, offset: UInt64, size: Int) -> UInt64? {
    if (0xE400..<0xE800).contains(offset) || (0xED18..<0xED24).contains(offset) {
      return read(region: region, offset: offset, size: size)
    }
    return UInt64(word(offset & ~3, isPeek: true)) >> (8 * (offset & 3)) & .mask(8 * size)
  }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    if (0xE400..<0xE800).contains(offset) || (0xED18..<0xED24).contains(offset) {
      guard size == 4 || isMain || isV8 else {
        return context.log(.guestError, "a write of \(size) bytes to \(offset.hex0x()), whose priorities are of words")
      }
      for byte in 0..<UInt64(size) {
        guard let number = prioritized(offset + byte) else { continue }
        state.priority[number] = UInt8(truncatingIfNeeded: value >> (8 * byte)) & UInt8(priorityMask)
      }
      return notice()
    }
    if offset < 0x1000 { return writeStimulus(offset, size: size, UInt32(truncatingIfNeeded: value)) }
    // Other registers are of words; of a smaller access the rest is as it reads, if the register holds a value.
    var value = UInt32(truncatingIfNeeded: value)
    if size < 4 {
      let isAction = (0xE100..<0xE400).contains(offset) || (0xED28..<0xED34).contains(offset)
      let old = isAction ? 0 : UInt64(word(offset & ~3, isPeek: true))
      let first = 8 * Int(offset & 3)
      value = UInt32(truncatingIfNeeded: old.replacingBits(first..<first + 8 * size, with: UInt64(value)))
    }
    write(offset & ~3, value)
  }

  /// The exception whose priority a byte of the priority registers holds.
  private func prioritized(_ offset: UInt64) -> Int? {
    let number = Int(offset >= 0xED18 ? offset - 0xED18 + 4 : offset - 0xE400 + 16)
    if number >= 16 { return number < 16 + interruptCount ? number : nil }
    // ARMv6-M has those of SVCall, PendSV and SysTick alone.
    return features.contains(.main) || number == 11 || number >= 14 ? number : nil
  }

  // MARK: Architectures

  var isMain: Bool { features.contains(.main) }
  var isV8: Bool { features.contains(.v8) }

  /// CCR at reset: STKALIGN, and UNALIGN_TRP of CPUs that have no unaligned accesses. Of ARMv8-M, where a handler may return
  /// to Thread mode whatever is active, bit 0 too; there these bits stay set, and elsewhere than in ARMv7-M all do.
  var fixedConfiguration: UInt32 { 1 << 9 | (isMain ? 0 : 1 << 3) | (isV8 ? 1 : 0) }

  /// Whether the architecture leaves a word of the System Control Space empty that a larger one has a register at
  /// (ARMv6-M manual, tables B3-3 to B3-6; ARMv8-M manual, D1.2, "Present only if the Main Extension is implemented").
  private func isReserved(_ offset: UInt64) -> Bool {
    guard !isMain else { return false }
    switch offset {
    // ICTR; CFSR and HFSR; MMFAR, BFAR and AFSR; identification and CPACR; STIR and cache maintenance.
    case 0xE004, 0xED28..<0xED30, 0xED34..<0xED8C, 0xEF00..<0xEF80: return true
    case 0xE300..<0xE340: return !isV8
    case 0xED08: return !features.contains(.unprivileged)
    // One word of interrupts, and their priorities.
    case 0xE104..<0xE180, 0xE184..<0xE200, 0xE204..<0xE280, 0xE284..<0xE300, 0xE420..<0xE800: return !isV8
    // The MPU's aliases.
    case 0xEDA4..<0xEDBC: return true
    default: return false
    }
  }

  // MARK: Reading

  private func word(_ offset: UInt64, isPeek: Bool) -> UInt32 {
    switch offset {
    case _ where isReserved(offset):
      if !isPeek { unimplemented.unknown(offset: offset, isWrite: false, of: context) }
      return 0
    case 0xE004: return UInt32((interruptCount - 1) / 32)
    case 0xE008: return 0
    case 0xE010: return readTickControl(isPeek: isPeek)
    case 0xE014: return state.tick.reload
    case 0xE018: return tickValue
    case 0xE01C: return tickCalibration
    case 0xE100..<0xE140: return state.enabled.interrupts(Int(offset - 0xE100) / 4)
    case 0xE180..<0xE1C0: return state.enabled.interrupts(Int(offset - 0xE180) / 4)
    case 0xE200..<0xE240: return state.pending.interrupts(Int(offset - 0xE200) / 4)
    case 0xE280..<0xE2C0: return state.pending.interrupts(Int(offset - 0xE280) / 4)
    case 0xE300..<0xE340: return state.active.interrupts(Int(offset - 0xE300) / 4)
    case 0xED00: return identifier
    case 0xED04: return interruptControl
    case 0xED08: return state.vectorTable
    case 0xED0C: return 0xFA05_0000 | state.priorityGroup << 8
    case 0xED10: return state.systemControl
    case 0xED14: return state.configuration
    case 0xED24: return handlerControl
    case 0xED28: return state.faultStatus
    case 0xED2C: return state.hardFaultStatus
    case 0xED30: return state.debugFaultStatus
    case 0xED34: return state.memManageAddress
    case 0xED38: return state.busFaultAddress
    case _ where Self.isFloatRegister(offset): return readFloatRegister(offset)
    case 0xED3C: return 0
    case 0xED90..<0xEDC8: return readProtection(offset)
    // Identification; CLIDR, CTR, CCSIDR and CSSELR: there are no caches.
    case 0xED40..<0xED88: return 0
    case 0xEDF0: return isDebugged ? 1 : 0
    case 0xEDFC:
      return state.debugControl | (state.pending[ExceptionNumber.debugMonitor.rawValue] ? 1 << 17 : 0)
    case 0x0000..<0x1000: return readStimulus(offset)
    case 0x1000..<0x3000: return readTraceUnit(offset, isPeek: isPeek)
    // The Security Extension's registers (ITNS, SAU, SFSR), identification registers, components that are not there.
    case 0xE380..<0xE3C0 where features.contains(.v8), 0xEDD0..<0xEDEC where features.contains(.v8): return 0
    case 0xEFD0..<0xF000, 0x0000..<0xE000, 0xF000...: return 0
    default:
      if !isPeek { unimplemented.unknown(offset: offset, isWrite: false, of: context) }
      return 0
    }
  }

  /// The CPU's clock.
  var cycles: UInt64 { context.clocks.cpu.ticks }

  private var interruptControl: UInt32 {
    var value = currentException
    if let pending = mostUrgent { value |= UInt32(pending) << 12 }
    for index in 0..<16 where state.pending.interrupts(index) != 0 { value |= 1 << 22 }
    if isMain, activeCount <= 1 { value |= 1 << 11 }
    if state.pending[ExceptionNumber.sysTick.rawValue] { value |= 1 << 26 }
    if state.pending[ExceptionNumber.pendSV.rawValue] { value |= 1 << 28 }
    if state.pending[ExceptionNumber.nmi.rawValue] { value |= 1 << 31 }
    return value
  }

  /// SHCSR's places of active and pending exceptions.
  private static let handlerBits: [(bit: UInt32, number: ExceptionNumber, isPending: Bool)] = [
    (0, .memManage, false), (1, .busFault, false), (3, .usageFault, false), (7, .svCall, false),
    (8, .debugMonitor, false), (10, .pendSV, false), (11, .sysTick, false), (12, .usageFault, true),
    (13, .memManage, true), (14, .busFault, true), (15, .svCall, true),
  ]

  private var handlerControl: UInt32 {
    places.reduce(state.handlerControl) { value, place in
      let set = place.isPending ? state.pending : state.active
      return set[place.number.rawValue] ? value | 1 << place.bit : value
    }
  }

  /// Those the architecture has: ARMv6-M that of SVCall's being pending alone.
  private var places: [(bit: UInt32, number: ExceptionNumber, isPending: Bool)] {
    isMain ? Self.handlerBits : Self.handlerBits.filter { isV8 ? [7, 10, 11, 15].contains($0.bit) : $0.bit == 15 }
  }

  // MARK: Writing

  private func write(_ offset: UInt64, _ value: UInt32) {
    switch offset {
    case _ where isReserved(offset): unimplemented.unknown(offset: offset, isWrite: true, of: context)
    case 0xE010: writeTickControl(value)
    case 0xE014: writeTickReload(value)
    case 0xE018: clearTickValue()
    case 0xE100..<0xE140: forInterrupts(Int(offset - 0xE100) / 4, value) { state.enabled[$0] = true }
    case 0xE180..<0xE1C0: forInterrupts(Int(offset - 0xE180) / 4, value) { state.enabled[$0] = false }
    case 0xE200..<0xE240: forInterrupts(Int(offset - 0xE200) / 4, value) { setPending($0) }
    case 0xE280..<0xE2C0:
      forInterrupts(Int(offset - 0xE280) / 4, value) { state.pending[$0] = state.level[$0] && !state.active[$0] }
    case 0xED04: writeInterruptControl(value)
    case 0xED08: state.vectorTable = value & (isMain || isV8 ? ~0x7F : ~0xFF)
    case 0xED0C: writeReset(value)
    case 0xED10:
      state.systemControl = value & 0x16
    case 0xED14 where isMain:
      // ARMv8-M adds STKOFHFNMIGN.
      state.configuration = isV8 ? value & 0x51A | fixedConfiguration : value & 0x31B
      publishConfiguration()
    case 0xED24: writeHandlerControl(value)
    case 0xED28: state.faultStatus &= ~value
    case 0xED2C: state.hardFaultStatus &= ~value
    case 0xED30: state.debugFaultStatus &= ~value
    case 0xED34: state.memManageAddress = value
    case 0xED38: state.busFaultAddress = value
    case _ where Self.isFloatRegister(offset): writeFloatRegister(offset, value)
    case 0xED90..<0xEDC8: writeProtection(offset, value)
    case 0xEF00: forInterrupts(Int(value & 0x1FF) / 32, 1 << (value & 31)) { setPending($0) }
    case 0xEDF0: break
    case 0xEDFC: writeDebugControl(value)
    case 0x1000..<0x3000: writeTraceUnit(offset, value)
    case 0xED14, 0xED3C, 0xED00: break
    // CSSELR and cache maintenance.
    case 0xED84, 0xEF50..<0xEF7C: break
    // Trace port, ROM table; the Security Extension's registers.
    case 0x4_0000..<0x4_3000, 0xF_F000...: break
    case 0xE380..<0xE3C0 where features.contains(.v8), 0xEDD0..<0xEDEC where features.contains(.v8): break
    default: unimplemented.unknown(offset: offset, isWrite: true, of: context)
    }
  }

  private func forInterrupts(_ index: Int, _ bits: UInt32, _ body: (Int) -> Void) {
    for bit in 0..<32 where bits >> UInt32(bit) & 1 != 0 && 32 * index + bit < interruptCount {
      body(ExceptionNumber.firstInterrupt + 32 * index + bit)
    }
    notice()
  }

  private func writeInterruptControl(_ value: UInt32) {
    if value >> 31 != 0 {
      setPending(ExceptionNumber.nmi.rawValue)
    } else if isV8, value >> 30 & 1 != 0 {
      // NMIPENDCLR
      state.pending[ExceptionNumber.nmi.rawValue] = false
    }
    if value >> 28 & 1 != 0 { setPending(ExceptionNumber.pendSV.rawValue) }
    if value >> 27 & 1 != 0 { state.pending[ExceptionNumber.pendSV.rawValue] = false }
    if value >> 26 & 1 != 0 { setPending(ExceptionNumber.sysTick.rawValue) }
    if value >> 25 & 1 != 0 { clearPendingTick() }
    notice()
  }

  /// AIRCR: needs the key 0x05FA.
  private func writeReset(_ value: UInt32) {
    guard value >> 16 == 0x05FA else { return }
    if features.contains(.main) { state.priorityGroup = value >> 8 & 7 }
    if value & 4 != 0 { requestReset() }
    notice()
  }

  /// DEMCR: what a debugger catches, the DebugMonitor exception, and TRCENA, which the units of trace need.
  private func writeDebugControl(_ value: UInt32) {
    // Without the Main Extension TRCENA, VC_HARDERR and VC_CORERESET alone, and no DebugMonitor.
    keepingCycleCount { state.debugControl = value & (isMain ? 0x010D_07F1 : 0x0100_0401) }
    let monitor = ExceptionNumber.debugMonitor.rawValue
    state.enabled[monitor] = isMain && value & 1 << 16 != 0
    state.pending[monitor] = isMain && value & 1 << 17 != 0
    publishComparators()
    notice()
  }

  private func writeHandlerControl(_ value: UInt32) {
    if features.contains(.main) {
      state.handlerControl = value & 0x7_0000
      for (bit, number) in [(16, 4), (17, 5), (18, 6)] { state.enabled[number] = value >> bit & 1 != 0 }
    }
    for place in places {
      let isSet = value >> place.bit & 1 != 0
      if place.isPending {
        state.pending[place.number.rawValue] = isSet
      } else {
        state.active[place.number.rawValue] = isSet
      }
    }
    notice()
  }
}
