// Memory accesses in translated code that may need the slow path, and how they are completed there.

import HostKit
import IR

/// Where an operand is while translated code waits for the slow path.
enum ValueHome {
  /// Nowhere; counts as 0.
  case none
  case register(Register)
  case constant(Int32)
  case spill(Int32)
  /// Byte offset in the state.
  case state(Int32)
}

/// One access: its instruction, which host PC it may fault at, and all that is needed to do it by other means.
struct MemorySite {
  /// Offsets in the code cache of the instruction and of the one after it.
  var start: UInt32 = 0
  var end: UInt32 = 0
  /// Where to jump to so that the access goes the slow path; 0 before that exists.
  var stub: UInt32 = 0
  /// Guest instructions of the block before this one that are not yet taken off the budget.
  var retired: UInt32
  var pc: UInt64
  var access: SlowAccess
  var offset: Int64
  var base: ValueHome
  var addressType: Type
  var value = ValueHome.none
  var valueType: Type
  var third = ValueHome.none
  var thirdType: Type
  /// Number of the host register that takes the result.
  var destination: UInt8 = 0xFF
  /// Whether the instruction was replaced by a jump to the stub.
  var isRedirected = false

  init(
    pc: UInt64, retired: UInt32, access: SlowAccess, base: ValueHome, offset: Int64, addressType: Type,
    valueType: Type, thirdType: Type
  ) {
    self.pc = pc
    self.retired = retired
    self.access = access
    self.base = base
    self.offset = offset
    self.addressType = addressType
    self.valueType = valueType
    self.thirdType = thirdType
  }
}

/// The registers of translated code as a trampoline saved them, by number; behind them the place of the pushed site
/// number, then the spill slots.
@safe
struct SavedRegisters {
  let base: UnsafeMutablePointer<UInt64>

  subscript(register: Register) -> UInt64 {
    get { unsafe base[Int(register.rawValue)] }
    nonmutating set { unsafe base[Int(register.rawValue)] = newValue }
  }

  var siteNumber: Int32 { unsafe Int32(truncatingIfNeeded: base[16]) }

  func value(_ home: ValueHome, _ type: Type, _ cpu: VCPUState) -> UInt64 {
    let raw: UInt64 =
      switch home {
      case .none: 0
      case .register(let register): self[register]
      case .constant(let value): UInt64(bitPattern: Int64(value))
      case .spill(let slot): unsafe base[17 + Int(slot)]
      case .state(let offset): cpu.load(Int(offset))
      }
    return raw & type.mask
  }
}

/// Called by translated code, through a trampoline: completes an access and returns the host PC to go on at.
func completeSlowAccess(_ state: UnsafeMutableRawPointer, _ frame: UnsafeMutablePointer<UInt64>) -> UInt64 {
  let cpu = unsafe VCPUState(state)
  let host = unsafe Unmanaged<X86_64Host>.fromOpaque(cpu.load(ABI.hostPointer, as: UnsafeRawPointer.self))
  return unsafe host._withUnsafeGuaranteedRef { host in
    host.completeAccess(cpu, unsafe SavedRegisters(base: frame))
  }
}

extension X86_64Host {
  func completeAccess(_ cpu: VCPUState, _ saved: SavedRegisters) -> UInt64 {
    let number: Int
    if saved.siteNumber == Trampolines.faultMark {
      let faultPC: UInt64 = cpu.load(StateOffset.faultPC)
      if let resume = poll(faultingAt: faultPC) { return cache.base + UInt64(resume) }
      number = site(faultingAt: faultPC)
      cpu.store(UInt32(1), at: StateOffset.accessFaulted)
    } else {
      number = Int(saved.siteNumber)
    }
    let site = lowering.sites[number]
    let address =
      (saved.value(site.base, site.addressType, cpu) &+ UInt64(bitPattern: site.offset)) & site.addressType.mask
    cpu.pc = site.pc
    cpu.budget = Int64(bitPattern: saved[ABI.budget])
    cpu.store(UInt64(site.retired), at: StateOffset.pendingRetired)
    cpu.store(site.pc, at: StateOffset.currentPC)
    let result = unsafe slowAccess(
      cpu.base, address, saved.value(site.value, site.valueType, cpu), saved.value(site.third, site.thirdType, cpu),
      site.access.rawValue)
    cpu.store(UInt64(0), at: StateOffset.pendingRetired)
    saved[ABI.budget] = UInt64(bitPattern: cpu.budget)
    switch cpu.accessOutcome {
    case .left:
      saved[ABI.budget] &-= UInt64(site.retired)
      return cache.base + UInt64(lowering.trampolines.leave)
    case .completedOnDevice:
      redirect(number)
    case .completed: break
    }
    if let register = Register(rawValue: site.destination) { saved[register] = result }
    return cache.base + UInt64(site.end)
  }

  /// Where a read of the poll page at host PC `pc` goes on; nil if there is none.
  private func poll(faultingAt pc: UInt64) -> UInt32? {
    let offset = UInt32(truncatingIfNeeded: pc &- cache.base)
    var (low, high) = (0, lowering.polls.count)
    while low < high {
      let middle = (low + high) / 2
      if lowering.polls[middle].start < offset { low = middle + 1 } else { high = middle }
    }
    guard low < lowering.polls.count, lowering.polls[low].start == offset else { return nil }
    return lowering.polls[low].resume
  }

  /// The site whose instruction is at host PC `pc`.
  private func site(faultingAt pc: UInt64) -> Int {
    let offset = UInt32(truncatingIfNeeded: pc &- cache.base)
    var (low, high) = (0, lowering.sites.count)
    while low < high {
      let middle = (low + high) / 2
      if lowering.sites[middle].start < offset { low = middle + 1 } else { high = middle }
    }
    guard low < lowering.sites.count, lowering.sites[low].start == offset else {
      fatalError("translated code faulted outside any memory access, at code offset \(offset)")
    }
    return low
  }

  /// Makes site `number` go the slow path without faulting first.
  private func redirect(_ number: Int) {
    let site = lowering.sites[number]
    guard !site.isRedirected else { return }
    lowering.sites[number].isRedirected = true
    var stub = Int(site.stub)
    if stub == 0 {
      guard let made = makeSlowStub(number) else { return }
      stub = made
    }
    let distance = Int32(truncatingIfNeeded: stub - (Int(site.start) + 5))
    cache.patchBytes([0xE9] + (0..<4).map { UInt8(truncatingIfNeeded: distance >> ($0 * 8)) }, at: Int(site.start))
  }
}
