// Owns `info status`, `info cpus` and `cpu`: what runs, and which hart commands mean.

import Engine
import Machine

extension Command {
  static let infoStatus = Command(
    "info status", aliases: ["poll"], [], .look, "Whether the guest runs, and why it stopped.",
    .look { context throws(MonitorError) in
      let machine = context.machine
      let vcpu = context.vcpu
      let memory = context.memory
      let reason: String =
        machine.isRunning
        ? "" : context.monitor.describe(machine.lastStop, machine).textLines.first ?? ""
      return .fields([
        NamedValue("state", .text(machine.isRunning ? "running" : "stopped")),
        NamedValue("last stop", reason.isEmpty ? .nothing : .text(reason)),
        NamedValue("hart", .count(context.hart)),
        NamedValue("pc", memory.address(vcpu.state.pc)),
        NamedValue("at", memory.symbol(vcpu.state.pc)),
        NamedValue("virtual time", .text(seconds(machine.clock.now))),
        NamedValue("instructions", .count(machine.engine.vcpus.map(\.retiredInstructions).reduce(0, &+))),
        NamedValue("guest", .text(machine.guest.architecture)),
        NamedValue("host", .text(machine.engine.hostName)),
        NamedValue("board", .text(machine.configuration.board)),
      ])
    })

  static let infoCPUs = Command(
    "info cpus", aliases: ["targets"], [], .look, "All harts: where they stand and what they wait for.",
    .look { context throws(MonitorError) in
      let chosen = context.hart
      return .table(
        [
          .left(""), .right("hart"), .left("pc"), .left("symbol"), .left("state"), .right("instructions"),
          .right("ticks"),
        ],
        context.machine.engine.vcpus.map { vcpu in
          let memory = DebugMemory(machine: context.machine, vcpu: vcpu)
          let state =
            vcpu.isHalted
            ? "off"
            : context.machine.isHeld(vcpu.number)
              ? "held by a debugger" : vcpu.isWaiting ? "waits for an interrupt" : "on"
          return [
            .text(vcpu.number == chosen ? "*" : ""), .count(vcpu.number), memory.address(vcpu.state.pc),
            memory.symbol(vcpu.state.pc), .text(state), .count(vcpu.retiredInstructions), .count(vcpu.now),
          ]
        })
    })

  static let cpu = Command(
    "cpu", [.text("HART")], .look, "Choose the hart that commands mean.",
    .look { context throws(MonitorError) in
      guard let word = context.arguments["HART"] else { throw context.arguments.usage }
      let count = context.machine.engine.vcpus.count
      guard let number = Int(word), (0..<count).contains(number) else {
        throw .refused("'\(word)' is no hart; there are 0 to \(count - 1)")
      }
      context.monitor.state.withLock { $0.hart = number }
      return context.monitor.position(context.machine)
    })
}
