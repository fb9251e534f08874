// Owns the memory map: where code may execute, and where EXC_RETURN values lead.

import GuestKit
import IR

extension ARMGuest {
  /// Addresses are physical. Peripheral, device and system regions are execute-never (ARMv7-M manual, B3.1).
  public func translateAddress(
    _ cpu: VCPUState, _ address: UInt64, _ kind: AccessKind, size: Int, space: AccessSpace,
    memory: any PhysicalMemoryPort
  ) throws(GuestException) -> AddressTranslation {
    let address = address & 0xFFFF_FFFF
    if kind == .execute {
      if address >= 0xF000_0000, Core(cpu)[.lockup] == 0 {
        throw GuestException(cause: Cause.exceptionReturn.rawValue, value: address)
      }
      if isExecuteNever(address) {
        throw GuestException(cause: Cause(.memManage, .instructionAccess).rawValue, value: address)
      }
    }
    return AddressTranslation(
      physical: address, readable: true, writable: true, executable: !isExecuteNever(address), wholePage: true)
  }

  private func isExecuteNever(_ address: UInt64) -> Bool {
    (0x4000_0000..<0x6000_0000).contains(address) || address >= 0xA000_0000
  }

  public func debugTranslate(_ cpu: VCPUState, _ address: UInt64, memory: any PhysicalMemoryPort) -> UInt64? {
    address & 0xFFFF_FFFF
  }
}
