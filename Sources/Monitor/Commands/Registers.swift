// Owns `info registers` and `set`: registers by name or group.

import GuestKit
import Machine

extension Command {
  static let infoRegisters = Command(
    "info registers", [Parameter("NAME|GROUP|all", .register).many.optional], .look,
    "Registers: general and system ones, those named, or a group.",
    .look { context throws(MonitorError) in
      let memory = context.memory
      let registers = memory.guest.registerFile.registers
      let words = context.arguments.all("NAME|GROUP|all")
      var numbers: [Int] = []
      let groups = Set(registers.map(\.group))
      for word in words.isEmpty ? ["general", "system"].filter(groups.contains) : words {
        if word == "all" {
          numbers += registers.indices.filter { registers[$0].group != "internal" }
        } else if groups.contains(word) {
          numbers += registers.indices.filter { registers[$0].group == word }
        } else {
          numbers.append(try memory.registerNumber(word.hasPrefix("$") ? String(word.dropFirst()) : word))
        }
      }
      let fields = numbers.map { number in
        NamedValue(registers[number].aliases.first ?? registers[number].name, memory.value(ofRegister: number))
      }
      return fields.count == 1 ? .fields(fields) : .grid(fields, columns: memory.guest.addressBits == 64 ? 4 : 6)
    })

  static let setRegister = Command(
    "set", [Parameter("$REG = EXPR", .register).rest], .look, "Set a register.",
    .look { context throws(MonitorError) in
      guard let text = context.arguments["$REG = EXPR"], let equals = text.firstIndex(of: "=") else {
        throw context.arguments.usage
      }
      var name = trimmed(String(text[..<equals]))
      if name.hasPrefix("$") { name.removeFirst() }
      let memory = context.memory
      guard memory.frame == nil else { throw .refused("only frame 0 has registers to be set; 'frame 0' chooses it") }
      let number = try memory.registerNumber(name)
      let value = try Expression.value(String(text[text.index(after: equals)...]), memory)
      context.setRegister(number, value)
      return .fields([NamedValue(name, memory.value(ofRegister: number))])
    })
}
