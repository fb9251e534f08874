// Owns the way of memory accesses past memory map and MPU: where code may execute, what user mode may reach.

import GuestKit
import IR

extension ARMGuest {
  /// Addresses are physical. What is denied is a MemManage fault; the Private Peripheral Bus denies user mode by a bus
  /// fault (ARMv7-M manual, B3.1 and B3.5).
  public func translateAddress(
    _ cpu: VCPUState, _ address: UInt64, _ kind: AccessKind, size: Int, space: AccessSpace,
    memory: any PhysicalMemoryPort
  ) throws(GuestException) -> AddressTranslation {
    let core = Core(cpu)
    let place = UInt32(truncatingIfNeeded: address)
    let system = core.system
    let privileged = core.isPrivileged && space != .user
    if kind != .execute, !privileged, SystemControl.isPrivate(place),
      system?.isOpenToUsers(place, kind) != true
    {
      throw accessFault(kind, UInt64(place))
    }
    let isProtected = system?.protects(core) ?? false
    if let system, isProtected, !system.permits(place, size: size, kind, privileged: privileged, core) {
      throw protectionFault(kind, UInt64(place))
    }
    let executable = isProtected || !SystemControl.isExecuteNever(place)
    if kind == .execute, !executable { throw protectionFault(.execute, UInt64(place)) }
    var found = AddressTranslation(
      physical: UInt64(place), readable: true, writable: true, executable: executable, wholePage: !isProtected)
    if isProtected, let system {
      let stretch = system.stretch(around: place, kind, privileged: privileged)
      found.wholePage = kind == .execute && stretch.count == 0x1000
      found.stretch = stretch
    }
    // Of a page of system registers users may access single ones.
    if !privileged, SystemControl.isPrivate(place) { (found.wholePage, found.stretch) = (false, nil) }
    return found
  }

  func protectionFault(_ kind: AccessKind, _ address: UInt64) -> GuestException {
    let status: FaultStatus = kind == .execute ? .instructionAccess : [.dataAccess, .memManageAddressValid]
    return GuestException(cause: Cause(.memManage, status).rawValue, value: address)
  }

  public func debugTranslate(_ cpu: VCPUState, _ address: UInt64, memory: any PhysicalMemoryPort) -> UInt64? {
    address & 0xFFFF_FFFF
  }
}

extension ARMGuest: MemoryProtection {
  public func memoryRestrictions(_ cpu: VCPUState) -> [MemoryRestriction] {
    let core = Core(cpu)
    return core.system?.restrictions(core) ?? []
  }

  /// There is one core.
  public func protectionState(_ cpu: VCPUState) -> [UInt64] { [] }
}

extension SystemControl {
  /// What of the Private Peripheral Bus user mode reaches: the stimulus ports, where ITM_TPR decides, and STIR if
  /// CCR.USERSETMPEND is set.
  func isOpenToUsers(_ address: UInt32, _ kind: AccessKind) -> Bool {
    guard features.contains(.main) else { return false }
    if address < 0xE000_1000 { return true }
    return address & ~3 == 0xE000_EF00 && kind == .write && state.configuration & 2 != 0
  }
}
