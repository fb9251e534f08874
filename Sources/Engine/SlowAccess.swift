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
  return unsafe context._withUnsafeGuaranteedRef { vcpu in
    unsafe vcpu.owner._withUnsafeGuaranteedRef { engine in
      engine.slowAccess(vcpu, address, value, third, SlowAccess(rawValue: descriptor))
    }
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

extension Engine {
  func slowAccess(_ vcpu: VCPU, _ address: UInt64, _ value: UInt64, _ third: UInt64, _ request: SlowAccess) -> UInt64 {
    statistics.slowAccesses &+= 1
    if options.countsExecutions { noteSlowAccess(vcpu) }
    let address = address & addressMask
    vcpu.state.accessOutcome = .completed
    if let result = quickAccess(vcpu, address, value, request) { return result }
    if let result = openAccess(vcpu, address, value, request) { return result }
    do throws(AccessFailure) {
      let result =
        switch request.opcode {
        case .store: try store(vcpu, address, value, request)
        case .atomic: try atomic(vcpu, address, value, request)
        case .compareExchange: try compareExchange(vcpu, address, value, third, request)
        default: try load(vcpu, address, request)
        }
      return result
    } catch {
      switch error {
      case .exception(let exception):
        vcpu.state.raise(exception)
      case .watch(let hit):
        vcpu.watchHit = hit
        vcpu.state.exitReason = .watchpoint
      case .mustRunAlone: return leaveToRunAlone(vcpu)
      }
      vcpu.state.accessOutcome = .left
      return 0
    }
  }

  /// Leaves an access undone, for a block of one instruction to make it again.
  func leaveToRunAlone(_ vcpu: VCPU) -> UInt64 {
    vcpu.runsNextAlone = true
    vcpu.state.exitReason = .step
    vcpu.state.accessOutcome = .left
    return 0
  }

  /// Makes a plain load or store in a page that the window denies, where an access like it was allowed before: next to what
  /// memory protection forbids.
  private func openAccess(_ vcpu: VCPU, _ address: UInt64, _ value: UInt64, _ request: SlowAccess) -> UInt64? {
    let (access, isWrite) = (request.access, request.opcode == .store)
    guard isWrite || request.opcode == .load, access.space == .current,
      !access.aligned || address & UInt64(access.size - 1) == 0, !vcpu.suppressesWatchpoints,
      let place = unsafe vcpu.mode.openAddress(address, access.size, isWrite: isWrite)
    else { return nil }
    guard isWrite else { return extend(unsafe HostBytes.load(place, size: access.size), access, to: request.type) }
    unsafe HostBytes.store(ordered(value, access), place, size: access.size)
    return 0
  }

  /// Remembers, after an access in a page that the window denies, what of the page such accesses may reach.
  private func noteOpenStretch(_ vcpu: VCPU, _ address: UInt64, _ found: AddressTranslation, _ kind: AccessKind) {
    let page = address & ~0xFFF
    let isWrite = kind == .write
    guard vcpu.mode.memoryMode == .restrictedWindow, let stretch = found.stretch, found.physical == address,
      let direct = space.directPage(at: page), !isWrite || direct.isWritable && !isCodeGuarded(page),
      !debug.watchesPage(page), !isOpen(page, vcpu, isWrite: isWrite)
    else { return }
    let host = unsafe UInt64(UInt(bitPattern: direct.memory.alias + direct.offset))
    vcpu.mode.add(
      OpenStretch(
        first: max(stretch.lowerBound, page), last: min(stretch.upperBound, page + 0x1000) - 1, isWrite: isWrite,
        addend: host &- page))
  }

  private func load(_ vcpu: VCPU, _ address: UInt64, _ request: SlowAccess) throws(AccessFailure) -> UInt64 {
    let access = request.access
    try checkAlignment(address, access, .read)
    try watch(vcpu, address, access.size, following: request.following, reads: true)
    return extend(try read(vcpu, address, access, .read), access, to: request.type)
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
    _ vcpu: VCPU, _ address: UInt64, _ access: MemoryAccess, _ kind: AccessKind
  ) throws(AccessFailure) -> UInt64 {
    let value = try readPieces(vcpu, address, access, kind)
    vcpu.seenAccesses?.append(SeenAccess(address: address, size: access.size, isWrite: false, value: value))
    return value
  }

  private func readPieces(
    _ vcpu: VCPU, _ address: UInt64, _ access: MemoryAccess, _ kind: AccessKind
  ) throws(AccessFailure) -> UInt64 {
    let size = access.size
    if address & 0xFFF &+ UInt64(size) > 0x1000 {
      var value: UInt64 = 0
      for byte in 0..<size {
        let physical = try translate(vcpu, address &+ UInt64(byte), 1, kind, access.space)
        value |= try readPhysical(vcpu, physical, 1, address &+ UInt64(byte), kind) << UInt64(8 * byte)
      }
      return value
    }
    let physical = try translate(vcpu, address, size, kind, access.space)
    return try readPhysical(vcpu, physical, size, address, kind)
  }

  private func store(
    _ vcpu: VCPU, _ address: UInt64, _ value: UInt64, _ request: SlowAccess
  ) throws(AccessFailure) -> UInt64 {
    let access = request.access
    try checkAlignment(address, access, .write)
    try watch(vcpu, address, access.size, following: request.following, writes: true)
    return try write(vcpu, address, value, access)
  }

  func write(
    _ vcpu: VCPU, _ address: UInt64, _ value: UInt64, _ access: MemoryAccess
  ) throws(AccessFailure) -> UInt64 {
    let size = access.size
    let value = ordered(value, access)
    if address & 0xFFF &+ UInt64(size) > 0x1000 {
      let next = (address & ~0xFFF) &+ 0x1000
      let room = next &- address
      let first = try translate(vcpu, address, Int(room), .write, access.space)
      let second = try translate(vcpu, next, size - Int(room), .write, access.space)
      for byte in 0..<UInt64(size) {
        let at = byte < room ? first &+ byte : second &+ (byte &- room)
        try writePhysical(vcpu, at, 1, value >> (8 * byte), address &+ byte)
      }
    } else {
      let physical = try translate(vcpu, address, size, .write, access.space)
      try writePhysical(vcpu, physical, size, value, address)
    }
    vcpu.seenAccesses?.append(SeenAccess(address: address, size: size, isWrite: true, value: value))
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
    _ vcpu: VCPU, _ address: UInt64, _ size: Int, following: Int = 0, reads: Bool = false, writes: Bool = false
  ) throws(AccessFailure) {
    guard debug.watchesMemory, !vcpu.suppressesWatchpoints else { return }
    let count = size + 4 * following
    let (last, wraps) = address.addingReportingOverflow(UInt64(count - 1))
    guard let found = debug.hit(address, through: wraps ? .max : last, reads: reads, writes: writes) else { return }
    throw .watch(WatchHit(address: address, size: count, isWrite: writes && found.onWrite, watchpoint: found))
  }

  /// The physical address of an access within one page; fills the TLB.
  func translate(
    _ vcpu: VCPU, _ address: UInt64, _ size: Int, _ kind: AccessKind, _ space: AccessSpace
  ) throws(AccessFailure) -> UInt64 {
    if vcpu.mode.memoryMode == .window, space == .current {
      fillUntranslated(vcpu, address & ~0xFFF)
      return address
    }
    do throws(GuestException) {
      let found = try guest.translateAddress(vcpu.state, address, kind, size: size, space: space, memory: vcpu)
      if space == .current {
        if !found.wholePage { noteOpenStretch(vcpu, address, found, kind) }
        let isServed = found.wholePage && fillTLB(vcpu, address, found, kind)
        if !isServed { noteKnownPage(vcpu, address, found, kind) }
      }
      return found.physical
    } catch { throw .exception(error) }
  }

  /// Enters a page that has its own address, for hosts that do not use the window.
  private func fillUntranslated(_ vcpu: VCPU, _ page: UInt64) {
    guard isOpen(page, vcpu, isWrite: false), let direct = space.directPage(at: page) else { return }
    vcpu.mode.fill(
      page, physical: page, leafSize: 0x1000,
      host: unsafe UInt64(UInt(bitPattern: direct.memory.alias + direct.offset)),
      readable: true, writable: isOpen(page, vcpu, isWrite: true))
  }

  /// - Returns: whether the TLB serves such accesses to the page from now on.
  private func fillTLB(_ vcpu: VCPU, _ address: UInt64, _ found: AddressTranslation, _ kind: AccessKind) -> Bool {
    let page = found.physical & ~0xFFF
    let virtual = address & ~0xFFF
    guard let direct = unsafe space.hostMemory(at: page, count: 0x1000) else { return false }
    statistics.tlbFills &+= 1
    note(\.tlbFills, at: vcpu.state.load(StateOffset.currentPC))
    let hostPage = unsafe UInt64(UInt(bitPattern: direct.bytes))
    let mayWrite =
      unsafe found.writable && direct.isWritable && (kind == .write || vcpu.mode.maySkipWalk(toWrite: virtual))
      && !isCodeGuarded(page)
    let isWatching = debug.watchesMemory
    let isWatched = isWatching && debug.watchesPage(virtual)
    vcpu.mode.fill(
      virtual, physical: page, leafSize: found.leafSize, host: hostPage, readable: found.readable,
      writable: mayWrite && found.readable, in: isWatched ? 1...1 : isWatching ? 0...1 : 0...0)
    return !isWatched && found.readable && (kind == .read || mayWrite)
  }

  func readPhysical(
    _ vcpu: VCPU, _ physical: UInt64, _ size: Int, _ address: UInt64, _ kind: AccessKind
  ) throws(AccessFailure) -> UInt64 {
    if let value = space.readMemory(physical, size: size) {
      if isOpen(physical & ~0xFFF, vcpu, isWrite: kind == .write) { vcpu.state.accessOutcome = .completedNeedlessly }
      return value
    }
    clock.now = time(of: vcpu)
    vcpu.state.accessOutcome = .completedOnDevice
    do throws(BusError) {
      return try space.read(physical, size: size)
    } catch {
      log.write(.guestErrors, "read of \(size) bytes at \(physical.hex0x()): \(error)")
      throw .exception(guest.accessFault(kind, address))
    }
  }

  func writePhysical(
    _ vcpu: VCPU, _ physical: UInt64, _ size: Int, _ value: UInt64, _ address: UInt64
  ) throws(AccessFailure) {
    if overwritesRunningBlock(vcpu, physical, size) { throw .mustRunAlone }
    let page = physical & ~0xFFF
    if store.hasCode(inPage: page), !store.hasCode(physical, count: size),
      givesUpBlock(storingBesideCode: vcpu, physical)
    {
      throw .mustRunAlone
    }
    if unsafe space.hostMemory(at: physical, count: size) == nil {
      if exceptionHardware?.storeDecidesInterrupts(physical) == true {
        if !vcpu.isStepping, vcpu.opSession == nil { throw .mustRunAlone }
        vcpu.decidedInterrupts = true
      }
      clock.now = time(of: vcpu)
      vcpu.state.accessOutcome = .completedOnDevice
    } else if isOpen(page, vcpu, isWrite: true) {
      vcpu.state.accessOutcome = .completedNeedlessly
      learnLines(physical, vcpu)
    }
    do throws(BusError) {
      try space.write(physical, size: size, value)
    } catch {
      log.write(.guestErrors, "write of \(size) bytes at \(physical.hex0x()): \(error)")
      if case .readOnly = error { return }
      throw .exception(guest.accessFault(.write, address))
    }
  }
}

// MARK: Self-modification

extension Engine {
  /// Whether a write changes the code of the block that makes it. Such a write is abandoned and made again by a block of
  /// one instruction, so that the instructions after it are always executed as they are in memory, however code is cut
  /// into blocks.
  private func overwritesRunningBlock(_ vcpu: VCPU, _ physical: UInt64, _ size: Int) -> Bool {
    guard !vcpu.isStepping, vcpu.opSession == nil else { return false }
    return overwritesRunningBlock(vcpu, at: physical, size)
      || space.aliases(of: physical, count: size).contains { overwritesRunningBlock(vcpu, at: $0.address, $0.count) }
  }

  private func overwritesRunningBlock(_ vcpu: VCPU, at physical: UInt64, _ size: Int) -> Bool {
    let page = physical & ~0xFFF
    let pc: UInt64 = vcpu.state.load(StateOffset.currentPC)
    let isRunning = { [self] (id: BlockID) in
      let block = store[id]
      return block.isValid && (block.key.flags ^ vcpu.mode.flags) & ~codeFlags == 0 && block.contains(pc)
    }
    if store.hasCode(physical, count: size),
      store.overlapping(physical..<physical + UInt64(size)).contains(where: isRunning)
    {
      return true
    }
    guard !straddlers.isEmpty, physical & 0xFFF < 16 else { return false }
    return straddlers[page]?.contains(where: isRunning) ?? false
  }
}
