// Owns `events`: what happened to translated code of late.

import Bits
import Engine

extension Command {
  static let events = Command(
    "events", [.count.optional], .blocks,
    "What was translated, chained, cut and dropped of late, when (in instructions of the hart) and why.",
    .look { context throws(MonitorError) in
      let memory = context.memory
      let events = context.machine.engine.code.events.suffix(context.arguments.count(else: 20))
      return .table(
        [.right("time"), .left("event"), .right("block"), .left("pc"), .left("symbol"), .left("other"), .left("why")],
        events.map { event in
          [
            .number(event.time), .text(event.name), event.block == 0 ? .nothing : .text("#\(event.block)"),
            event.block == 0 ? .nothing : memory.address(event.pc),
            event.block == 0 ? .nothing : memory.symbol(event.pc),
            event.other.map { .text("#\($0)") } ?? .nothing,
            event.cause == .run ? .nothing : .text(event.cause.rawValue),
          ]
        })
    })
}

extension CodeEvent {
  fileprivate var name: String {
    switch kind {
    case .translated(let tier): "translated (\(tier))"
    case .chained: "chained"
    case .cut: "cut"
    case .dropped: "dropped"
    case .flushed: "all dropped"
    }
  }

  fileprivate var other: BlockID? {
    switch kind {
    case .chained(let other), .cut(let other): other
    default: nil
    }
  }
}
