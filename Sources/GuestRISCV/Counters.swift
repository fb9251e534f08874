// Owns the counters and timers (Zicntr; Privileged Architecture, 3.1.10–3.1.12). One instruction takes one cycle; there
// are no event counters, so all of them read 0.

import GuestKit
import IR

extension CSR {
  static var time: Int { 0xC01 }
  static let counters: [CSR] = timers + hardwareCounters

  private static let timers: [CSR] = [
    CSR(0xC00, "cycle", needs: .counters, guard: .counter, read: { $0.counter(.cycleBase) }),
    CSR(time, "time", needs: .counters, guard: .counter, read: { $0.cpu.platformTime }),
    CSR(0xC02, "instret", needs: .counters, guard: .counter, read: { $0.counter(.instretBase) }),
    CSR(
      0xC80, "cycleh", needs: [.counters, .rv32], guard: .counter, read: { $0.counter(.cycleBase) >> 32 }),
    CSR(
      0xC81, "timeh", needs: [.counters, .rv32], guard: .counter, read: { $0.cpu.platformTime >> 32 }),
    CSR(
      0xC82, "instreth", needs: [.counters, .rv32], guard: .counter, read: { $0.counter(.instretBase) >> 32 }),
    CSR(
      0xB00, "mcycle", effect: .counter(.cycleBase), read: { $0.counter(.cycleBase) },
      write: { $0.setCounterLow(.cycleBase, $1) }),
    CSR(
      0xB02, "minstret", effect: .counter(.instretBase), read: { $0.counter(.instretBase) },
      write: { $0.setCounterLow(.instretBase, $1) }),
    CSR(
      0xB80, "mcycleh", needs: .rv32, effect: .counter(.cycleBase), read: { $0.counter(.cycleBase) >> 32 },
      write: { $0.setCounterHigh(.cycleBase, $1) }),
    CSR(
      0xB82, "minstreth", needs: .rv32, effect: .counter(.instretBase), read: { $0.counter(.instretBase) >> 32 },
      write: { $0.setCounterHigh(.instretBase, $1) }),
    CSR(0x320, "mcountinhibit", read: { $0[.mcountinhibit] }, write: { $0.inhibitCounters($1) }),
  ]

  private static let hardwareCounters: [CSR] = (3..<32).flatMap { (number: Int) -> [CSR] in
    [
      .constant(0xB00 + number, "mhpmcounter\(number)"),
      .constant(0xB80 + number, "mhpmcounter\(number)h", needs: .rv32),
      .constant(0x320 + number, "mhpmevent\(number)"),
      CSR(0xC00 + number, "hpmcounter\(number)", needs: .counters, guard: .counter, read: { _ in 0 }),
      CSR(
        0xC80 + number, "hpmcounter\(number)h", needs: [.counters, .rv32], guard: .counter, read: { _ in 0 }),
    ]
  }
}

extension Hart {
  /// The bit of a counter in `mcountinhibit`.
  private func isInhibited(_ base: Slot) -> Bool {
    self[.mcountinhibit] & (base == .cycleBase ? 1 : 4) != 0
  }

  /// The value of `mcycle` or `minstret` as the current instruction sees it.
  func counter(_ base: Slot) -> UInt64 {
    isInhibited(base) ? self[base] : self[base] &+ cpu.context.retiredInstructions
  }

  private func setCounter(_ base: Slot, _ value: UInt64) {
    self[base] = isInhibited(base) ? value : value &- cpu.context.retiredInstructions
  }

  /// Leaves the current instruction, which wrote the counter, out of its count: the next one reads what was written.
  func skipOne(_ base: Slot) {
    if !isInhibited(base) { self[base] &-= 1 }
  }

  func setCounterLow(_ base: Slot, _ value: UInt64) {
    setCounter(base, xlen == 64 ? value : counter(base) & ~0xFFFF_FFFF | value)
  }

  func setCounterHigh(_ base: Slot, _ value: UInt64) {
    setCounter(base, counter(base) & 0xFFFF_FFFF | value << 32)
  }

  /// Stops or starts counting after the current instruction.
  func inhibitCounters(_ value: UInt64) {
    let retired = cpu.context.retiredInstructions &+ 1
    let changed = self[.mcountinhibit] ^ value
    for (base, bit) in [(Slot.cycleBase, UInt64(1)), (.instretBase, 4)] where changed & bit != 0 {
      self[base] = value & bit != 0 ? self[base] &+ retired : self[base] &- retired
    }
    self[.mcountinhibit] = value & 5
  }
}
