// Owns `info mtree`: the physical address map.

import Bits
import Bus
import Machine

extension Command {
  static let infoMemoryTree = Command(
    "info mtree", [], .look, "The physical address map: RAM, ROM, flash and devices.",
    .look { context throws(MonitorError) in
      let layout = context.machine.space.layout
      let digits = layout.contains { $0.last > 0xFFFF_FFFF } ? 16 : 8
      return .table(
        [.left("first"), .left("last"), .right("size"), .left("kind"), .left("access"), .left("name")],
        layout.map { stretch in
          let region = stretch.region
          let (kind, access) =
            switch region.backing {
            case .ram: ("ram", "rwx")
            case .rom: ("rom", "r-x")
            case .device: ("device", "rw-")
            case .romDevice: ("flash", region.readsDirectly ? "r-x" : "commands")
            }
          return [
            .hex(stretch.first, digits: digits), .hex(stretch.last, digits: digits),
            .text(byteCount(stretch.last &- stretch.first &+ 1)), .text(kind), .text(access),
            .text(region.name + (region.isOverlay ? " (overlay)" : "")),
          ]
        })
    })
}

/// `128 MiB`, `4 KiB`, `12 B`: the largest unit that divides evenly.
func byteCount(_ count: UInt64) -> String {
  for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] as [(UInt64, String)]
  where count >> shift > 0 && count & ((1 << shift) - 1) == 0 {
    return "\(count >> shift) \(unit)"
  }
  return "\(count) B"
}
