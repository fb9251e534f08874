// Owns `story chaining`: how two blocks of the running guest come to be chained, and are cut, shown on the real code.

import Bits
import Engine
import Glibc
import HostKit
import Machine

extension Command {
  static let storyChaining = Command(
    "story chaining", [], .blocks,
    "Drop all translated code, let the guest run, and tell how the first blocks to be chained were, and are cut again.",
    .control { monitor, _, run throws(MonitorError) in
      CommandResult(listing: try ChainingStory(monitor: monitor, run: run).tell())
    })
}

private struct ChainingStory {
  let monitor: Monitor
  let run: CommandRun

  /// A chain, and the code around it.
  private struct Edge: Sendable {
    var source: BlockID
    var target: BlockID
    var times: (translated: UInt64?, chained: UInt64)
  }

  /// The jump of a chain as it is at some time.
  private struct Jump: Sendable {
    var address: UInt64
    var bytes: [UInt8]
    var text: String
  }

  func tell() throws(MonitorError) -> Listing {
    let wasRunning = monitor.machine.perform(\.isRunning)
    let dropped = try monitor.perform { machine in
      let count = machine.engine.store.valid.count
      machine.engine.flush()
      return count
    }
    guard let edge = try runUntilChained(nil) else {
      throw .refused("the guest has chained no two blocks of compiled code before it stopped, or within two seconds")
    }
    let chained = try jump(edge)
    let strategy = monitor.machine.perform { $0.engine.options.interrupts }
    try monitor.perform { machine in
      for chain in machine.engine.code.chains().outgoing(edge.source) where chain.target == edge.target {
        machine.engine.code.cut(chain)
      }
    }
    let cut = try jump(edge)
    let stub = try stub(edge)
    let again = try runUntilChained(edge)
    if wasRunning { monitor.machine.resume(.run) }
    return try monitor.perform { machine in
      let chapters = chapters(machine, edge, again, chained, cut, stub, dropped, strategy)
      return .sections(
        chapters.enumerated().map { number, chapter in
          let lines = chapter.lines.flatMap { ListingStyle.wrapped($0, run.style.columns - 2) }
          return ("\(number + 1). \(chapter.title)", .lines(lines))
        })
    }
  }

  /// Lets the guest run until two blocks are chained: any, or those of `known`; it is stopped then. Nil if that does not
  /// come before the guest stops by itself, or within two seconds.
  private func runUntilChained(_ known: Edge?) throws(MonitorError) -> Edge? {
    monitor.machine.resume(.run)
    defer { monitor.machine.stop() }
    for _ in 0..<2000 {
      try run.check()
      let (found, isRunning): (Edge?, Bool) = try monitor.perform { machine in
        (find(known, machine.engine), machine.isRunning)
      }
      if found != nil || !isRunning { return found }
      usleep(1000)
    }
    return nil
  }

  private func find(_ known: Edge?, _ engine: Engine) -> Edge? {
    let events = engine.code.events
    let start = events.lastIndex { $0.kind == .flushed || $0.cause == .command } ?? 0
    for event in events[start...] {
      guard case .chained(let target) = event.kind, target != event.block, engine.store[event.block].isValid,
        known == nil || known?.source == event.block && known?.target == target,
        let chain = engine.code.chains().outgoing(event.block).first(where: { $0.target == target }),
        engine.chainWord(chain) != nil
      else { continue }
      let made = events.last { event in
        if case .translated = event.kind { return event.block == target }
        return false
      }
      return Edge(source: event.block, target: target, times: (made?.time, event.time))
    }
    return nil
  }

  private func jump(_ edge: Edge) throws(MonitorError) -> Jump {
    try monitor.perform { machine throws(MonitorError) in
      let engine = machine.engine
      let pc = engine.store[edge.target].key.pc
      guard engine.store[edge.source].isValid,
        let chain = engine.code.chains().outgoing(edge.source).first(where: { $0.targetPC == pc }),
        let word = engine.chainWord(chain)
      else { throw .refused("the guest has replaced the block meanwhile; tell it again") }
      let lines = engine.host.listing(engine.store[edge.source].compiled, of: nil, dataPath: .slow)
      let line = lines.last { $0.address <= word.address }
      let text = line.map(HostText(machine, block: edge.source).text) ?? "?"
      return Jump(address: line?.address ?? word.address, bytes: line?.bytes ?? word.bytes, text: text)
    }
  }

  /// What the jump leads to while it is not chained.
  private func stub(_ edge: Edge) throws(MonitorError) -> [String] {
    try monitor.perform { machine in
      let engine = machine.engine
      let block = engine.store[edge.source].compiled
      let text = HostText(machine, block: edge.source)
      let lines = engine.host.listing(block, of: nil, dataPath: .slow)
      let start = lines.first?.address ?? 0
      let calls = lines.filter { $0.text.hasPrefix("call") }
      return calls.prefix(2).map { "+\(($0.address - start).hex(digits: 2))  \(text.text($0))" }
    }
  }

  // MARK: Words

  private func chapters(
    _ machine: Machine, _ edge: Edge, _ again: Edge?, _ chained: Jump, _ cut: Jump, _ stub: [String], _ dropped: Int,
    _ strategy: InterruptStrategy
  ) -> [(title: String, lines: [String])] {
    let engine = machine.engine
    let memory = DebugMemory(machine: machine, vcpu: engine.vcpus[monitor.hart(machine)])
    func name(_ id: BlockID) -> String {
      let pc = engine.store[id].key.pc
      return "#\(id) at \(pc.hex0x())\(memory.symbolSuffix(pc))"
    }
    let target = engine.store[edge.target]
    let start = engine.store[edge.source].compiled.entry
    func place(_ jump: Jump) -> String {
      let base = engine.host.jumpTarget(start)
      return "+" + (jump.address &- base).hex(digits: 2) + "  " + padded(jump.text, 28)
        + jump.bytes.map { $0.hex(digits: 2) }.joined(separator: " ")
    }
    let found = edge.times.translated.map { ["translated when the guest had run \($0) instructions"] } ?? []
    return [
      ("All \(dropped) blocks are dropped; the guest runs on", []),
      (
        "Block \(name(edge.source)) leaves through its stub",
        ["The jump at its exit leads to a call that brings control back to the engine and says which exit it was:"]
          + [place(cut)] + stub
      ),
      (
        "The engine looks up where the guest goes on, and finds or makes block \(name(edge.target))",
        found + [
          "\(target.instructionCount) guest instructions, \(target.guestSize) bytes, "
            + "became \(target.compiled.size) bytes of host code (\(target.tier))"
        ]
      ),
      (
        "It patches the jump, after \(edge.times.chained) instructions",
        ["before  " + place(cut), "after   " + place(chained)]
      ),
      (
        "The next time block #\(edge.source) ends, it goes straight to #\(edge.target)",
        ["No look-up, no return to the engine: \(engine.code.chainCount) chains there are now."]
      ),
      (
        "'unchain \(engine.store[edge.source].key.pc.hex0x()) \(target.key.pc.hex0x())' puts the old bytes back",
        [
          "after   " + place(cut),
          again.map { "and as the guest runs, the chain forms again: after \($0.times.chained) instructions" }
            ?? "The guest has not come to that exit again since.",
        ]
      ),
      ("An interrupt stops a chain by strategy '\(strategy.rawValue)'", strategy.story + others(strategy)),
    ]
  }

  private func others(_ strategy: InterruptStrategy) -> [String] {
    ["The others (--interrupts):"]
      + InterruptStrategy.allCases.filter { $0 != strategy }.map {
        "\($0.rawValue): \($0.story.joined(separator: " "))"
      }
  }
}

extension InterruptStrategy {
  /// What it does to chains.
  fileprivate var story: [String] {
    switch self {
    case .budget:
      [
        "Each backward jump takes the instructions it ends off a budget; used up, it leaves through the stub next to "
          + "the jump. No chain is cut, and each run is the same."
      ]
    case .unchain:
      ["Jumps that close loops are led back to their stubs, from another thread, and restored once the stop is over."]
    case .flag: ["Each backward jump tests a flag in the state; no chain is cut."]
    case .page: ["Each backward jump reads a page, which is made inaccessible: the fault leaves; no chain is cut."]
    }
  }
}
