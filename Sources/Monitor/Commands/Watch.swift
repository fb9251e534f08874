// Owns the commands that set watchpoints: on memory, registers of devices, system registers.

import Bits
import Engine
import Machine

extension Command {
  static let watch = Command(
    "watch",
    [
      Parameter("ADDR|DEVICE.REGISTER[.FIELD]", .watchable), .number("LENGTH").optional,
      .words("MODE", "r", "w", "rw", "change").optional,
    ] + breakpointTail, .breaks,
    "Stop behind an access to memory (a write, unless told) or a device's register (a change), and say what was and is there.",
    .look { context throws(MonitorError) in try context.add(try context.watched()) })

  static let watchSystemRegister = Command(
    "watch csr", aliases: ["watch msr"],
    [Parameter("NAME", .text), .words("MODE", "r", "w", "rw").optional] + breakpointTail,
    .breaks, "Stop behind an instruction that writes a CSR or special register, or reads it.",
    .look { context throws(MonitorError) in
      guard let name = context.arguments["NAME"] else { throw context.arguments.usage }
      return try context.add(try SystemRegisterTrigger(name, context.arguments["MODE"] ?? "w", context.memory))
    })
}

extension Context {
  fileprivate func watched() throws(MonitorError) -> any Trigger {
    guard let word = arguments["ADDR|DEVICE.REGISTER[.FIELD]"] else { throw arguments.usage }
    let symbol = try memory.symbol(named: word)
    if symbol == nil, let register = try NamedRegister(word, machine) {
      guard arguments.number("LENGTH") == nil else { throw .refused("a register has its own length") }
      return try DeviceTrigger(register, arguments["MODE"] ?? "change", machine)
    }
    let mode = arguments["MODE"] ?? "w"
    guard mode != "change" else { throw .refused("memory is watched for accesses: r, w or rw") }
    let address = try memory.address(of: word)
    let length = arguments.number("LENGTH") ?? symbol.map { max(1, $0.size) } ?? UInt64(memory.wordSize)
    guard (1...1 << 20).contains(length) else { throw .refused("a watchpoint covers 1 to 1048576 bytes") }
    return MemoryTrigger(
      Watchpoint(
        address: address, length: length, onRead: mode.contains("r"), onWrite: mode.contains("w"), stopsBehind: true))
  }
}
