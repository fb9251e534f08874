// Owns how a vCPU comes to what debuggers watch: where its runs end for it, and the instructions that are executed alone so
// that what they do can be told.

import GuestKit
import IR

extension Engine {
  /// Tells `observer` of something from now on. Not while translated code runs.
  public func insert(_ watch: DebugWatch, _ observer: any DebugObserver) {
    change { debug.events.insert(watch, observer) }
  }

  /// Tells `observer` of nothing any more.
  public func remove(_ observer: any DebugObserver) { change { debug.events.remove(observer) } }

  private func change(_ body: () -> Void) {
    let heldBack = debug.events.watchesSystem
    body()
    for vcpu in vcpus { vcpu.state.reportsHandlers = debug.events.watchesHandlers }
    if heldBack != debug.events.watchesSystem { guardian.flush(because: .command) }
  }

  /// Why vCPU `number`, which does not run, stops for what was noted since anybody was asked.
  public func takeDebugStop(_ number: Int) -> String? {
    if debug.events.hasCounts { for vcpu in vcpus { debug.events.noteCounts(vcpu) } }
    return debug.events.isPending ? debug.events.take(vcpus[number]) : nil
  }
}

extension VCPU {
  /// Instructions before a count from which on each is executed alone. The way to a point where a run may end is shorter than
  /// that, since loops and returns have such points.
  private static var countingDistance: UInt64 { 1 << 15 }

  /// Brings a run that begins, and would end at `deadline`, to an end before the next count.
  func approachCounts(_ deadline: UInt64) {
    let events = debug.events
    events.isCounting = false
    guard let next = events.nextCount(self) else { return }
    events.nextTick = next
    if next <= progress.ticks &+ Self.countingDistance {
      events.isCounting = true
    } else {
      self.deadline = min(deadline, next &- Self.countingDistance)
    }
  }

  /// What ends a run for what was noted.
  func eventOutcome() -> RunOutcome? {
    guard watched[0].isPending else { return nil }
    return debug.events.take(self).map { .caught($0) }
  }

  /// The same, counts included.
  func countOutcome() -> RunOutcome? {
    if watched[0].counts, progress.ticks >= watched[0].nextTick {
      debug.events.noteCounts(self)
      let outcome = eventOutcome()
      approachCounts(deadline)
      return outcome
    }
    return eventOutcome()
  }

  /// Executes a block of one instruction, and notes what it did to watched system registers.
  func executeAlone(_ id: BlockID) {
    tellFollower(of: id)
    guard watched[0].system, let access = systemAccess(code.blocks[id]) else { return enterAlone(id) }
    let pc = state.pc
    let numbers = debug.events.registers
    let before = numbers.map { guest.readRegister(state, $0) }
    enterAlone(id)
    if state.exitReason == .exception { return }
    for (number, old) in zip(numbers, before) {
      let new = guest.readRegister(state, number)
      let isNamed = access.register == number
      guard isNamed || old != new else { continue }
      debug.events.note(
        .system(
          SystemRegisterChange(
            register: number, by: pc, isRead: isNamed && access.reads, isWrite: isNamed && access.writes || old != new,
            before: old, after: new)))
    }
  }

  private func systemAccess(_ block: TranslationBlock) -> SystemAccess? {
    guard let guest = guest as? any SystemRegisters else { return nil }
    let first = 0x1000 - block.key.physicalPC & 0xFFF
    let bytes = (0..<4).prefix { $0 < first || block.secondPage < TranslationBlock.unreachablePage }.compactMap {
      offset in
      let place = offset < first ? block.key.physicalPC &+ offset : block.secondPage &+ (offset - first)
      return space.peek(place, size: 1).map { UInt8(truncatingIfNeeded: $0) }
    }
    return guest.systemAccess(bytes)
  }

  /// Has an access to a watched device made by its instruction alone, so that the stop is behind it.
  ///
  /// - Parameter count: bytes that the instruction accesses from `address` on.
  func holdBack(_ address: UInt64, _ count: Int) throws(AccessFailure) {
    guard !isStepping, opSession == nil, let physical = debugTranslate(address) else { return }
    if debug.events.watchesDevice(physical, count) { throw .mustRunAlone }
  }

  /// A device has answered an access.
  func noteDeviceAccess(_ physical: UInt64, _ size: Int, isWrite: Bool, _ value: UInt64) {
    guard debug.events.watchesDevice(physical, size) else { return }
    debug.events.note(.device(DeviceAccess(address: physical, size: size, isWrite: isWrite, value: value)))
    if !isStepping { kick() }
  }
}
