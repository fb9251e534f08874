// Owns the services a guest asks of the host by semihosting.

import Engine

/// Placeholder until the services are in.
struct Semihosting {
  enum Outcome { case goOn, exit(Int32) }
  init(_ configuration: MachineConfiguration) {}
  func call(_ vcpu: VCPU, machine: Machine) -> Outcome { .exit(1) }
}
