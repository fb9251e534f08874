// Owns atomic updates, load-reserved and store-conditional by the softmmu TLB. vCPUs take turns on one thread, so nobody
// sees memory in the midst of one.

import HostKit
import IR

extension Interpreter {
  /// Makes an update where the TLB has the page, and for store-conditional, the reservation holds.
  ///
  /// - Returns: what was there, as the op gives it; 0 for store-conditional. Nil if nothing was done.
  @inline(never)
  func update(_ op: PackedOp, _ address: UInt64, _ operand: UInt64, _ cpu: VCPUState) -> UInt64? {
    let (access, size) = (op.access, op.access.size)
    guard op.usesTLB, address & UInt64(size &- 1) == 0, let kind = AtomicKind(rawValue: op.extra),
      let tlb = unsafe cpu.load(StateOffset.softTLB, as: UnsafePointer<UInt64>?.self)
    else { return nil }
    let index = SoftTLB.index(address)
    let tags = kind == .loadReserved ? SoftTLB.readTags : SoftTLB.writeTags
    guard unsafe tlb[tags / 8 + index] == address & ~0xFFF,
      let place = unsafe UnsafeMutableRawPointer(
        bitPattern: UInt(truncatingIfNeeded: tlb[SoftTLB.addends / 8 + index] &+ address))
    else { return nil }
    let mask = UInt64.max >> UInt64(64 - 8 * size)
    let old = unsafe Self.load(place, size)
    switch kind {
    case .loadReserved:
      cpu.store(address, at: StateOffset.reservedAddress)
      cpu.store(old, at: StateOffset.reservedValue)
      cpu.store(UInt32(truncatingIfNeeded: size), at: StateOffset.reservedSize)
    case .storeConditional:
      guard cpu.load(StateOffset.reservedAddress) == address,
        cpu.load(StateOffset.reservedSize, as: UInt32.self) == UInt32(truncatingIfNeeded: size),
        cpu.load(StateOffset.reservedValue, as: UInt64.self) & mask == old
      else { return nil }
      cpu.store(UInt32(0), at: StateOffset.reservedSize)
      unsafe Self.store(operand, place, size)
      return 0
    default: unsafe Self.store(kind.combine(old, operand & mask, bits: 8 * size), place, size)
    }
    guard access.signed else { return old }
    let shift = UInt64(64 - 8 * size)
    return UInt64(bitPattern: Int64(bitPattern: old << shift) >> Int64(shift)) & op.type.mask
  }

  private static func load(_ place: UnsafeMutableRawPointer, _ size: Int) -> UInt64 {
    switch size {
    case 1: UInt64(unsafe place.load(as: UInt8.self))
    case 2: UInt64(unsafe place.load(as: UInt16.self))
    case 4: UInt64(unsafe place.load(as: UInt32.self))
    default: unsafe place.load(as: UInt64.self)
    }
  }

  private static func store(_ value: UInt64, _ place: UnsafeMutableRawPointer, _ size: Int) {
    switch size {
    case 1: unsafe place.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
    case 2: unsafe place.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
    case 4: unsafe place.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
    default: unsafe place.storeBytes(of: value, as: UInt64.self)
    }
  }
}
