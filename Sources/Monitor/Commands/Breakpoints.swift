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
    "break", aliases: ["b"], "ADDR", .breaks, "Stop before the instruction at ADDR is executed.",
    arguments: [.address],
    .look { context throws(MonitorError) in
      guard !context.arguments.isEmpty else { throw context.arguments.usage }
      let address = try context.address(context.arguments.joined)
      context.machine.engine.insertBreakpoint(address)
      return context.add(.breakpoint(address))
    })

  static let watch = Command(
    "watch", "ADDR [LENGTH] [r|w|rw]", .breaks, "Stop after an access to memory; writes by default.",
    arguments: [.address, .words(["r", "w", "rw"])],
    .look { context throws(MonitorError) in
      var words = context.arguments.words
      var mode = "w"
      if let last = words.last, ["r", "w", "rw"].contains(last) { mode = words.removeLast() }
      guard let first = words.first, words.count <= 2 else { throw context.arguments.usage }
      let address = try context.address(first)
      let length =
        words.count == 2
        ? try context.evaluate(words[1])
        : context.machine.symbols[first].map { max(1, $0.size) } ?? UInt64(context.memory.wordSize)
      guard (1...1 << 20).contains(length) else { throw .refused("a watchpoint covers 1 to 1048576 bytes") }
      let point = Watchpoint(
        address: address, length: length, onRead: mode.contains("r"), onWrite: mode.contains("w"))
      context.machine.engine.insert(point)
      return context.add(.watch(point))
    })

  static let delete = Command(
    "delete", aliases: ["d"], "NUMBER…|all", .breaks, "Delete breakpoints and watchpoints.",
    .look { context throws(MonitorError) in
      guard !context.arguments.isEmpty else { throw context.arguments.usage }
      let points = context.monitor.state.withLock { $0.points }
      let numbers = context.arguments.words.flatMap { word in
        word == "all" ? points.map(\.number) : [Int(word) ?? -1]
      }
      for (index, number) in numbers.enumerated() {
        guard let point = points.first(where: { $0.number == number }) else {
          throw .refused("no breakpoint '\(context.arguments[index] ?? "")'; 'info breakpoints' lists them")
        }
        switch point.kind {
        case .breakpoint(let pc): context.machine.engine.removeBreakpoint(pc)
        case .watch(let point): context.machine.engine.remove(point)
        }
        context.monitor.state.withLock { state in state.points.removeAll { $0.number == number } }
      }
      return .empty
    })

  static let infoBreakpoints = Command(
    "info breakpoints", "", .breaks, "Breakpoints and watchpoints, those of GDB too.",
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
