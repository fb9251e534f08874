// Owns the counters that generated code counts in.

/// 64-bit counters at addresses that never move.
@safe struct CounterTable {
  private var slots = unsafe [CounterKey: UnsafeMutablePointer<UInt64>]()

  /// The host address of a counter.
  mutating func address(_ key: CounterKey) -> UInt64 {
    if let slot = unsafe slots[key] { return UInt64(UInt(bitPattern: slot)) }
    let slot = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
    unsafe slot.initialize(to: 0)
    unsafe slots[key] = slot
    return UInt64(UInt(bitPattern: slot))
  }

  func value(_ key: CounterKey) -> UInt64? {
    guard let slot = unsafe slots[key] else { return nil }
    return unsafe slot.pointee
  }

  func forEach(_ body: (CounterKey, UInt64) -> Void) {
    unsafe slots.forEach { unsafe body($0.key, $0.value.pointee) }
  }

  func resetAll() { unsafe slots.values.forEach { unsafe $0.pointee = 0 } }
}
