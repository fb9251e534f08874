// Owns `step op`: the block at the PC, one IR op at a time.

import Bits
import Engine
import IR
import Machine

extension Command {
  static let stepOp = Command(
    "step op", [.count.optional, .words("FINISH", "finish").optional], .run,
    "Execute COUNT IR ops of the block at the PC, or the rest of it.",
    .control { monitor, arguments, run throws(MonitorError) in
      try monitor.needsStopped()
      let finishes = arguments["FINISH"] != nil
      let count = finishes ? Int.max : arguments.count(else: 1)
      return CommandResult(
        listing: try monitor.perform { machine throws(MonitorError) in
          try OpSteps(machine: machine, monitor: monitor).run(count, finishes: finishes)
        })
    })
}

/// Steps and shows where they led.
private struct OpSteps {
  let machine: Machine
  let monitor: Monitor

  var hart: Int { monitor.hart(machine) }
  var vcpu: VCPU { machine.engine.vcpus[hart] }

  func run(_ count: Int, finishes: Bool) throws(MonitorError) -> Listing {
    let start = vcpu.opPosition
    var left = count
    // Going into a block executes nothing, so that its first op can be seen before it runs.
    while left > 0 {
      switch machine.stepOp(hart: hart) {
      case .refused(let text): throw .refused(text)
      case .left: return leftBlock(start)
      case .inside: left -= 1
      }
      if !finishes, start == nil, count == 1 { break }
    }
    guard let position = vcpu.opPosition else { return leftBlock(start) }
    return show(position)
  }

  private func leftBlock(_ start: OpPosition?) -> Listing {
    let memory = DebugMemory(machine: machine, vcpu: vcpu)
    let pc = vcpu.state.pc
    let from = start.map { "block \($0.block.pc.hex0x()) left" } ?? "block left"
    return .custom(
      [from + ": " + memory.location(pc)],
      .object([
        NamedValue("left", .truth(true)), NamedValue("pc", memory.address(pc)), NamedValue("symbol", memory.symbol(pc)),
      ]))
  }

  /// The ops around the next one, with the values computed so far.
  private func show(_ position: OpPosition) -> Listing {
    let printer = machine.engine.printer
    let memory = DebugMemory(machine: machine, vcpu: vcpu)
    let ops = position.block.ops
    let texts = printer.lines(position.block)
    let range = max(0, position.next - 6)..<min(ops.count, position.next + 5)
    let width = range.map { texts[$0].count }.max() ?? 0
    let lines = range.map { index -> String in
      let op = ops[index]
      let mark = index == position.next ? "=> " : "   "
      if op.opcode == .instruction {
        let pc = UInt64(bitPattern: op.imm)
        return "   " + padded(left: "", 4) + "-- " + memory.location(pc)
      }
      let result =
        index < position.next && !op.result.isNone
        ? "  ; " + position.values[Int(op.result.index)].number.hex0x() : ""
      return trimmed(mark + padded(left: String(index), 4) + "   " + padded(texts[index], width) + result)
    }
    let title = "block \(position.block.pc.hex0x()), op \(position.next) of \(ops.count)"
    let values = ops[..<position.next].filter { !$0.result.isNone }.map { op in
      NamedValue("%\(op.result.index)", .text(position.values[Int(op.result.index)].number.hex0x()))
    }
    return .custom(
      [title] + lines,
      .object([
        NamedValue("block", .hex(position.block.pc)), NamedValue("next", .count(position.next)),
        NamedValue("op", .text(texts[position.next])), NamedValue("values", .object(values)),
      ]))
  }
}
