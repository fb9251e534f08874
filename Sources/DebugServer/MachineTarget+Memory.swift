// Owns the debugger's view of memory: virtual or physical, without side effects when read.

import GDBRemote
import Machine

extension MachineTarget {
  func readMemory(at address: UInt64, count: Int, thread: ThreadID) throws(TargetError) -> [UInt8] {
    let hart = try hart(thread)
    let bytes = machine.perform { [usesPhysicalAddresses] machine in
      GuestMemory(machine, machine.engine.vcpus[hart], isPhysical: usesPhysicalAddresses).read(address, count)
    }
    guard !bytes.isEmpty || count == 0 else { throw .badAddress(address) }
    return bytes
  }

  func writeMemory(_ bytes: [UInt8], at address: UInt64, thread: ThreadID) throws(TargetError) {
    let hart = try hart(thread)
    let failure = machine.perform { [side, usesPhysicalAddresses] machine in
      side.threads.invalidate()
      return GuestMemory(machine, machine.engine.vcpus[hart], isPhysical: usesPhysicalAddresses).write(
        bytes, at: address)
    }
    if let failure { throw .badAddress(failure) }
  }
}

extension MachineTarget: ConditionalBreakpointTarget {
  func insert(_ breakpoint: Breakpoint) throws(TargetError) { try insert(breakpoint, BreakpointProgram()) }

  func insert(_ breakpoint: Breakpoint, _ program: BreakpointProgram) throws(TargetError) {
    machine.perform { [side] machine in side.insert(breakpoint, program, machine) }
  }

  func remove(_ breakpoint: Breakpoint) throws(TargetError) {
    machine.perform { [side] machine in side.remove(breakpoint, machine) }
  }
}
