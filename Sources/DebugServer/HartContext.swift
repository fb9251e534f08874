// Owns a hart as agent expressions and tracepoints see it.

import Engine
import GDBRemote
import Machine

/// A hart between two instructions. Used on the machine's thread only.
struct HartContext: TraceContext {
  private let vcpu: VCPU
  private let machine: Machine
  private let side: MachineSide
  private lazy var guestMemory = GuestMemory(machine, vcpu)

  init(_ vcpu: VCPU, _ machine: Machine, _ side: MachineSide) {
    self.vcpu = vcpu
    self.machine = machine
    self.side = side
  }

  var time: UInt64 { vcpu.now &* machine.clock.nanosecondsPerInstruction / 1000 }

  var programCounter: UInt64 { vcpu.state.pc }

  func register(_ number: Int) -> UInt64? { side.layout.value(number, vcpu.state) }

  func memory(at address: UInt64, size: Int) -> UInt64? { GuestMemory(machine, vcpu).value(at: address, size: size) }

  func show(_ text: String) { side.show(text) }

  func appendRegister(_ number: Int, to bytes: inout [UInt8]) -> Bool {
    side.layout.append(number, vcpu.state, to: &bytes)
  }

  mutating func appendMemory(at address: UInt64, count: Int, to bytes: inout [UInt8]) {
    guestMemory.append(address, count, to: &bytes)
  }
}
