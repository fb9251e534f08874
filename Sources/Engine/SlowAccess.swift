// Owns the exact memory access that all others are shortcuts of: translation, protection, watchpoints, devices,
// atomics, and the filling of the TLB.

import Bits
import Bus
import GuestKit
import HostKit
import IR

/// The entry hosts call; see `SlowAccessFunction`.
let slowAccessEntry: HelperFunction = { state, address, value, third, descriptor in
  let cpu = unsafe VCPUState(state)
  let context = unsafe Unmanaged<VCPU>.fromOpaque(cpu.load(StateOffset.context, as: UnsafeRawPointer.self))
  return unsafe context._withUnsafeGuaranteedRef {
    $0.slowAccess(address, value, third, SlowAccess(rawValue: descriptor))
  }
}

/// Why an access was not made.
enum AccessFailure: Error {
  case exception(GuestException)
  case watch(WatchHit)
  /// It must run in a block of its own: a store that would change the block it is in, or have an interrupt taken behind it;
  /// an access whose block was given up to be compiled anew.
  case mustRunAlone
}

extension VCPU {
  @inline(__always)
  func slowAccess(_ address: UInt64, _ value: UInt64, _ third: UInt64, _ request: SlowAccess) -> UInt64 {
    profile.statistics.slowAccesses &+= 1
    if profile.countsExecutions { return countedAccess(address & addressMask, value, third, request) }
    return makeAccess(address & addressMask, value, third, request)
  }

  @inline(__always)
  func makeAccess(_ address: UInt64, _ value: UInt64, _ third: UInt64, _ request: SlowAccess) -> UInt64 {
    state.accessOutcome = .completed
    if request.access.size <= 8 {
      if let result = quickAccess(address, value, request) { return result }
      if let result = openAccess(address, value, request) { return result }
    }
    do throws(AccessFailure) {
      let result =
        switch request.opcode {
        case .store where request.access.size == 16: try storeVector(address, value, request)
        case .load where request.access.size == 16: try loadVector(address, request)
        case .store: try store(address, value, request)
        case .atomic: try atomic(address, value, request)
        case .compareExchange: try compareExchange(address, value, third, request)
        default: try load(address, request)
        }
      return result
    } catch {
      switch error {
      case .exception(let exception):
        state.raise(exception)
      case .watch(let hit):
        watchHit = hit
        state.exitReason = .watchpoint
      case .mustRunAlone: return leaveToRunAlone()
      }
      state.accessOutcome = .left
      return 0
    }
  }

  /// Leaves an access undone, for a block of one instruction to make it again.
  func leaveToRunAlone() -> UInt64 {
    progress.runsNextAlone = true
    state.exitReason = .step
    state.accessOutcome = .left
    return 0
  }

  private func load(_ address: UInt64, _ request: SlowAccess) throws(AccessFailure) -> UInt64 {
    let access = request.access
    try checkAlignment(address, access, .read)
    try watch(address, access.size, following: request.following, reads: true)
    return extend(try read(address, access, .read), access, to: request.type)
  }

  @inline(__always)
  func extend(_ raw: UInt64, _ access: MemoryAccess, to type: Type) -> UInt64 {
    let size = access.size
    let value = ordered(raw, access)
    guard access.signed, size < 8 else { return value & type.mask }
    let shift = UInt64(64 - 8 * size)
    return UInt64(bitPattern: Int64(bitPattern: value << shift) >> Int64(shift)) & type.mask
  }

  /// What bytes taken as a little-endian number stand for in the order of an access, and the reverse.
  @inline(__always)
  func ordered(_ value: UInt64, _ access: MemoryAccess) -> UInt64 {
    access.bigEndian ? value.byteSwapped >> UInt64(64 - 8 * access.size) : value
  }

  func read(
    _ address: UInt64, _ access: MemoryAccess, _ kind: AccessKind
  ) throws(AccessFailure) -> UInt64 {
    let value = try readPieces(address, access, kind)
    seenAccesses?.append(SeenAccess(address: address, size: access.size, isWrite: false, value: value))
    return value
  }

  private func readPieces(
    _ address: UInt64, _ access: MemoryAccess, _ kind: AccessKind
  ) throws(AccessFailure) -> UInt64 {
    let size = access.size
    if address & 0xFFF &+ UInt64(size) > 0x1000 {
      var value: UInt64 = 0
      for byte in 0..<size {
        let physical = try translate(address &+ UInt64(byte), 1, kind, access.space)
        value |= try readPhysical(physical, 1, address &+ UInt64(byte), kind) << UInt64(8 * byte)
      }
      return value
    }
    let physical = try translate(address, size, kind, access.space)
    return try readPhysical(physical, size, address, kind)
  }

  private func store(
    _ address: UInt64, _ value: UInt64, _ request: SlowAccess
  ) throws(AccessFailure) -> UInt64 {
    let access = request.access
    try checkAlignment(address, access, .write)
    try watch(address, access.size, following: request.following, writes: true)
    return try write(address, value, access)
  }

  func write(
    _ address: UInt64, _ value: UInt64, _ access: MemoryAccess
  ) throws(AccessFailure) -> UInt64 {
    let size = access.size
    let value = ordered(value, access)
    if address & 0xFFF &+ UInt64(size) > 0x1000 {
      let next = (address & ~0xFFF) &+ 0x1000
      let room = next &- address
      let first = try translate(address, Int(room), .write, access.space)
      let second = try translate(next, size - Int(room), .write, access.space)
      for byte in 0..<UInt64(size) {
        let at = byte < room ? first &+ byte : second &+ (byte &- room)
        try writePhysical(at, 1, value >> (8 * byte), address &+ byte)
      }
    } else {
      let physical = try translate(address, size, .write, access.space)
      try writePhysical(physical, size, value, address)
    }
    seenAccesses?.append(SeenAccess(address: address, size: size, isWrite: true, value: value))
    return 0
  }

  func checkAlignment(_ address: UInt64, _ access: MemoryAccess, _ kind: AccessKind) throws(AccessFailure) {
    if access.aligned, address & UInt64(access.size - 1) != 0 {
      throw .exception(guest.misalignedFault(kind, address))
    }
  }

  /// Holds an access up that hits a watchpoint, before anything of its instruction is done.
  ///
  /// - Parameter following: words that the instruction accesses behind it.
  func watch(
    _ address: UInt64, _ size: Int, following: Int = 0, reads: Bool = false, writes: Bool = false
  ) throws(AccessFailure) {
    if watched[0].devices { try holdBack(address, size + 4 * following) }
    guard debug.watchesMemory, !suppressesWatchpoints else { return }
    let count = size + 4 * following
    let (last, wraps) = address.addingReportingOverflow(UInt64(count - 1))
    guard let found = debug.hit(address, through: wraps ? .max : last, reads: reads, writes: writes) else { return }
    throw .watch(WatchHit(address: address, size: count, isWrite: writes && found.onWrite, watchpoint: found))
  }

  /// The physical address of an access within one page; fills the TLB.
  func translate(
    _ address: UInt64, _ size: Int, _ kind: AccessKind, _ space: AccessSpace
  ) throws(AccessFailure) -> UInt64 {
    if mode.memoryMode == .window, space == .current {
      fillUntranslated(address & ~0xFFF)
      return address
    }
    do throws(GuestException) {
      let found = try guest.translateAddress(state, address, kind, size: size, space: space, memory: self)
      if space == .current {
        if !found.wholePage { noteOpenStretch(address, found, kind) }
        let isServed = found.wholePage && fillTLB(address, found, kind)
        if !isServed { noteKnownPage(address, found, kind) }
      }
      return found.physical
    } catch { throw .exception(error) }
  }

  /// Enters a page that has its own address, for hosts that do not use the window.
  private func fillUntranslated(_ page: UInt64) {
    guard isOpen(page, isWrite: false), let direct = space.directPage(at: page) else { return }
    mode.fill(
      page, physical: page, leafSize: 0x1000,
      host: unsafe UInt64(UInt(bitPattern: direct.memory.alias + direct.offset)),
      readable: true, writable: isOpen(page, isWrite: true))
  }

  /// - Returns: whether the TLB serves such accesses to the page from now on.
  private func fillTLB(_ address: UInt64, _ found: AddressTranslation, _ kind: AccessKind) -> Bool {
    let page = found.physical & ~0xFFF
    let virtual = address & ~0xFFF
    guard let direct = unsafe space.hostMemory(at: page, count: 0x1000) else { return false }
    profile.statistics.tlbFills &+= 1
    profile.note(\.tlbFills, at: state.load(StateOffset.currentPC))
    let hostPage = unsafe UInt64(UInt(bitPattern: direct.bytes))
    let mayWrite =
      unsafe found.writable && direct.isWritable && (kind == .write || mode.maySkipWalk(toWrite: virtual))
      && !code.isGuarded(page)
    let isWatching = debug.watchesMemory
    let isWatched = isWatching && debug.watchesPage(virtual)
    mode.fill(
      virtual, physical: page, leafSize: found.leafSize, host: hostPage, readable: found.readable,
      writable: mayWrite && found.readable, in: isWatched ? 1...1 : isWatching ? 0...1 : 0...0)
    return !isWatched && found.readable && (kind == .read || mayWrite)
  }

  func readPhysical(
    _ physical: UInt64, _ size: Int, _ address: UInt64, _ kind: AccessKind
  ) throws(AccessFailure) -> UInt64 {
    if let value = space.readMemory(physical, size: size) {
      if isOpen(physical & ~0xFFF, isWrite: kind == .write) { state.accessOutcome = .completedNeedlessly }
      return value
    }
    clock.now = time
    state.accessOutcome = .completedOnDevice
    do throws(BusError) {
      let value = try space.read(physical, size: size)
      if watched[0].devices { noteDeviceAccess(physical, size, isWrite: false, value) }
      return value
    } catch {
      engineLog.write(.guestErrors, "read of \(size) bytes at \(physical.hex0x()): \(error)")
      throw .exception(guest.accessFault(kind, address))
    }
  }

  func writePhysical(
    _ physical: UInt64, _ size: Int, _ value: UInt64, _ address: UInt64
  ) throws(AccessFailure) {
    if overwritesRunningBlock(physical, size) { throw .mustRunAlone }
    let page = physical & ~0xFFF
    if code.blocks.hasCode(inPage: page), !code.blocks.hasCode(physical, count: size),
      givesUpBlock(past: .code, physical)
    {
      throw .mustRunAlone
    }
    if unsafe space.hostMemory(at: physical, count: size) == nil {
      if exceptionHardware?.storeDecidesInterrupts(physical) == true {
        if !isStepping, opSession == nil { throw .mustRunAlone }
        decidedInterrupts = true
      }
      clock.now = time
      state.accessOutcome = .completedOnDevice
    } else if isOpen(page, isWrite: true) {
      state.accessOutcome = .completedNeedlessly
      learnLines(physical)
    }
    do throws(BusError) {
      try space.write(physical, size: size, value)
      if watched[0].devices { noteDeviceAccess(physical, size, isWrite: true, value) }
    } catch {
      engineLog.write(.guestErrors, "write of \(size) bytes at \(physical.hex0x()): \(error)")
      if case .readOnly = error { return }
      throw .exception(guest.accessFault(.write, address))
    }
  }
}
