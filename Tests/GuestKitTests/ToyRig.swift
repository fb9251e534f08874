// Owns a bare machine for a guest made for tests: memory, one vCPU, and each way to run it.

import Bus
import Engine
import GuestKit
import HostInterpreter
import HostKit
import HostX86_64

/// How guest code is executed.
enum Runner: CaseIterable {
  /// Compiled at once, by the optimiser's passes too, interpreted at first, interpreted always.
  case compiled, optimized, tiered, interpreted
}

struct ToyRig {
  let engine: Engine
  let memory: RAMRegion
  var vcpu: VCPU { engine.vcpus[0] }

  /// Memory is at 0, where the vCPU starts and `program` is.
  ///
  /// - Parameter map: what else there is.
  init(
    _ runner: Runner, _ guest: any Guest, _ program: [UInt8], pc: UInt64 = 0,
    map: (AddressSpace) throws -> Void = { _ in }
  ) throws {
    memory = try RAMRegion(name: "ram", size: 1 << 16)
    let space = AddressSpace()
    try space.map("ram", at: 0, size: 1 << 16, .ram(memory, offset: 0))
    try map(space)
    var options = EngineOptions()
    options.tiers = runner == .tiered ? .adaptive : runner == .optimized ? .thorough : .quick
    options.interpretedRuns = 4
    let isTiered = runner == .tiered
    func make<H: Host>(_ host: H.Type) throws -> Engine {
      try Engine(
        guest: guest, host: host, interpreter: isTiered ? Interpreter.self : nil, space: space, clock: VirtualClock(),
        events: EventQueue(), vcpuCount: 1, options: options)
    }
    engine = runner == .interpreted ? try make(InterpreterHost.self) : try make(X86_64Host.self)
    try space.copyIn(program, at: pc)
    guest.reset(vcpu.state, number: 0, pc: pc)
    vcpu.wasReset()
  }

  func run(_ ticks: UInt64) -> RunOutcome { vcpu.run(until: ticks) }

  subscript(register: Int) -> UInt64 {
    get { engine.guest.readRegister(vcpu.state, register) }
    nonmutating set { engine.guest.writeRegister(vcpu.state, register, newValue) }
  }
}
