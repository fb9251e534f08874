// Owns the Data Watchpoint and Trace unit, and the registers of the Flash Patch and Breakpoint unit (ARMv7-M manual,
// C1.8 and C1.11; ARMv8-M manual, B15).

import Bits
import Bus
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

  private var cycleCount: UInt32 {
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

  /// Of the Main Extension.
  static func debugUnitRegisters(_ features: Features) -> Registers {
    let isV8 = features.contains(.v8)
    let count = DebugUnitState.comparators
    return [
      Register(
        "DWT_CTRL", 0x1000,
        [
          .field("CYCCNTENA", 0), .field("POSTPRESET", 1..<5), .field("POSTINIT", 5..<9), .field("CYCTAP", 9),
          .field("SYNCTAP", 10..<12), .field("PCSAMPLENA", 12), .field("EXCTRCENA", 16), .field("CPIEVTENA", 17),
          .field("EXCEVTENA", 18), .field("SLEEPEVTENA", 19), .field("LSUEVTENA", 20), .field("FOLDEVTENA", 21),
          .field("CYCEVTENA", 22), .field("NUMCOMP", 28..<32),
        ]
      ).onRead { UInt32(DebugUnitState.comparators) << 28 | $0.state.debug.control }
        .onWrite { system, value in
          system.keepingCycleCount { system.state.debug.control = value & 0x7F_FFFF }
        }.inParts(),
      Register("DWT_CYCCNT", 0x1004).onRead { $0.cycleCount }.onWrite { $0.setCycleCount($1) }.inParts(),
      Register("DWT_PCSR", 0x101C, .readOnly).onRead { UInt32(truncatingIfNeeded: $0.core?.cpu.pc ?? 0) & ~1 },
      Register("DWT_COMP", 0x1020, count: count, stride: 16).onRead { $0.state.debug.value[$1] }
        .onWrite { system, value, index in
          system.state.debug.value[index] = value
          system.publishComparators()
        }.inParts(),
      Register("DWT_MASK", 0x1024, count: count, stride: 16, [.field("MASK", 0..<5)])
        .onRead { $0.state.debug.mask[$1] }
        .onWrite { system, value, index in
          system.state.debug.mask[index] = isV8 ? 0 : value
          system.publishComparators()
        }.inParts(),
      // Reading clears MATCHED. ID of ARMv8-M; LNK1ENA of ARMv7-M: a second address can be linked.
      Register("DWT_FUNCTION", 0x1028, count: count, stride: 16)
        .onRead { system, index in
          system.state.debug.function[index] | (isV8 ? 0x5800_0000 : index == valueComparator ? 1 << 9 : 0)
        }
        .afterRead { $0.state.debug.function[$1] &= ~(1 << 24) }
        .onWrite { $0.writeFunction($2, $1) }.inParts(),
      Register("FP_CTRL", 0x2000, [.field("ENABLE", 0), .field("KEY", 1), .field("NUM", 4..<12)])
        .onRead { 0x260 | $0.state.debug.patchControl }.onWrite { $0.writePatchControl($1) }.inParts(),
      Register("FP_REMAP", 0x2004).onRead { $0.state.debug.patches[0] }.onWrite { $0.state.debug.patches[0] = $1 }
        .inParts(),
      Register("FP_COMP", 0x2008, count: 8).onRead { $0.state.debug.patches[1 + $1] }
        .onWrite { $0.state.debug.patches[1 + $2] = $1 }.inParts(),
    ]
  }

  private func writePatchControl(_ value: UInt32) {
    // KEY
    guard value & 2 != 0 else { return }
    state.debug.patchControl = value & 1
    if value & 1 != 0 {
      unimplemented.once("the FPB stores its comparators and does nothing with them: use breakpoints", context)
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
    publishComparators()
  }
}

extension ARMGuest {
  public func comparatorMatched(_ cpu: VCPUState, _ comparator: Comparator, isWrite: Bool) -> GuestException? {
    let core = Core(cpu)
    return core.system?.matched(comparator, isWrite: isWrite, core)
  }
}
