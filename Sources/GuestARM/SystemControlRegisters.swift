// Owns the registers of the system control space: which of them each architecture has, and what accesses to those of the
// interrupt controller and the system control block do (ARMv7-M manual, B3.2 to B3.4; ARMv6-M manual, tables B3-3 to B3-6;
// ARMv8-M manual, D1.2).

import Bits
import Bus
import GuestKit

extension SystemControl {
  /// The registers of a CPU. Offsets are from the start of the Private Peripheral Bus.
  static func declare(_ features: Features, interrupts: Int, regions: Int) -> RegisterTable<SystemControl> {
    let isMain = features.contains(.main)
    return RegisterTable(
      tickRegisters, interruptRegisters(features, interrupts), controlRegisters(features), handlerRegisters(features),
      regions > 0 ? protectionRegisters(features) : [],
      isMain ? faultRegisters + accessRegisters + traceRegisters + debugUnitRegisters(features) : [],
      isMain && features.contains(.float) ? floatRegisters(features) : [],
      reserved: reserved(features))
  }

  /// Where software looks for what a CPU may have and these have not: components without a model; interrupts, regions of
  /// memory and a floating-point unit that are not there; identification, caches; the Security Extension.
  private static func reserved(_ features: Features) -> [Range<UInt64>] {
    let (isMain, isV8) = (features.contains(.main), features.contains(.v8))
    var list: [Range<UInt64>] = [0..<0xE000, 0xED90..<(isMain ? 0xEDC8 : 0xEDA4), 0xEFD0..<0x10_0000]
    if isMain || isV8 { list += [0xE100..<0xE800] }
    if isMain { list += [0xED40..<0xED88, 0xEF34..<0xEF80] }
    if isV8 { list += [0xEDD0..<0xEDEC] }
    return list
  }

  /// To debuggers, what is not there is zero too.
  public func peek(region: Int, offset: UInt64, size: Int) -> UInt64? { table.peek(self, offset, size: size) ?? 0 }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    if size < 4 {
      // Of what is written to a stimulus port, the size is sent.
      if offset < 0x80 { return writeStimulus(Int(offset / 4), size: size, UInt32(truncatingIfNeeded: value)) }
      let isPriority = (0xE400..<0xE800).contains(offset) || (0xED18..<0xED24).contains(offset)
      guard !isPriority || isMain || isV8 else {
        return context.log(.guestError, "a write of \(size) bytes to \(offset.hex0x()), whose priorities are of words")
      }
    }
    table.write(self, offset, size: size, value)
  }

  // MARK: Architectures

  var isMain: Bool { features.contains(.main) }
  var isV8: Bool { features.contains(.v8) }

  /// CCR at reset: STKALIGN, and UNALIGN_TRP of CPUs that have no unaligned accesses. Of ARMv8-M, where a handler may return
  /// to Thread mode whatever is active, bit 0 too; there these bits stay set, and elsewhere than in ARMv7-M all do.
  var fixedConfiguration: UInt32 { 1 << 9 | (isMain ? 0 : 1 << 3) | (isV8 ? 1 : 0) }

  // MARK: Interrupt controller

  /// ARMv6-M has 32 interrupts at most, and does not show which are active.
  private static func interruptRegisters(_ features: Features, _ interrupts: Int) -> Registers {
    let isLarge = features.contains(.main) || features.contains(.v8)
    let words = isLarge ? (interrupts + 31) / 32 : 1
    let list: Registers = [
      Register("NVIC_ISER", 0xE100, count: words).onRead { $0.state.enabled.interrupts($1) }
        .onWrite { system, bits, word in system.forInterrupts(word, bits) { system.state.enabled[$0] = true } },
      Register("NVIC_ICER", 0xE180, count: words).onRead { $0.state.enabled.interrupts($1) }
        .onWrite { system, bits, word in system.forInterrupts(word, bits) { system.state.enabled[$0] = false } },
      Register("NVIC_ISPR", 0xE200, count: words).onRead { $0.state.pending.interrupts($1) }
        .onWrite { system, bits, word in system.forInterrupts(word, bits) { system.setPending($0) } },
      Register("NVIC_ICPR", 0xE280, count: words).onRead { $0.state.pending.interrupts($1) }
        .onWrite { system, bits, word in system.forInterrupts(word, bits) { system.clearPending($0) } },
      Register("NVIC_IPR", 0xE400, count: (min(interrupts, 32 * words) + 3) / 4, priorityFields)
        .onRead { $0.priorities(from: ExceptionNumber.firstInterrupt + 4 * $1) }
        .onWrite { $0.setPriorities(from: ExceptionNumber.firstInterrupt + 4 * $2, $1) }.inParts(),
    ]
    guard isLarge else { return list }
    return list + [
      Register("NVIC_IABR", 0xE300, .readOnly, count: words).onRead { $0.state.active.interrupts($1) }
    ]
  }

  private static let priorityFields: [Field] = (0..<4).map { .field("PRI_N\($0)", 8 * $0..<8 * $0 + 8) }

  /// The priorities of four exceptions, a byte each.
  private func priorities(from first: Int) -> UInt32 {
    (0..<4).reduce(0) { value, byte in
      hasPriority(first + byte) ? value | UInt32(state.priority[first + byte]) << UInt32(8 * byte) : value
    }
  }

  private func setPriorities(from first: Int, _ value: UInt32) {
    for byte in 0..<4 where hasPriority(first + byte) {
      state.priority[first + byte] = UInt8(truncatingIfNeeded: value >> UInt32(8 * byte) & priorityMask)
    }
    notice()
  }

  /// Whether an exception's priority can be set. Without the Main Extension there are those of SVCall, PendSV and SysTick
  /// and of interrupts.
  private func hasPriority(_ number: Int) -> Bool {
    if number >= ExceptionNumber.firstInterrupt { return number < ExceptionNumber.firstInterrupt + interruptCount }
    return isMain || number == 11 || number >= 14
  }

  private func clearPending(_ number: Int) { state.pending[number] = state.level[number] && !state.active[number] }

  // MARK: System control block

  private static func controlRegisters(_ features: Features) -> Registers {
    let (isMain, isV8) = (features.contains(.main), features.contains(.v8))
    var list: Registers = [
      Register("ACTLR", 0xE008, [.unimplemented("IMPDEF", 0..<32)]),
      Register("CPUID", 0xED00, .readOnly).onRead { $0.identifier },
      Register(
        "ICSR", 0xED04,
        [
          .field("VECTACTIVE", 0..<9), .field("VECTPENDING", 12..<21), .field("ISRPENDING", 22),
          .field("PENDSTCLR", 25), .field("PENDSTSET", 26), .field("PENDSVCLR", 27), .field("PENDSVSET", 28),
          .field("NMIPENDSET", 31),
        ] + (isMain ? [.field("RETTOBASE", 11)] : []) + (isV8 ? [.field("NMIPENDCLR", 30)] : [])
      ).onRead { $0.interruptControl }.onWrite { $0.writeInterruptControl($1) }.inParts(),
      Register(
        "AIRCR", 0xED0C,
        [.field("SYSRESETREQ", 2), .field("VECTKEY", 16..<32)] + (isMain ? [.field("PRIGROUP", 8..<11)] : [])
      ).onRead { 0xFA05_0000 | $0.state.priorityGroup << 8 }.onWrite { $0.writeReset($1) }.inParts(),
      Register("SCR", 0xED10, [.field("SLEEPONEXIT", 1), .field("SLEEPDEEP", 2), .field("SEVONPEND", 4)])
        .onRead { $0.state.systemControl }.onWrite { $0.state.systemControl = $1 }.inParts(),
      Register("CCR", 0xED14, isMain ? .readWrite : .readOnly, configurationFields(features))
        .onRead { $0.state.configuration }.onWrite { $0.writeConfiguration($1) }.inParts(),
      Register("DFSR", 0xED30).onRead { $0.state.debugFaultStatus }.onWrite { $0.state.debugFaultStatus &= ~$1 },
      // A debugger's; that one is attached is all that software sees.
      Register("DHCSR", 0xEDF0, [.field("C_DEBUGEN", 0)]).onRead { $0.isDebugged ? 1 : 0 },
      Register("DEMCR", 0xEDFC, monitorFields(features))
        .onRead { $0.state.debugControl | ($0.state.pending[ExceptionNumber.debugMonitor.rawValue] ? 1 << 17 : 0) }
        .onWrite { $0.writeDebugControl($1) }.inParts(),
    ]
    if isMain {
      list += [
        Register("ICTR", 0xE004, .readOnly).onRead { UInt32($0.interruptCount - 1) / 32 },
        Register("STIR", 0xEF00, .writeOnly, [.field("INTID", 0..<9)]).onWrite { system, number in
          system.forInterrupts(Int(number / 32), 1 << (number & 31)) { system.setPending($0) }
        },
      ]
    }
    guard features.contains(.unprivileged) else { return list }
    let mask: UInt32 = isMain || isV8 ? ~0x7F : ~0xFF
    return list + [
      Register("VTOR", 0xED08).onRead { $0.state.vectorTable }.onWrite { $0.state.vectorTable = $1 & mask }.inParts()
    ]
  }

  /// ARMv8-M adds STKOFHFNMIGN.
  private static func configurationFields(_ features: Features) -> [Field] {
    let list: [Field] = [.field("UNALIGN_TRP", 3), .field("STKALIGN", 9)]
    guard features.contains(.main) else { return list }
    return list + [
      .field("NONBASETHRDENA", 0), .field("USERSETMPEND", 1), .field("DIV_0_TRP", 4), .field("BFHFNMIGN", 8),
    ] + (features.contains(.v8) ? [.field("STKOFHFNMIGN", 10)] : [])
  }

  /// Without the Main Extension there is no DebugMonitor, and less to catch.
  private static func monitorFields(_ features: Features) -> [Field] {
    let isMain = features.contains(.main)
    let caught = VectorCatch.words.filter { isMain || [.coreReset, .hardFault].contains($0.bit) }
    return caught.map { .field($0.name, $0.bit.rawValue.trailingZeroBitCount) } + [.field("TRCENA", 24)]
      + (isMain ? [.field("MON_EN", 16), .field("MON_PEND", 17), .field("MON_STEP", 18), .field("MON_REQ", 19)] : [])
  }

  /// Priorities of system exceptions, and which of them are active and pending. Without the Main Extension the first word of
  /// priorities is not there.
  private static func handlerRegisters(_ features: Features) -> Registers {
    let isMain = features.contains(.main)
    let first = isMain ? 4 : 8
    let places = places(features).map { Field.field($0.name, Int($0.bit)) }
    return [
      Register("SHPR", isMain ? 0xED18 : 0xED1C, count: isMain ? 3 : 2, priorityFields)
        .onRead { $0.priorities(from: first + 4 * $1) }.onWrite { $0.setPriorities(from: first + 4 * $2, $1) }
        .inParts(),
      Register(
        "SHCSR", 0xED24,
        places + (isMain ? [.field("MEMFAULTENA", 16), .field("BUSFAULTENA", 17), .field("USGFAULTENA", 18)] : [])
      ).onRead { $0.handlerControl }.onWrite { $0.writeHandlerControl($1) }.inParts(),
    ]
  }

  /// Of the Main Extension.
  private static var faultRegisters: Registers {
    [
      Register("CFSR", 0xED28).onRead { $0.state.faultStatus }.onWrite { $0.state.faultStatus &= ~$1 },
      Register("HFSR", 0xED2C).onRead { $0.state.hardFaultStatus }.onWrite { $0.state.hardFaultStatus &= ~$1 },
      Register("MMFAR", 0xED34).onRead { $0.state.memManageAddress }.onWrite { $0.state.memManageAddress = $1 }
        .inParts(),
      Register("BFAR", 0xED38).onRead { $0.state.busFaultAddress }.onWrite { $0.state.busFaultAddress = $1 }.inParts(),
      Register("AFSR", 0xED3C),
    ]
  }

  /// The CPU's clock.
  var cycles: UInt64 { context.clocks.cpu.ticks }

  private var interruptControl: UInt32 {
    var value = currentException
    if let pending = mostUrgent { value |= UInt32(pending) << 12 }
    if state.pending.hasInterrupts { value |= 1 << 22 }
    if isMain, activeCount <= 1 { value |= 1 << 11 }
    if state.pending[ExceptionNumber.sysTick.rawValue] { value |= 1 << 26 }
    if state.pending[ExceptionNumber.pendSV.rawValue] { value |= 1 << 28 }
    if state.pending[ExceptionNumber.nmi.rawValue] { value |= 1 << 31 }
    return value
  }

  /// SHCSR's places of active and pending exceptions.
  private static let handlerPlaces: [HandlerPlace] = [
    ("MEMFAULTACT", 0, .memManage, false), ("BUSFAULTACT", 1, .busFault, false),
    ("USGFAULTACT", 3, .usageFault, false), ("SVCALLACT", 7, .svCall, false), ("MONITORACT", 8, .debugMonitor, false),
    ("PENDSVACT", 10, .pendSV, false), ("SYSTICKACT", 11, .sysTick, false), ("USGFAULTPENDED", 12, .usageFault, true),
    ("MEMFAULTPENDED", 13, .memManage, true), ("BUSFAULTPENDED", 14, .busFault, true),
    ("SVCALLPENDED", 15, .svCall, true),
  ]
  private typealias HandlerPlace = (name: String, bit: UInt32, number: ExceptionNumber, isPending: Bool)

  /// Those the architecture has: ARMv6-M that of SVCall's being pending alone.
  private static func places(_ features: Features) -> [HandlerPlace] {
    guard !features.contains(.main) else { return handlerPlaces }
    return handlerPlaces.filter { features.contains(.v8) ? [7, 10, 11, 15].contains($0.bit) : $0.bit == 15 }
  }

  private var handlerControl: UInt32 {
    Self.places(features).reduce(state.handlerControl) { value, place in
      let set = place.isPending ? state.pending : state.active
      return set[place.number.rawValue] ? value | 1 << place.bit : value
    }
  }

  private func forInterrupts(_ index: Int, _ bits: UInt32, _ body: (Int) -> Void) {
    var left = bits
    while left != 0 {
      let interrupt = 32 * index + left.trailingZeroBitCount
      if interrupt < interruptCount { body(ExceptionNumber.firstInterrupt + interrupt) }
      left &= left &- 1
    }
    notice()
  }

  private func writeInterruptControl(_ value: UInt32) {
    if value >> 31 != 0 {
      setPending(ExceptionNumber.nmi.rawValue)
    } else if value >> 30 & 1 != 0 {
      // NMIPENDCLR of ARMv8-M.
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
    state.priorityGroup = value >> 8 & 7
    if value & 4 != 0 { requestReset() }
    notice()
  }

  /// DEMCR: what a debugger catches, the DebugMonitor exception, and TRCENA, which the units of trace need.
  private func writeDebugControl(_ value: UInt32) {
    // MON_PEND is the exception's.
    keepingCycleCount { state.debugControl = value & ~(1 << 17) }
    let monitor = ExceptionNumber.debugMonitor.rawValue
    state.enabled[monitor] = value & 1 << 16 != 0
    state.pending[monitor] = value & 1 << 17 != 0
    publishComparators()
    notice()
  }

  private func writeConfiguration(_ value: UInt32) {
    state.configuration = isV8 ? value | fixedConfiguration : value
    publishConfiguration()
  }

  private func writeHandlerControl(_ value: UInt32) {
    if features.contains(.main) {
      state.handlerControl = value & 0x7_0000
      for (bit, number) in [(16, 4), (17, 5), (18, 6)] { state.enabled[number] = value >> bit & 1 != 0 }
    }
    for place in Self.places(features) {
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
