// Owns the exact atomic accesses: read-modify-write, compare-exchange, and reservations.

import GuestKit
import HostKit
import IR

extension VCPU {
  func atomic(
    _ address: UInt64, _ operand: UInt64, _ request: SlowAccess
  ) throws(AccessFailure) -> UInt64 {
    let access = request.access
    let bits = access.size * 8
    let mask: UInt64 = bits == 64 ? .max : (1 << UInt64(bits)) - 1
    switch request.atomicKind {
    case .loadReserved:
      try checkAlignment(address, access, .read)
      try watch(address, access.size, reads: true)
      let value = try read(address, access, .read)
      reservation = Reservation(address: address, size: access.size, value: value)
      return extend(value, access, to: request.type)
    case .storeConditional:
      let held = reservation
      reservation = nil
      do throws(AccessFailure) {
        return try storeConditional(address, ordered(operand & mask, access), access, held)
      } catch {
        // After a watchpoint the instruction is executed again, and is to find its reservation.
        if case .exception = error {} else { reservation = held }
        throw error
      }
    default:
      let old = try readForUpdate(address, access)
      let new = request.atomicKind.combine(ordered(old, access), operand & mask, bits: bits)
      _ = try write(address, new, access)
      return extend(old, access, to: request.type)
    }
  }

  /// - Returns: 0 if the store was made, else 1: then it is no access, and hits no watchpoint.
  private func storeConditional(
    _ address: UInt64, _ value: UInt64, _ access: MemoryAccess,
    _ held: Reservation?
  ) throws(AccessFailure) -> UInt64 {
    let size = access.size
    try checkAlignment(address, access, .write)
    let physical = try translate(address, size, .write, access.space)
    guard let held, held.address == address, held.size == size else { return 1 }
    guard try readPhysical(physical, size, address, .write) == held.value else { return 1 }
    try watch(address, size, writes: true)
    try writePhysical(physical, size, value, address)
    seenAccesses?.append(SeenAccess(address: address, size: size, isWrite: true, value: value))
    return 0
  }

  func compareExchange(
    _ address: UInt64, _ expected: UInt64, _ new: UInt64, _ request: SlowAccess
  ) throws(AccessFailure) -> UInt64 {
    let access = request.access
    let mask: UInt64 = access.size == 8 ? .max : (1 << UInt64(8 * access.size)) - 1
    let old = try readForUpdate(address, access)
    if ordered(old, access) == expected & mask { _ = try write(address, new & mask, access) }
    return extend(old, access, to: request.type)
  }

  /// Reads with the rights a write needs, so that faults are those of a store. It counts as both for watchpoints.
  private func readForUpdate(
    _ address: UInt64, _ access: MemoryAccess
  ) throws(AccessFailure) -> UInt64 {
    try checkAlignment(address, access, .write)
    try watch(address, access.size, reads: true, writes: true)
    return try read(address, access, .write)
  }
}
