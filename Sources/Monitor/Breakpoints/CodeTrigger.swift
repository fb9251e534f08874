// Owns breakpoints on the execution of code.

import Bits
import Engine
import Machine

/// Waits for a hart to come to one of some addresses.
final class CodeTrigger: Trigger, BreakpointFilter {
  weak var owner: Breakpoint?
  private let addresses: [UInt64]
  /// As the user wrote it; nil for a single place.
  private let pattern: String?

  init(_ addresses: [UInt64], pattern: String? = nil) {
    self.addresses = addresses
    self.pattern = pattern
  }

  var kind: String { "break" }

  func place(_ memory: DebugMemory) -> String {
    let places = addresses.map { memory.addressText($0) + memory.symbolSuffix($0) }
    guard let pattern else { return places.joined(separator: ", ") }
    let names = addresses.prefix(4).map { memory.machine.symbols.describe($0) ?? $0.hex0x() }
    return "\(pattern): \(addresses.count) functions, \(names.joined(separator: ", "))"
      + (addresses.count > 4 ? ", …" : "")
  }

  func title(_ memory: DebugMemory) -> String { "break at " + place(memory) }

  func arm(_ machine: Machine) { for address in addresses { machine.engine.insertBreakpoint(address, filter: self) } }
  func disarm(_ machine: Machine) {
    for address in addresses { machine.engine.removeBreakpoint(address, filter: self) }
  }
  func stops(at pc: UInt64) -> Bool { addresses.contains(pc) }
  func stops(_ vcpu: VCPU) -> Bool { owner?.stops(vcpu) ?? false }
}

/// Waits for a hart that has come to a block to be about to execute one of its IR ops.
final class OpTrigger: Trigger, BreakpointFilter, OpFilter {
  weak var owner: Breakpoint?
  private let address: UInt64
  private let op: Int

  init(_ address: UInt64, op: Int) {
    self.address = address
    self.op = op
  }

  var kind: String { "op" }
  func place(_ memory: DebugMemory) -> String {
    "\(op) of the block at \(memory.addressText(address))\(memory.symbolSuffix(address))"
  }
  func arm(_ machine: Machine) { machine.engine.insertBreakpoint(address, filter: self) }
  func disarm(_ machine: Machine) { machine.engine.removeBreakpoint(address, filter: self) }
  func isPlanted(at pc: UInt64) -> Bool { pc == address }

  func stops(_ vcpu: VCPU) -> Bool {
    vcpu.wantedOp = WantedOp(op, self)
    return false
  }

  func stopsBeforeOp(_ vcpu: VCPU) -> Bool { owner?.stops(vcpu) ?? false }
}
