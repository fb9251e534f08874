// Owns `walk` and `info tlb`: how addresses are translated.

import Bits
import Engine
import GuestKit
import Machine

extension Command {
  static let walk = Command(
    "walk", aliases: ["address walk"], [.address.rest], .look,
    "Translate a virtual address, showing each page-table entry read.",
    .look { context throws(MonitorError) in
      guard let address = context.arguments.address else { throw context.arguments.usage }
      let memory = context.memory
      let recorder = WalkRecorder(context.machine)
      let physical = context.machine.guest.debugTranslate(context.vcpu.state, address, memory: recorder)
      var lines = ["virtual   " + memory.addressText(address) + memory.symbolSuffix(address)]
      for (level, step) in recorder.reads.enumerated() {
        let value = step.value.map { $0.hex0x(digits: 2 * step.size) } ?? "bus error"
        lines.append(
          "level \(recorder.reads.count - 1 - level)   entry at \(memory.addressText(step.address)):  \(value)")
      }
      let region = physical.flatMap { context.machine.space.region(at: $0) }
      lines.append(
        "physical  " + (physical.map { memory.addressText($0) } ?? "not mapped")
          + (region.map { "  (\($0.name))" } ?? ""))
      if recorder.reads.isEmpty, physical != nil { lines.insert("no translation in this mode", at: 1) }
      return .custom(
        lines,
        .object([
          NamedValue("virtual", memory.address(address)),
          NamedValue("physical", physical.map { memory.address($0) } ?? .nothing),
          NamedValue(
            "entries",
            .list(
              recorder.reads.map { step in
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
        return .text("This mode uses no TLB: addresses go through the memory window.")
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

/// Physical memory that notes what a page-table walk reads.
private final class WalkRecorder: PhysicalMemoryPort {
  private let machine: Machine
  private(set) var reads: [(address: UInt64, size: Int, value: UInt64?)] = []

  init(_ machine: Machine) { self.machine = machine }

  func readPhysical(_ address: UInt64, size: Int) -> UInt64? {
    let value = machine.space.peek(address, size: size)
    reads.append((address, size, value))
    return value
  }

  /// A debugger's walk changes nothing.
  func writePhysical(_ address: UInt64, size: Int, _ value: UInt64) -> Bool { false }
}
