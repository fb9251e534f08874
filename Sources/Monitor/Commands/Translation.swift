// Owns `walk` and `info tlb`: how addresses are translated.

import Bits
import Engine

extension Command {
  static let walk = Command(
    "walk", aliases: ["address walk"], [.address.rest], .look,
    "Translate a virtual address, showing each page-table entry read.",
    .look { context throws(MonitorError) in
      guard let address = context.arguments.address else { throw context.arguments.usage }
      let memory = context.memory
      let (physical, entries) = context.vcpu.walk(address)
      var lines = ["virtual   " + memory.addressText(address) + memory.symbolSuffix(address)]
      for (level, step) in entries.enumerated() {
        let value = step.value.map { $0.hex0x(digits: 2 * step.size) } ?? "bus error"
        lines.append(
          "level \(entries.count - 1 - level)   entry at \(memory.addressText(step.address)):  \(value)")
      }
      let region = physical.flatMap { context.machine.space.region(at: $0) }
      lines.append(
        "physical  " + (physical.map { memory.addressText($0) } ?? "not mapped")
          + (region.map { "  (\($0.name))" } ?? ""))
      if entries.isEmpty, physical != nil { lines.insert("no translation in this mode", at: 1) }
      return .custom(
        lines,
        .object([
          NamedValue("virtual", memory.address(address)),
          NamedValue("physical", physical.map { memory.address($0) } ?? .nothing),
          NamedValue(
            "entries",
            .list(
              entries.map { step in
                .object([
                  NamedValue("address", memory.address(step.address)),
                  NamedValue("value", step.value.map { .hex($0) } ?? .nothing),
                ])
              })),
          NamedValue("region", region.map { .text($0.name) } ?? .nothing),
        ]))
    })

  static let infoTLB = Command(
    "info tlb", [], .look, "Pages that the inline TLB of the chosen hart holds.",
    .look { context throws(MonitorError) in
      guard let entries = context.machine.engine.tlbEntries(context.vcpu) else {
        return .none("This mode uses no TLB: addresses go through the memory window.")
      }
      let memory = context.memory
      return .table(
        [.left("virtual"), .left("physical"), .left("reads"), .left("writes"), .left("region")],
        entries.map { entry in
          [
            memory.address(entry.virtual), memory.address(entry.physical),
            .text(entry.isReadable ? "direct" : "slow"), .text(entry.isWritable ? "direct" : "slow"),
            context.machine.space.region(at: entry.physical).map { .text($0.name) } ?? .nothing,
          ]
        })
    })
}
