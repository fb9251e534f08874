// Owns the Data Watchpoint and Trace unit, and the registers of the Flash Patch and Breakpoint unit (ARMv7-M manual,
// C1.8 and C1.11; ARMv8-M manual, B15).

import Bits
import GuestKit
import IR

struct DebugUnitState: Codable, Sendable, Equatable {
  static let comparators = 4

  /// DWT_CTRL's enables.
  var control: UInt32 = 0
  /// CYCCNT less the CPU's clock while it counts, its value while it stands.
  var cycleBase: UInt64 = 0
  var value = [UInt32](repeating: 0, count: comparators)
  /// DWT_MASK of ARMv7-M.
  var mask = [UInt32](repeating: 0, count: comparators)
  var function = [UInt32](repeating: 0, count: comparators)
  /// FP_CTRL, FP_REMAP and the comparators: stored.
  var patchControl: UInt32 = 0
  var patches = [UInt32](repeating: 0, count: 9)
}

extension SystemControl {
  // MARK: The cycle counter

  private var countsCycles: Bool { state.debug.control & 1 != 0 && state.debugControl & 1 << 24 != 0 }

  var cycleCount: UInt32 {
    UInt32(truncatingIfNeeded: countsCycles ? cycles &- state.debug.cycleBase : state.debug.cycleBase)
  }

  private func setCycleCount(_ value: UInt32) {
    state.debug.cycleBase = countsCycles ? cycles &- UInt64(value) : UInt64(value)
  }

  /// Keeps the count over a change of what lets it run.
  func keepingCycleCount(_ change: () -> Void) {
    let value = cycleCount
    change()
    setCycleCount(value)
  }

  // MARK: Comparators

  /// The comparator of ARMv7-M's cores that can compare values.
  private static var valueComparator: Int { 1 }

  /// What comparator `index` waits for; nothing if it is off or of a kind that traces only.
  private func comparators(_ index: Int) -> [Comparator] {
    let function = state.debug.function[index]
    // DATAVMATCH
    guard !features.contains(.v8), function & 1 << 8 != 0 else { return comparator(index).map { [$0] } ?? [] }
    let (onRead, onWrite) = (function & 13 == 5, function & 14 == 6)
    guard onRead || onWrite else { return [] }
    let value = ComparedValue(bits: UInt64(state.debug.value[index]), size: 1 << Int(min(function >> 10 & 3, 2)))
    // DATAVADDR0 and DATAVADDR1: the comparators whose addresses count; its own number means any address.
    let links = Set([Int(function >> 12 & 15), Int(function >> 16 & 15)]).sorted()
    let places: [(address: UInt64, size: UInt64)] = links.compactMap { link in
      guard link != index else { return links.count == 1 ? (0, 1 << 32) : nil }
      guard link < DebugUnitState.comparators else { return nil }
      return (UInt64(state.debug.value[link]), 1 << UInt64(min(state.debug.mask[link] & 31, 15)))
    }
    return places.map { place in
      Comparator(
        number: index, address: place.address & ~(place.size - 1), length: place.size, isInstruction: false,
        onRead: onRead, onWrite: onWrite, value: value)
    }
  }

  private func comparator(_ index: Int) -> Comparator? {
    let function = state.debug.function[index]
    let address = UInt64(state.debug.value[index])
    func watch(_ read: Bool, _ write: Bool, _ size: UInt64) -> Comparator {
      Comparator(
        number: index, address: address & ~(size - 1), length: size, isInstruction: false, onRead: read, onWrite: write)
    }
    if features.contains(.v8) {
      // ACTION 1 is a debug event; DATAVSIZE the size of what is watched.
      guard function >> 4 & 3 == 1 else { return nil }
      let size: UInt64 = 1 << UInt64(function >> 10 & 3)
      switch function & 15 {
      case 2:
        return Comparator(
          number: index, address: address & ~1, length: 2, isInstruction: true, onRead: false, onWrite: false)
      case 4: return watch(true, true, size)
      case 5: return watch(false, true, size)
      case 6: return watch(true, false, size)
      default: return nil
      }
    }
    let size: UInt64 = 1 << UInt64(min(state.debug.mask[index] & 31, 15))
    switch function & 15 {
    case 4:
      return Comparator(
        number: index, address: address & ~1, length: 2, isInstruction: true, onRead: false, onWrite: false)
    case 5: return watch(true, false, size)
    case 6: return watch(false, true, size)
    case 7: return watch(true, true, size)
    default: return nil
    }
  }

  /// Tells the engine what to compare. Without TRCENA, and while nothing would come of it, there is nothing.
  func publishComparators() {
    let isUsed = state.debugControl & 1 << 24 != 0 && (isDebugged || state.debugControl & 1 << 16 != 0)
    let list = isUsed ? (0..<DebugUnitState.comparators).flatMap(comparators) : []
    guard list != comparators else { return }
    comparators = list
    core?.cpu.context.setComparators(list)
  }

  /// A comparator matched: DebugMonitor if it is enabled, else a stop for the debugger that is attached.
  func matched(_ comparator: Comparator, isWrite: Bool, _ core: Core) -> GuestException? {
    state.debug.function[comparator.number] |= 1 << 24
    guard state.debugControl & 1 << 16 == 0 else {
      let number = ExceptionNumber.debugMonitor.rawValue
      guard groupPriority(priority(number)) < executionPriority(core) else { return nil }
      state.debugFaultStatus |= 1 << 2
      return GuestException(cause: Cause(.debugMonitor).rawValue)
    }
    guard isDebugged else { return nil }
    state.debugFaultStatus |= 1 << 2
    let what = comparator.isInstruction ? "execution" : isWrite ? "a write" : "a read"
    let value = comparator.value.map { " of \(($0.bits & ((1 << UInt64(8 * $0.size)) - 1)).hex0x())" } ?? ""
    let place = comparator.length < 1 << 32 ? " at \(comparator.address.hex0x())" : ""
    stopReason = "DWT comparator \(comparator.number) matched \(what)\(value)\(place)"
    return nil
  }

  // MARK: Registers

  func readTraceUnit(_ offset: UInt64, isPeek: Bool) -> UInt32 {
    guard features.contains(.main) else { return 0 }
    switch offset {
    case 0x1000: return UInt32(DebugUnitState.comparators) << 28 | state.debug.control
    case 0x1004: return cycleCount
    case 0x101C: return UInt32(truncatingIfNeeded: core?.cpu.pc ?? 0) & ~1
    case 0x1020..<0x1060:
      let index = Int(offset - 0x1020) / 16
      switch offset & 15 {
      case 0: return state.debug.value[index]
      case 4: return state.debug.mask[index]
      case 8:
        let value = state.debug.function[index]
        // Reading clears MATCHED.
        if !isPeek { state.debug.function[index] &= ~(1 << 24) }
        // ID of ARMv8-M; LNK1ENA of ARMv7-M: a second address can be linked.
        if features.contains(.v8) { return value | 0x5800_0000 }
        return index == Self.valueComparator ? value | 1 << 9 : value
      default: return 0
      }
    case 0x2000: return 0x260 | state.debug.patchControl
    case 0x2004..<0x2028: return state.debug.patches[Int(offset - 0x2004) / 4]
    default: return 0
    }
  }

  func writeTraceUnit(_ offset: UInt64, _ value: UInt32) {
    guard features.contains(.main) else { return }
    switch offset {
    case 0x1000: keepingCycleCount { state.debug.control = value & 0x7F_FFFF }
    case 0x1004: setCycleCount(value)
    case 0x1020..<0x1060:
      let index = Int(offset - 0x1020) / 16
      switch offset & 15 {
      case 0: state.debug.value[index] = value
      case 4: state.debug.mask[index] = features.contains(.v8) ? 0 : value & 31
      case 8: writeFunction(index, value)
      default: break
      }
      publishComparators()
    case 0x2000:
      // Bit 1 is the key.
      guard value & 2 != 0 else { return }
      state.debug.patchControl = value & 1
      if value & 1 != 0 {
        unimplemented.once("the FPB stores its comparators and does nothing with them: use breakpoints", context)
      }
    case 0x2004..<0x2028: state.debug.patches[Int(offset - 0x2004) / 4] = value
    // The other counters and the identification of the units.
    case 0x1008..<0x1020, 0x1060..<0x2000, 0x2028..<0x3000: break
    default: break
    }
  }

  private func writeFunction(_ index: Int, _ value: UInt32) {
    let isV8 = features.contains(.v8)
    // Of ARMv7-M, comparator 0 can compare cycles, and one comparator can compare values.
    let fields: UInt32 = isV8 ? 0xC3F : index == 0 ? 0xAF : index == Self.valueComparator ? 0xF_FD2F : 0x2F
    state.debug.function[index] = value & fields
    let isRange = isV8 && [1, 3, 7, 8, 9, 10, 11, 12].contains(value & 15)
    let isCycles = !isV8 && index == 0 && value & 1 << 7 != 0
    let isTrace = !isV8 && (1...3).contains(value & 15)
    if isRange || isCycles || isTrace {
      let missing = isV8 ? "comparing cycles, values or ranges" : isCycles ? "comparing cycles" : "tracing"
      unimplemented.once("DWT_FUNCTION\(index): \(missing) is not implemented", context)
    }
  }
}

extension ARMGuest {
  public func comparatorMatched(_ cpu: VCPUState, _ comparator: Comparator, isWrite: Bool) -> GuestException? {
    let core = Core(cpu)
    return core.system?.matched(comparator, isWrite: isWrite, core)
  }
}
