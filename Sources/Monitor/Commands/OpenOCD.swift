// Owns the commands that scripts for OpenOCD use and that have no other name here: memory by width, registers one by one,
// going on from an address, waiting.

import Bits
import Engine
import Glibc
import Machine

extension Command {
  /// `mdd`, `mdw`, `mdh`, `mdb`, `mwd`, `mww`, `mwh`, `mwb`.
  static let openOCDMemory: [Command] = [("d", 8), ("w", 4), ("h", 2), ("b", 1)].flatMap { letter, size in
    [displayMemory("md" + letter, size), writeMemory("mw" + letter, size)]
  }

  private static let space = Parameter.words("SPACE", "phys").optional

  private static func displayMemory(_ name: String, _ size: Int) -> Command {
    Command(
      name, [space, .address, .count.optional], .look, "\(8 * size)-bit values in memory, as OpenOCD shows them.",
      .pages { context, cursor throws(MonitorError) in
        guard let address = context.arguments.address else { throw context.arguments.usage }
        return try context.values(
          cursor ?? Cursor(address: address, left: context.arguments.count(else: 1)), size: size,
          isPhysical: context.arguments["SPACE"] != nil)
      })
  }

  private static func writeMemory(_ name: String, _ size: Int) -> Command {
    Command(
      name, [space, .address, .number("VALUE"), .count.optional], .look,
      "Write a \(8 * size)-bit value, COUNT times in a row.",
      .look { context throws(MonitorError) in
        guard let address = context.arguments.address, let value = context.arguments.number("VALUE") else {
          throw context.arguments.usage
        }
        let count = context.arguments.count(else: 1)
        guard count <= 1 << 24 else { throw .refused("\(count) values; choose at most \(1 << 24)") }
        for index in 0..<count {
          try context.memory.write(
            address &+ UInt64(index * size), size: size, value & .mask(8 * size),
            isPhysical: context.arguments["SPACE"] != nil)
        }
        return .empty
      })
  }

  static let register = Command(
    "reg", [Parameter("NAME", .register).then(.number("VALUE").optional).optional], .look,
    "Registers; one of them; or set it.",
    .look { context throws(MonitorError) in
      let memory = context.memory
      let registers = memory.guest.registerFile.registers
      guard let name = context.arguments["NAME"] else {
        let shown = registers.indices.filter { registers[$0].group == "general" || registers[$0].group == "system" }
        return .table(
          [.right("number"), .left("name"), .right("bits"), .left("value")],
          shown.map {
            [.count($0), .text(registers[$0].name), .count(registers[$0].type.bits), memory.value(ofRegister: $0)]
          })
      }
      let number = try memory.registerNumber(name)
      if let value = context.arguments.number("VALUE") { context.setRegister(number, value) }
      let value = memory.value(ofRegister: number)
      return .custom(
        ["\(name) (/\(registers[number].type.bits)): \(value.text)"],
        .object([
          NamedValue("name", .text(name)), NamedValue("bits", .count(registers[number].type.bits)),
          NamedValue("value", value),
        ]))
    })

  static let resume = Command(
    "resume", [.code().optional], .run, "As 'cont', or go on from ADDR.",
    .control { monitor, arguments, _ throws(MonitorError) in
      if let address = arguments.address {
        try monitor.needsStopped()
        try monitor.perform { machine throws(MonitorError) in
          try Context(machine, monitor, arguments).setRegister(machine.guest.programCounter, address)
        }
      }
      monitor.machine.resume(.run)
      return CommandResult()
    })

  static let waitHalt = Command(
    "wait_halt", [.number("MS").optional], .run, "Wait until the guest stops: at most MS milliseconds, or 5000.",
    .control { monitor, arguments, run throws(MonitorError) in
      let end = HostClock.seconds + Double(arguments.number("MS") ?? 5000) / 1000
      while monitor.machine.perform(\.isRunning) {
        try run.check()
        guard HostClock.seconds < end else { throw .refused("the guest has not stopped in this time") }
        usleep(2000)
      }
      return CommandResult(listing: try monitor.perform { monitor.position($0) })
    })

  static let sleep = Command(
    "sleep", [.number("MS")], .run, "Wait so many milliseconds of the host's time; a running guest runs on.",
    .control { _, arguments, run throws(MonitorError) in
      let end = HostClock.seconds + Double(arguments.number("MS") ?? 0) / 1000
      while HostClock.seconds < end {
        try run.check()
        usleep(useconds_t(min(10_000, max(100, (end - HostClock.seconds) * 1_000_000))))
      }
      return CommandResult()
    })

  static let armSemihosting = Command(
    "arm semihosting", [.words("STATE", "enable", "disable").optional], .files, "Whether semihosting calls are served.",
    .look { context throws(MonitorError) in
      let isOn = context.machine.configuration.semihosting
      let wanted = context.arguments["STATE"].map { $0 == "enable" } ?? isOn
      guard wanted == isOn else {
        throw .refused(
          "semihosting is \(isOn ? "on" : "off") for the whole run; start Martlet \(isOn ? "without" : "with") --semihosting"
        )
      }
      return .said("semihosting is \(isOn ? "enabled" : "disabled")", NamedValue("enabled", .truth(isOn)))
    })

  static let rttSetup = rtt("rtt setup", [.address, .number("SIZE"), .text("ID").optional])
  static let rttStart = rtt("rtt start", [])

  private static func rtt(_ name: String, _ parameters: [Parameter]) -> Command {
    Command(
      name, parameters, .files, "Whether SEGGER RTT is served; Martlet finds its control block by itself.",
      .look { context throws(MonitorError) in
        guard context.machine.configuration.rtt else { throw .refused("RTT is off; start Martlet with --rtt") }
        return .empty
      })
  }
}

extension Context {
  /// Sets a register of the chosen hart, which does not stop at a breakpoint at once where it is put.
  func setRegister(_ number: Int, _ value: UInt64) {
    machine.setRegister(vcpu, number, value)
    if number == machine.guest.programCounter { vcpu.passBreakpoint() }
  }

  /// 32 bytes a line.
  fileprivate func values(_ cursor: Cursor, size: Int, isPhysical: Bool) throws(MonitorError) -> Page {
    let count = min(cursor.left, Page.size)
    var lines: [String] = []
    var values: [Value] = []
    for index in 0..<count {
      let address = cursor.address &+ UInt64(index * size)
      guard let value = memory.read(address, size: size, isPhysical: isPhysical) else {
        throw memory.unreadable(address)
      }
      if index * size % 32 == 0 { lines.append(memory.addressText(address) + ":") }
      lines[lines.count - 1] += " " + value.hex(digits: 2 * size)
      values.append(
        .object([NamedValue("address", memory.address(address)), NamedValue("value", .hex(value, digits: 2 * size))]))
    }
    let left = cursor.left - count
    return Page(
      lines: lines, values: values,
      next: left > 0 ? Cursor(address: cursor.address &+ UInt64(count * size), left: left) : nil)
  }
}
