// Owns `bisect`: the first block, and pass, with which compiled and interpreted execution part.

import Bits
import Engine
import Machine

extension Command {
  static let bisect = Command(
    "bisect", [.count.optional], .ir,
    "From here on for COUNT (10000000) instructions, find the first block that goes wrong compiled, and the pass.",
    .control { monitor, arguments, run throws(MonitorError) in
      try monitor.needsStopped()
      let (snapshot, passes) = try monitor.perform { machine throws(MonitorError) in
        do throws(MachineError) {
          return (try machine.saveSnapshot(), machine.engine.passes)
        } catch { throw .refused(error.description) }
      }
      let count = UInt64(arguments.count(else: 10_000_000))
      let found: Divergence?
      do {
        let search = try Bisection(
          of: monitor.machine, from: snapshot, passes: passes, isCancelled: { run.isCancelled }
        ) { line in
          if !arguments.wantsJSON { run.show(line + "\n") }
        }
        found = try search.find(within: count)
      } catch is Bisection.Cancelled {
        throw .interrupted
      } catch { throw .refused("\(error)") }
      return CommandResult(
        listing: try monitor.perform { machine in
          let memory = DebugMemory(machine: machine, vcpu: machine.engine.vcpus[monitor.hart(machine)])
          return found.map { $0.listing(from: snapshot.ticks, memory) }
            ?? .none("No difference in \(count) instructions.")
        })
    })
}

extension Divergence {
  fileprivate func listing(from begin: UInt64, _ memory: DebugMemory) -> Listing {
    let place = memory.addressText(pc) + memory.symbolSuffix(pc)
    let count = end - start
    var lines = [
      "Hart \(hart) goes wrong in the \(count == 1 ? "instruction" : "\(count) instructions") from \(place) on, entered"
        + " after \(start - begin) instructions from here:"
    ]
    lines += differences.map { "  " + $0 }
    let way =
      switch tiers {
      case .thorough?: "translated thoroughly"
      case .quick?: "translated quickly"
      case .adaptive?, nil: "with what was translated before it, and not by itself"
      }
    lines.append("It does \(way).")
    switch cause {
    case .pass(let name):
      lines.append("It does so from pass \(name) on: see 'ir diff \(pc.hex0x()) \(name)', 'pass off \(name)'.")
    case .host(let name):
      lines.append("It does so without any pass: the code of host \(name) is wrong, see 'block \(pc.hex0x())'.")
    }
    let causes: (Value, Value) =
      switch cause {
      case .pass(let name): (.text(name), .nothing)
      case .host(let name): (.nothing, .text(name))
      }
    return .custom(
      lines,
      .object([
        NamedValue("hart", .count(hart)), NamedValue("pc", memory.address(pc)), NamedValue("symbol", memory.symbol(pc)),
        NamedValue("start", .number(start)), NamedValue("end", .number(end)),
        NamedValue("tiers", tiers.map { .text($0.rawValue) } ?? .nothing), NamedValue("pass", causes.0),
        NamedValue("host", causes.1), NamedValue("differences", .list(differences.map { .text($0) })),
      ]))
  }
}
