// Owns the commands that set and delete breakpoints and watchpoints.

import Bits
import Engine
import Machine

/// A breakpoint or watchpoint of the monitor's own.
struct DebugPoint: Sendable, Equatable {
  enum Kind: Sendable, Equatable {
    case breakpoint(UInt64)
    case watch(Watchpoint)
  }
  var number: Int
  var kind: Kind

  func isBreakpoint(at pc: UInt64) -> Bool { kind == .breakpoint(pc) }
}

extension Command {
  static let breakpoint = Command(
    "break", aliases: ["b"], [.code().rest], .breaks, "Stop before the instruction at ADDR is executed.",
    .look { context throws(MonitorError) in
      guard let address = context.arguments.address else { throw context.arguments.usage }
      context.machine.engine.insertBreakpoint(address)
      return context.add(.breakpoint(address))
    })

  static let watch = Command(
    "watch", [.address, .number("LENGTH").optional, .words("MODE", "r", "w", "rw").optional], .breaks,
    "Stop behind an access to memory, and show what was and what is there; writes by default.",
    .look { context throws(MonitorError) in
      guard let word = context.arguments["ADDR"], let address = context.arguments.address else {
        throw context.arguments.usage
      }
      let mode = context.arguments["MODE"] ?? "w"
      let symbol = try context.memory.symbol(named: word)
      let length =
        context.arguments.number("LENGTH") ?? symbol.map { max(1, $0.size) } ?? UInt64(context.memory.wordSize)
      guard (1...1 << 20).contains(length) else { throw .refused("a watchpoint covers 1 to 1048576 bytes") }
      let point = Watchpoint(
        address: address, length: length, onRead: mode.contains("r"), onWrite: mode.contains("w"),
        stopsBehind: true)
      context.machine.engine.insert(point)
      return context.add(.watch(point))
    })

  static let delete = Command(
    "delete", aliases: ["d"], [.text("NUMBER|all").many], .breaks, "Delete breakpoints and watchpoints.",
    .look { context throws(MonitorError) in
      let points = context.monitor.state.withLock { $0.points }
      var chosen: [DebugPoint] = []
      for word in context.arguments.all("NUMBER|all") {
        let found = points.filter { word == "all" || String($0.number) == word }
        guard !found.isEmpty || word == "all" else {
          throw .refused("no breakpoint '\(word)'; 'info breakpoints' lists them")
        }
        chosen += found.filter { point in !chosen.contains { $0.number == point.number } }
      }
      for point in chosen {
        switch point.kind {
        case .breakpoint(let pc): context.machine.engine.removeBreakpoint(pc)
        case .watch(let watchpoint): context.machine.engine.remove(watchpoint)
        }
        context.monitor.state.withLock { state in state.points.removeAll { $0.number == point.number } }
      }
      return .empty
    })

  static let infoBreakpoints = Command(
    "info breakpoints", [], .breaks, "Breakpoints and watchpoints, those of GDB too.",
    .look { context throws(MonitorError) in
      let memory = context.memory
      let points = context.monitor.state.withLock { $0.points }
      var rows = points.map { [.count($0.number)] + describe($0.kind, memory) }
      let debug = context.machine.engine.debug
      for pc in debug.breakpoints where !points.contains(where: { $0.isBreakpoint(at: pc) }) {
        rows.append([.nothing] + describe(.breakpoint(pc), memory))
      }
      for point in debug.watchpoints where !points.contains(where: { $0.kind == .watch(point) }) {
        rows.append([.nothing] + describe(.watch(point), memory))
      }
      guard !rows.isEmpty else { return .text("No breakpoints or watchpoints.") }
      return .table([.right("number"), .left("kind"), .left("address"), .right("length"), .left("symbol")], rows)
    })

  fileprivate static func describe(_ kind: DebugPoint.Kind, _ memory: DebugMemory) -> [Value] {
    switch kind {
    case .breakpoint(let pc): return [.text("break"), memory.address(pc), .nothing, memory.symbol(pc)]
    case .watch(let point):
      let mode = "watch " + (point.onRead ? "r" : "") + (point.onWrite ? "w" : "")
      return [.text(mode), memory.address(point.address), .count(point.length), memory.symbol(point.address)]
    }
  }
}

extension Context {
  fileprivate func add(_ kind: DebugPoint.Kind) -> Listing {
    let number = monitor.state.withLock { state in
      state.points.append(DebugPoint(number: state.nextPoint, kind: kind))
      state.nextPoint += 1
      return state.nextPoint - 1
    }
    let row = Command.describe(kind, memory)
    let text = "\(number): \(row[0].text) at \(row[1].text)" + (row[3] == .nothing ? "" : " <\(row[3].text)>")
    return .custom(
      [text], .object([Field("number", .count(number)), Field("kind", row[0]), Field("address", row[1])]))
  }
}
