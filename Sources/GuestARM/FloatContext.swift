// Owns what the exception model has to do with floating point: access control, the extended stack frame and its lazy
// preservation (ARMv7-M manual, B1.5.7 "Stack alignment and the FP extension", B1.5.6 and B3.2.20 to B3.2.26).

import Bus
import GuestKit
import IR

/// Bits of FPCCR, the Floating-point Context Control Register.
struct FloatContextControl: OptionSet, Sendable {
  let rawValue: UInt32
  /// The frame's floating-point part has been reserved but not written.
  static var isLazyActive: Self { .init(rawValue: 1 << 0) }
  static var wasUser: Self { .init(rawValue: 1 << 1) }
  static var wasThread: Self { .init(rawValue: 1 << 3) }
  static var hardFaultReady: Self { .init(rawValue: 1 << 4) }
  static var memManageReady: Self { .init(rawValue: 1 << 5) }
  static var busFaultReady: Self { .init(rawValue: 1 << 6) }
  static var monitorReady: Self { .init(rawValue: 1 << 8) }
  /// LSPEN and ASPEN: preservation is lazy; is done at all.
  static var preservesLazily: Self { .init(rawValue: 1 << 30) }
  static var preserves: Self { .init(rawValue: 1 << 31) }
}

extension Core {
  var floatContext: FloatContextControl {
    get { FloatContextControl(rawValue: self[.floatContext]) }
    nonmutating set { self[.floatContext] = newValue.rawValue }
  }

  /// CONTROL.FPCA: the current context has used floating point.
  var hasFloatContext: Bool {
    get { self[.control] & 4 != 0 }
    nonmutating set { self[.control] = self[.control] & ~4 | (newValue ? 4 : 0) }
  }

  /// Whether CPACR lets the current mode use floating point.
  var mayUseFloat: Bool { self[.floatAccess] == 3 || self[.floatAccess] == 1 && isPrivileged }

  /// Whether a floating-point instruction has nothing to do before itself: neither to preserve the registers of another
  /// context nor to begin a context of its own.
  var isFloatReady: Bool {
    let context = floatContext
    return mayUseFloat && !context.contains(.isLazyActive) && (hasFloatContext || !context.contains(.preserves))
  }

  /// The modes floating-point instructions run in, once ready.
  var floatModes: FloatModes {
    if !hasFloatContext, floatContext.contains(.preserves) { return FloatModes(self[.floatDefault]) }
    return FloatModes(self[.floatModes] | FloatModes.field(self[.floatRounding]))
  }

  /// Before a floating-point instruction (ExecuteFPCheck()).
  ///
  /// - Returns: the fault it raises, if it does.
  func prepareFloat() -> (cause: Cause, address: UInt32)? {
    guard mayUseFloat else { return (Cause(.usageFault, .noCoprocessor), 0) }
    if floatContext.contains(.isLazyActive) {
      let rights = !floatContext.contains(.wasUser)
      if let cause = writeFloat(at: self[.floatAddress] & ~7, privileged: rights, isLazy: true) { return (cause, 0) }
      floatContext.remove(.isLazyActive)
    }
    if floatContext.contains(.preserves), !hasFloatContext {
      setFloatModes(self[.floatDefault])
      hasFloatContext = true
    }
    return nil
  }

  /// Writes s0–s15 and FPSCR to a frame; when it is reserved for them and not now made, so PreserveFPState().
  private func writeFloat(at address: UInt32, privileged: Bool, isLazy: Bool) -> Cause? {
    let words = (0..<16).map { self[s: $0] } + [fpscr]
    for (index, word) in words.enumerated() {
      let place = address &+ 4 * UInt32(index)
      if let system, !system.permits(place, size: 4, .write, privileged: privileged, self) {
        return Cause(.memManage, isLazy ? .lazyAccess : .stackingAccess)
      }
      cpu.context.willTransfer(UInt64(place), size: 4, isWrite: true)
      guard cpu.context.writePhysical(UInt64(place), size: 4, UInt64(word)) else {
        return Cause(.busFault, isLazy ? .lazyBus : .stackingBus)
      }
    }
    return nil
  }

  // MARK: Frames

  /// Bytes of the floating-point part of a frame.
  static var floatFrameSize: UInt32 { 0x48 }

  /// Stacks the floating-point part of a frame at `address`, or reserves its place.
  func pushFloat(at address: UInt32, _ system: SystemControl) -> Cause? {
    guard floatContext.contains(.preservesLazily) else {
      return writeFloat(at: address, privileged: isPrivileged, isLazy: false)
    }
    self[.floatAddress] = address
    var context = floatContext.intersection([.preserves, .preservesLazily])
    context.formUnion(system.readyFaults(self))
    context.insert(.isLazyActive)
    if !isHandler { context.insert(.wasThread) }
    if !isPrivileged { context.insert(.wasUser) }
    floatContext = context
    return nil
  }

  /// Takes the floating-point part of a frame at `address` back, unless the registers still hold it.
  func popFloat(at address: UInt32, privileged: Bool, _ system: SystemControl) -> Cause? {
    if floatContext.contains(.isLazyActive) {
      floatContext.remove(.isLazyActive)
      return nil
    }
    guard mayUseFloat else { return Cause(.usageFault, .noCoprocessor) }
    var words: [UInt32] = []
    for index in 0..<17 {
      let place = address &+ 4 * UInt32(index)
      guard system.permits(place, size: 4, .read, privileged: privileged, self) else {
        return Cause(.memManage, .unstackingAccess)
      }
      cpu.context.willTransfer(UInt64(place), size: 4, isWrite: false)
      guard let word = cpu.context.readPhysical(UInt64(place), size: 4) else {
        return Cause(.busFault, .unstackingBus)
      }
      words.append(UInt32(word))
    }
    for number in 0..<16 { self[s: number] = words[number] }
    fpscr = words[16]
    return nil
  }

  /// The unit as reset leaves it.
  func resetFloat() {
    floatContext = [.preserves, .preservesLazily]
    fpscr = 0
  }
}

extension FaultStatus {
  /// The MPU or the bus denies the preservation of floating-point state (MLSPERR and LSPERR).
  static var lazyAccess: Self { .init(rawValue: 1 << 5) }
  static var lazyBus: Self { .init(rawValue: 1 << 13) }
}

extension SystemControl {
  /// Which faults could be taken at the present priority, for FPCCR.
  func readyFaults(_ core: Core) -> FloatContextControl {
    let current = executionPriority(core)
    func isReady(_ number: ExceptionNumber, _ enable: UInt32) -> Bool {
      state.handlerControl & enable != 0 && groupPriority(priority(number.rawValue)) < current
    }
    var ready: FloatContextControl = current > -1 ? [.hardFaultReady] : []
    if isReady(.memManage, 1 << 16) { ready.insert(.memManageReady) }
    if isReady(.busFault, 1 << 17) { ready.insert(.busFaultReady) }
    return ready
  }

  /// CPACR, of the Main Extension.
  static var accessRegisters: Registers {
    [
      Register("CPACR", 0xED88, [.field("CP10", 20..<22), .field("CP11", 22..<24)])
        .onRead { ($0.floatCore?[.floatAccess] ?? 0) * 5 << 20 }.onWrite { $0.writeFloatAccess($1) }.inParts()
    ]
  }

  /// The registers of the Floating-point Extension.
  static func floatRegisters(_ features: Features) -> Registers {
    let isDouble = features.contains(.double)
    let hasMore = features.contains(.float5)
    return [
      Register(
        "FPCCR", 0xEF34,
        [
          .field("LSPACT", 0), .field("USER", 1), .field("THREAD", 3), .field("HFRDY", 4), .field("MMRDY", 5),
          .field("BFRDY", 6), .field("MONRDY", 8), .field("LSPEN", 30), .field("ASPEN", 31),
        ]
      ).floating(.floatContext),
      Register("FPCAR", 0xEF38).floating(.floatAddress, mask: ~7),
      Register("FPDSCR", 0xEF3C).floating(.floatDefault, mask: FloatModes.mask),
      Register("MVFR0", 0xEF40, .readOnly).onRead { _ in isDouble ? 0x1011_0221 : 0x1011_0021 },
      Register("MVFR1", 0xEF44, .readOnly).onRead { _ in isDouble ? 0x1200_0011 : 0x1100_0011 },
      Register("MVFR2", 0xEF48, .readOnly).onRead { _ in hasMore ? 0x40 : 0 },
    ]
  }

  /// The CPU, if it has a floating-point unit.
  fileprivate var floatCore: Core? { features.contains(.float) ? core : nil }

  private func writeFloatAccess(_ value: UInt32) {
    guard features.contains(.float) else {
      if value & 0xF0_0000 != 0 { unimplemented.once("CPACR: this CPU has no floating-point unit", context) }
      return
    }
    let access = value >> 20 & 3
    floatCore?[.floatAccess] = access == 2 ? 0 : access
    notice()
  }
}

extension DeviceRegister<SystemControl> {
  /// A register that is kept in one of the CPU's slots.
  fileprivate func floating(_ slot: FloatSlot, mask: UInt32 = .max) -> Self {
    onRead { $0.floatCore?[slot] ?? 0 }
      .onWrite { system, value in
        guard let core = system.floatCore else { return }
        core[slot] = value & mask
        system.notice()
      }.inParts()
  }
}
