// Memory accesses in translated code that may need the slow path, and how they are completed there.

import HostKit
import IR

/// Where an operand is while translated code waits for the slow path.
enum ValueHome: BitwiseCopyable {
  /// Nowhere; counts as 0.
  case none
  case register(Register)
  case vector(VectorRegister)
  case constant(Int32)
  case spill(Int32)
  /// Byte offset in the state.
  case state(Int32)
}

/// An operand of an access: its home and type, in 8 bytes with room to spare.
struct SiteOperand {
  fileprivate private(set) var payload: Int32 = 0
  fileprivate private(set) var kind: UInt8 = 0
  private(set) var type = Type.none

  init() {}

  init(_ home: ValueHome, _ type: Type) {
    self.type = type
    switch home {
    case .none: break
    case .register(let register): (kind, payload) = (1, Int32(register.rawValue))
    case .constant(let value): (kind, payload) = (2, value)
    case .spill(let slot): (kind, payload) = (3, slot)
    case .state(let offset): (kind, payload) = (4, offset)
    case .vector(let register): (kind, payload) = (5, Int32(register.rawValue))
    }
  }

  var home: ValueHome {
    switch kind {
    case 1: Register(rawValue: UInt8(truncatingIfNeeded: payload)).map { .register($0) } ?? .none
    case 2: .constant(payload)
    case 3: .spill(payload)
    case 4: .state(payload)
    case 5: .vector(.xmm(UInt8(truncatingIfNeeded: payload)))
    default: .none
    }
  }
}

/// One access: its instructions, at which host PCs it may fault, and all that is needed to do it by other means. There are
/// several in every block, so it is kept small.
struct MemorySite {
  /// Offset in the code cache of the first of its instructions.
  var start: UInt32 = 0
  /// Where to jump to so that the access goes the slow path; 0 before that exists.
  var stub: UInt32 = 0
  /// The trap that the branch just before them leads to; 0 for none.
  var trap: UInt32 = 0
  var base: SiteOperand
  var value = SiteOperand()
  var third = SiteOperand()
  var pc: UInt64
  var offset: Int64
  private var accessLow: UInt32
  private var accessHigh: UInt8
  /// Number of the host register that takes the result; SSE registers count from 16.
  var destination: UInt8 = 0xFF
  /// Number of the host register with an offset in a page that later accesses share; 0xFF for none. Void once the slow
  /// path has been taken: it may have changed what is mapped.
  var sharedOffset: UInt8 = 0xFF
  /// Bytes of the instructions.
  var length: UInt8 = 0
  /// Whether the first instruction was replaced by a jump to the stub.
  var isRedirected = false
  /// Guest instructions of the block before this one that are not yet taken off the budget.
  var retired: UInt16
  /// Registers that hold what the guest must not see as it is, if the access ends in an exception.
  var nans = NaNMask()

  var access: SlowAccess { SlowAccess(rawValue: UInt64(accessLow) | UInt64(accessHigh) << 32) }
  /// Offset of what stands behind them.
  var end: UInt32 { start + UInt32(length) }

  init(pc: UInt64, retired: UInt32, access: SlowAccess, base: SiteOperand, offset: Int64) {
    self.pc = pc
    self.retired = UInt16(truncatingIfNeeded: retired)
    accessLow = UInt32(truncatingIfNeeded: access.rawValue)
    accessHigh = UInt8(truncatingIfNeeded: access.rawValue >> 32)
    self.base = base
    self.offset = offset
  }
}

/// What stood where a site was redirected, and how often the access could have been made there since.
struct Detour {
  var instruction: [UInt8]
  var needless = 0
}

/// The registers of translated code as a trampoline saved them, by number; behind them the place of the pushed site
/// number, then the spill slots.
@safe
struct SavedRegisters {
  let base: UnsafeMutablePointer<UInt64>
  /// Words that each SSE register takes, before the others: two if the guest has registers of 128 bits.
  let vectorWords: Int

  subscript(register: Register) -> UInt64 {
    get { unsafe base[Int(register.rawValue)] }
    nonmutating set { unsafe base[Int(register.rawValue)] = newValue }
  }

  var siteNumber: Int32 { unsafe Int32(truncatingIfNeeded: base[16]) }

  /// The operand, as its ``SiteOperand/home`` says.
  @inline(__always)
  func value(_ operand: SiteOperand, _ cpu: VCPUState) -> UInt64 {
    operand.kind == 1
      ? unsafe base[Int(operand.payload) & 15] & operand.type.mask : valueElsewhere(operand, cpu)
  }

  /// Apart, since the host predicts a jump by kind badly and nearly all operands are in registers.
  @inline(never)
  private func valueElsewhere(_ operand: SiteOperand, _ cpu: VCPUState) -> UInt64 {
    let raw: UInt64 =
      switch operand.home {
      case .register(let register): self[register]
      case .vector(let register): self[register]
      case .constant(let value): UInt64(bitPattern: Int64(value))
      case .spill(let slot): unsafe base[17 + Int(slot)]
      case .state(let offset): cpu.load(Int(offset))
      case .none: 0
      }
    return raw & operand.type.mask
  }

  /// The operand as 128 bits; a scalar in the lower ones.
  func vector(_ operand: SiteOperand, _ cpu: VCPUState) -> Vector128 {
    guard operand.type == .v128 else { return Vector128(value(operand, cpu)) }
    return switch operand.home {
    case .vector(let register): Vector128(self[register], self[upper: register])
    case .spill(let slot): unsafe Vector128(base[17 + Int(slot)], base[18 + Int(slot)])
    case .state(let offset): Vector128(cpu.load(Int(offset)), cpu.load(Int(offset) + 8))
    case .register, .constant, .none: Vector128()
    }
  }
}

/// Called by translated code, through a trampoline: completes an access and returns the host PC to go on at.
func completeSlowAccess(_ state: UnsafeMutableRawPointer, _ frame: UnsafeMutablePointer<UInt64>) -> UInt64 {
  let cpu = unsafe VCPUState(state)
  let host = unsafe Unmanaged<X86_64Host>.fromOpaque(cpu.load(ABI.hostPointer, as: UnsafeRawPointer.self))
  return unsafe host._withUnsafeGuaranteedRef { host in
    host.completeAccess(cpu, unsafe host.savedRegisters(frame))
  }
}

extension X86_64Host {
  func savedRegisters(_ frame: UnsafeMutablePointer<UInt64>) -> SavedRegisters {
    unsafe SavedRegisters(base: frame, vectorWords: lowering.target.hasVectors ? 2 : 1)
  }

  func completeAccess(_ cpu: VCPUState, _ saved: SavedRegisters) -> UInt64 {
    let number: Int
    let faulted = saved.siteNumber == Trampolines.faultMark
    var isTrap = false
    if faulted {
      let faultPC: UInt64 = cpu.load(StateOffset.faultPC)
      if let resume = lowering.poll(faultingAt: UInt32(truncatingIfNeeded: faultPC &- cache.base)) {
        return cache.base + UInt64(resume)
      }
      (number, isTrap) = site(faultingAt: faultPC)
      cpu.store(UInt32(1), at: StateOffset.accessFaulted)
    } else {
      number = Int(saved.siteNumber)
    }
    let site = lowering.target.sites[number]
    let address =
      (saved.value(site.base, cpu) &+ UInt64(bitPattern: site.offset)) & site.base.type.mask
    cpu.pc = site.pc
    cpu.budget = Int64(bitPattern: saved[ABI.budget])
    cpu.store(UInt64(site.retired), at: StateOffset.pendingRetired)
    cpu.store(site.pc, at: StateOffset.currentPC)
    let isVector = site.access.access.size == 16
    if isVector { cpu.store(saved.vector(site.value, cpu).high, at: StateOffset.upperData) }
    let result = unsafe slowAccess(
      cpu.base, address, saved.value(site.value, cpu), saved.value(site.third, cpu), site.access.rawValue)
    cpu.store(UInt64(0), at: StateOffset.pendingRetired)
    saved[ABI.budget] = UInt64(bitPattern: cpu.budget)
    switch cpu.accessOutcome {
    case .left:
      saved.canonicalize(site.nans)
      saved[ABI.budget] &-= UInt64(site.retired)
      let leave = lowering.hotBlock(at: site.start).map { Int($0.leave) } ?? lowering.target.trampolines.leave
      return cache.base + UInt64(leave)
    case .completedOnDevice:
      if !site.isRedirected { redirect(number) }
    case .completed:
      if faulted, !isTrap, !site.isRedirected { redirect(number) }
    case .completedNeedlessly:
      if site.isRedirected { noteDetour(number) }
    }
    if site.sharedOffset != 0xFF { saved.setResult(site.sharedOffset, .i64, .max) }
    if isVector {
      saved.setResult(site.destination, Vector128(result, cpu.load(StateOffset.upperData)))
    } else {
      saved.setResult(site.destination, site.access.type, result)
    }
    return cache.base + UInt64(site.end)
  }

  /// The site that the instruction, or the trap, at host PC `pc` belongs to; a trap leads to the slow path from now on.
  private func site(faultingAt pc: UInt64) -> (number: Int, isTrap: Bool) {
    let offset = UInt32(truncatingIfNeeded: pc &- cache.base)
    var (low, high) = (0, lowering.target.sites.count)
    while low < high {
      let middle = (low + high) / 2
      if lowering.target.sites[middle].start < offset { low = middle + 1 } else { high = middle }
    }
    if low < lowering.target.sites.count, lowering.target.sites[low].start == offset { return (low, false) }
    if low > 0, offset < lowering.target.sites[low - 1].end { return (low - 1, false) }
    // A block's traps stand behind its instructions and before those of the next one.
    while low > 0 {
      low -= 1
      if lowering.target.sites[low].trap == offset {
        leadOutside(low)
        return (low, true)
      }
    }
    fatalError("translated code faulted outside any memory access, at code offset \(offset)")
  }

  /// Offset of the code that sends site `number` the slow way; nil if there is no room for it.
  private func slowStub(_ number: Int) -> Int? {
    let known = Int(lowering.target.sites[number].stub)
    return known != 0 ? known : makeSlowStub(number)
  }

  /// Lets the branch to the trap of site `number` go to the slow path from now on.
  private func leadOutside(_ number: Int) {
    guard let stub = slowStub(number) else { return }
    let start = Int(lowering.target.sites[number].start)
    cache.patchBytes(Self.bytes(Int32(truncatingIfNeeded: stub - start)), at: start - 4)
  }

  /// Makes site `number` go the slow path without faulting first.
  private func redirect(_ number: Int) {
    guard let stub = slowStub(number) else { return }
    lowering.target.sites[number].isRedirected = true
    let start = Int(lowering.target.sites[number].start)
    detours[number] = Detour(instruction: cache.bytes(start..<start + 5))
    cache.patchBytes([0xE9] + Self.bytes(Int32(truncatingIfNeeded: stub - (start + 5))), at: start)
  }

  /// Site `number` went the slow path and need not have. Fifty times cost as much as a fault: then its instruction is put
  /// back.
  private func noteDetour(_ number: Int) {
    guard var detour = detours[number] else { return }
    detour.needless += 1
    guard detour.needless == 50 else { return detours[number] = detour }
    detours[number] = nil
    lowering.target.sites[number].isRedirected = false
    cache.patchBytes(detour.instruction, at: Int(lowering.target.sites[number].start))
  }

  private static func bytes(_ value: Int32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
}
