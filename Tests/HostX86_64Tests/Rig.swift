// A little machine to run blocks on: a state block, a memory window with some RAM, a device, a TLB and helpers.

import Glibc
import HostKit
import HostX86_64
import IR

/// Guest memory as the tests know it: RAM, a device whose reads depend on what was written, nothing elsewhere.
enum GuestMap {
  static let ramBase: UInt64 = 0x8000_0000
  static let ramSize: UInt64 = 64 << 10
  static let deviceBase: UInt64 = 0x1000_0000
  static let deviceSize: UInt64 = 0x1000
  static let faultCause: UInt64 = 5

  static func isRAM(_ address: UInt64, _ size: Int) -> Bool {
    address >= ramBase && address <= ramBase + ramSize - UInt64(size)
  }
  static func isDevice(_ address: UInt64) -> Bool { address >= deviceBase && address < deviceBase + deviceSize }
}

/// Where the slow path, a C function, finds RAM and device. One rig is used at a time.
struct Backing {
  var device: UInt64 = 0
  var slowAccesses = 0
}
nonisolated(unsafe) var backing = Backing()

/// What load-reserved leaves for store-conditional; nothing if the size is 0.
struct Reservation: Equatable {
  var address: UInt64 = 0
  var size = 0
  var value: UInt64 = 0
}

extension VCPUState {
  var reservation: Reservation {
    get {
      let size = Int(load(StateOffset.reservedSize, as: UInt32.self))
      guard size > 0 else { return Reservation() }
      let value = load(StateOffset.reservedValue, as: UInt64.self) & UInt64.max >> UInt64(64 - 8 * size)
      return Reservation(address: load(StateOffset.reservedAddress), size: size, value: value)
    }
    nonmutating set {
      store(newValue.address, at: StateOffset.reservedAddress)
      store(newValue.value, at: StateOffset.reservedValue)
      store(UInt32(newValue.size), at: StateOffset.reservedSize)
    }
  }
}

/// An access to a bus that consists of `ram` and the device; nil when nothing answers.
func access(
  _ access: SlowAccess, _ address: UInt64, _ value: UInt64, _ third: UInt64, _ ram: UnsafeMutableRawPointer,
  _ device: inout UInt64, _ reservation: inout Reservation
) -> UInt64? {
  let isConditional = access.opcode == .atomic && access.atomicKind == .storeConditional
  let held = reservation
  if isConditional { reservation = Reservation() }
  let size = access.access.size
  let mask = size == 8 ? UInt64.max : (1 << UInt64(size * 8)) - 1
  func swap(_ value: UInt64) -> UInt64 {
    access.access.bigEndian ? value.byteSwapped >> UInt64(64 - size * 8) : value
  }
  if access.access.aligned && address & UInt64(size - 1) != 0 { return nil }
  if access.access.space == .user && address & 1 != 0 { return nil }
  var old: UInt64 = 0
  let isRAM = GuestMap.isRAM(address, size)
  guard isRAM || GuestMap.isDevice(address) else { return nil }
  if isRAM {
    unsafe memcpy(&old, ram + Int(address - GuestMap.ramBase), size)
  } else {
    old = (device &+ address) & mask
  }
  let found = Reservation(address: address, size: size, value: old)
  old = swap(old)
  var new: UInt64?
  switch access.opcode {
  case .store: new = value
  case .atomic where isConditional: new = held == found ? value : nil
  case .atomic where access.atomicKind == .loadReserved: reservation = found
  case .atomic: new = combine(access.atomicKind, old, value & mask, bits: size * 8)
  case .compareExchange: new = old == value & mask ? third : nil
  default: break
  }
  if let new {
    var stored = swap(new & mask)
    if isRAM { unsafe memcpy(ram + Int(address - GuestMap.ramBase), &stored, size) } else { device &+= stored &* 31 }
  }
  if isConditional { return new == nil ? 1 : 0 }
  if access.access.signed {
    let shift = UInt64(64 - size * 8)
    return UInt64(bitPattern: Int64(bitPattern: old << shift) >> Int64(shift)) & access.type.mask
  }
  return old
}

private func combine(_ kind: AtomicKind, _ old: UInt64, _ value: UInt64, bits: Int) -> UInt64 {
  func signed(_ value: UInt64) -> Int64 { Int64(bitPattern: value << UInt64(64 - bits)) }
  return switch kind {
  case .exchange, .storeConditional: value
  case .add: old &+ value
  case .and: old & value
  case .or: old | value
  case .xor: old ^ value
  case .minSigned: signed(old) < signed(value) ? old : value
  case .maxSigned: signed(old) > signed(value) ? old : value
  case .minUnsigned: min(old, value)
  case .maxUnsigned: max(old, value)
  case .loadReserved: old
  }
}

/// The slow path of the rig.
private let slowAccess: SlowAccessFunction = { state, address, value, third, descriptor in
  let cpu = unsafe VCPUState(state)
  unsafe backing.slowAccesses += 1
  let window: UInt = cpu.load(StateOffset.context)
  let ram = unsafe UnsafeMutableRawPointer(bitPattern: window + UInt(GuestMap.ramBase))!
  let request = SlowAccess(rawValue: descriptor)
  var reservation = cpu.reservation
  let result = unsafe access(request, address, value, third, ram, &backing.device, &reservation)
  cpu.reservation = reservation
  guard let result else {
    cpu.exitReason = .exception
    cpu.exceptionCause = GuestMap.faultCause
    cpu.exceptionValue = address
    cpu.accessOutcome = .left
    return 0
  }
  cpu.accessOutcome = GuestMap.isRAM(address, 1) ? .completed : .completedOnDevice
  return result
}

/// The helpers of the rig, which are also what the reference calls.
enum Helpers {
  static let pure: HelperFunction = { _, a, b, c, d in (a &* 3) ^ (b &+ c) ^ d }
  static let touch: HelperFunction = { state, a, _, _, d in
    let cpu = unsafe VCPUState(state)
    let offset = StateOffset.registers + Int(d & 7) * 8
    // Bit 8 says that registers have 32 bits.
    let mask: UInt64 = d & 256 != 0 ? 0xFFFF_FFFF : .max
    let old: UInt64 = cpu.load(offset) & mask
    cpu.store((old ^ a) & mask, at: offset)
    let other: UInt64 = cpu.load(offset + 64) & mask
    return old &+ other
  }
  static let raising: HelperFunction = { state, a, _, _, d in
    let cpu = unsafe VCPUState(state)
    guard a & 3 == 0 else { return a &+ d }
    cpu.exitReason = .exception
    cpu.exceptionCause = 7
    cpu.exceptionValue = a
    return 0
  }
  static let clock: HelperFunction = { state, _, _, _, _ in
    let cpu = unsafe VCPUState(state)
    return cpu.load(StateOffset.pendingRetired) &- UInt64(bitPattern: cpu.budget)
  }
  static let list: [Helper] = unsafe [
    Helper("pure", [], pure), Helper("touch", [.readsRegisters, .writesRegisters], touch),
    Helper("raising", [.mayRaise], raising), Helper("clock", [.readsClock], clock),
  ]
}

/// A host with memory and one vCPU.
@safe
final class Rig {
  static let registerCount = 16
  let host: X86_64Host
  let cpu: VCPUState
  let ram: UnsafeMutableRawPointer
  private let window: UnsafeMutableRawPointer
  private let tlb: UnsafeMutableRawPointer
  private let jumpCache: UnsafeMutableRawPointer
  private static let guardSize = 2 << 30
  private static let windowSize = 8 << 30

  init(_ type: Type, codeCacheSize: Int = 4 << 20) throws {
    let slots = (0..<Self.registerCount).map { RegisterSlot(offset: StateOffset.registers + $0 * 8, type: type) }
    // Pinned registers are not the first ones, so that mixed-up numbers show.
    let order = [3, 1, 4, 15, 9, 2, 6, 5, 8]
    host = try unsafe X86_64Host(
      HostConfiguration(
        registers: slots, pinOrder: order, helpers: Helpers.list, slowAccess: slowAccess,
        codeCacheSize: codeCacheSize, checksAllocation: true))
    unsafe window = mmap(nil, Self.windowSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    let base = unsafe window + Self.guardSize
    unsafe ram = base + Int(GuestMap.ramBase)
    unsafe mprotect(ram, Int(GuestMap.ramSize), PROT_READ | PROT_WRITE)
    unsafe tlb = .allocate(byteCount: SoftTLB.size, alignment: 64)
    unsafe jumpCache = .allocate(byteCount: JumpCache.count * JumpCache.entrySize, alignment: 64)
    for index in 0..<SoftTLB.count {
      for tags in [SoftTLB.readTags, SoftTLB.writeTags] {
        unsafe tlb.storeBytes(of: SoftTLB.invalidTag(index), toByteOffset: tags + index * 8, as: UInt64.self)
      }
    }
    unsafe memset(jumpCache, 0xFF, JumpCache.count * JumpCache.entrySize)
    cpu = .allocate(size: 1024)
    // For the slow path, which needs no other context.
    cpu.store(UInt64(UInt(bitPattern: base)), at: StateOffset.context)
    cpu.store(UInt64(1) << 32, at: StateOffset.windowLimit)
    cpu.store(UInt64(UInt(bitPattern: base)), at: StateOffset.dataBase)
    unsafe cpu.store(UInt64(UInt(bitPattern: jumpCache)), at: StateOffset.jumpCache)
    // Three pages of four are in the TLB, one of them for reading only.
    for page in stride(from: GuestMap.ramBase, to: GuestMap.ramBase + GuestMap.ramSize, by: 4096) {
      let kind = page >> 12 & 3
      guard kind != 3 else { continue }
      let entry = unsafe tlb + SoftTLB.index(page) * 8
      unsafe entry.storeBytes(of: page, toByteOffset: SoftTLB.readTags, as: UInt64.self)
      if kind != 2 { unsafe entry.storeBytes(of: page, toByteOffset: SoftTLB.writeTags, as: UInt64.self) }
      unsafe entry.storeBytes(of: UInt(bitPattern: base), toByteOffset: SoftTLB.addends, as: UInt.self)
      unsafe entry.storeBytes(of: UInt(bitPattern: base) + UInt(page), toByteOffset: SoftTLB.hostPages, as: UInt.self)
    }
    unsafe backing = Backing()
  }

  deinit {
    unsafe munmap(window, Self.windowSize)
    cpu.deallocate()
    unsafe tlb.deallocate()
    unsafe jumpCache.deallocate()
  }

  /// Lets translated code reach memory as it was compiled to.
  func reachData(by path: DataPath) {
    cpu.store(unsafe UInt(bitPattern: path == .tlb ? tlb : window + Self.guardSize), at: StateOffset.dataBase)
  }

  subscript(register: Int) -> UInt64 {
    get { cpu.load(StateOffset.registers + register * 8) }
    set { cpu.store(newValue, at: StateOffset.registers + register * 8) }
  }

  func enterJumpCache(_ pc: UInt64, _ entry: CodeAddress) {
    let place = unsafe jumpCache + JumpCache.index(pc) * JumpCache.entrySize
    unsafe place.storeBytes(of: pc, as: UInt64.self)
    unsafe place.storeBytes(of: host.jumpTarget(entry), toByteOffset: 8, as: UInt64.self)
  }
}
