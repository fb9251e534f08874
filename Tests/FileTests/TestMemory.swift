// Owns what hosts need of the invented guest to run it: its memory, with a device and a hole.

import GuestKit
import HostKit
import IR
import TestSupport

extension TestGuest {
  static var configuration: HostConfiguration {
    unsafe HostConfiguration(
      registers: file.registers.map { RegisterSlot(offset: $0.offset, type: $0.type) }, pinOrder: file.pinOrder,
      helpers: helpers, slowAccess: TestMemory.access, floatEnvironment: file.floatEnvironment,
      codeCacheSize: 4 << 20, checksAllocation: true)
  }
}

/// 4 KiB of memory at 0. Beyond: 0x2000 reads the retired count, a write to 0x2008 sets the budget; all else raises 5
/// (load) or 7 (others) with the address.
enum TestMemory {
  static let size: UInt64 = 0x1000

  static let access: SlowAccessFunction = { state, address, value, third, descriptor in
    let cpu = unsafe VCPUState(state)
    let request = SlowAccess(rawValue: descriptor)
    let bytes = request.access.size
    cpu.accessOutcome = .completed
    if address == 0x2000, request.opcode == .load {
      cpu.accessOutcome = .completedOnDevice
      return TestGuest.retired(cpu)
    }
    if address == 0x2008, request.opcode == .store {
      cpu.budget = Int64(bitPattern: value)
      return 0
    }
    let misaligned = request.access.aligned && address % UInt64(bytes) != 0
    guard address < size, address + UInt64(bytes) <= size, !misaligned else {
      cpu.exceptionCause = request.opcode == .load ? 5 : 7
      cpu.exceptionValue = address
      cpu.exitReason = .exception
      cpu.accessOutcome = .left
      return 0
    }
    let memory = unsafe cpu.load(StateOffset.context, as: UnsafeMutableRawPointer.self) + Int(address)
    if bytes == 16 {
      guard request.opcode == .store else {
        cpu.store(unsafe memory.loadUnaligned(fromByteOffset: 8, as: UInt64.self), at: StateOffset.upperData)
        return unsafe memory.loadUnaligned(as: UInt64.self)
      }
      unsafe memory.storeBytes(of: value, as: UInt64.self)
      unsafe memory.storeBytes(of: cpu.load(StateOffset.upperData), toByteOffset: 8, as: UInt64.self)
      return 0
    }
    var raw: UInt64 = 0
    for byte in 0..<bytes {
      let shift = UInt64(8 * (request.access.bigEndian ? bytes - 1 - byte : byte))
      raw |= unsafe UInt64(memory.load(fromByteOffset: byte, as: UInt8.self)) << shift
    }
    let bits = 8 * bytes
    let mask = bits >= 64 ? UInt64.max : (1 << UInt64(bits)) - 1
    func write(_ value: UInt64) {
      for byte in 0..<bytes {
        let shift = UInt64(8 * (request.access.bigEndian ? bytes - 1 - byte : byte))
        unsafe memory.storeBytes(of: UInt8(truncatingIfNeeded: value >> shift), toByteOffset: byte, as: UInt8.self)
      }
    }
    switch request.opcode {
    case .store: write(value)
    case .compareExchange: if raw == value & mask { write(third) }
    case .atomic where request.atomicKind == .loadReserved:
      cpu.store(address, at: StateOffset.reservedAddress)
      cpu.store(request.access.bigEndian ? raw.byteSwapped >> UInt64(64 - bits) : raw, at: StateOffset.reservedValue)
      cpu.store(UInt32(bytes), at: StateOffset.reservedSize)
    case .atomic where request.atomicKind == .storeConditional:
      let bits = request.access.bigEndian ? raw.byteSwapped >> UInt64(64 - bits) : raw
      let holds =
        cpu.load(StateOffset.reservedAddress) == address && cpu.load(StateOffset.reservedSize) == UInt32(bytes)
        && cpu.load(StateOffset.reservedValue, as: UInt64.self) & mask == bits
      cpu.store(UInt32(0), at: StateOffset.reservedSize)
      if holds { write(value) }
      return holds ? 0 : 1
    case .atomic:
      write(combine(request.atomicKind, raw, value & mask, bits))
    default: break
    }
    guard request.access.signed, bits < 64 else { return raw }
    return raw >> UInt64(bits - 1) & 1 == 1 ? raw | ~mask : raw
  }

  private static func combine(_ kind: AtomicKind, _ old: UInt64, _ new: UInt64, _ bits: Int) -> UInt64 {
    switch kind {
    case .exchange, .storeConditional: new
    case .loadReserved: old
    case .add: old &+ new
    case .and: old & new
    case .or: old | new
    case .xor: old ^ new
    case .minSigned: Condition.lessSigned.holds(old, new, bits: bits) ? old : new
    case .maxSigned: Condition.greaterSigned.holds(old, new, bits: bits) ? old : new
    case .minUnsigned: min(old, new)
    case .maxUnsigned: max(old, new)
    }
  }
}
