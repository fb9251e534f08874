// Owns `graph`: translation blocks and the ways between them, as text, in dot, or as a picture.

import Bits
import Engine
import Machine

extension Command {
  static let graph = Command(
    "graph",
    [
      .words("FORM", "text", "dot", "svg").optional, .words("HOT", "hot").then(.count.optional).optional,
      .words("FROM", "from").then(.block("ADDR|#BLOCK")).optional, .block("FUNCTION|ADDR|#BLOCK").optional,
      .words("TO", "to").then(.text("FILE")).optional,
    ], .blocks,
    "Blocks and their exits: all, a function's, those reached from ADDR, the COUNT hottest (30); as text, dot, or a picture.",
    .control { monitor, arguments, run throws(MonitorError) in
      let form = try GraphForm(arguments)
      let (graph, text, value) = try monitor.perform { machine throws(MonitorError) in
        let context = try Context(machine, monitor, arguments, run.style, run.files)
        let graph = try context.graph()
        return (graph, graph.lines(context.style, context.memory), graph.value(context.memory))
      }
      let bytes: [UInt8]
      switch form {
      case .text: bytes = Array((text.joined(separator: "\n") + "\n").utf8)
      case .dot: bytes = Array((graph.dot.joined(separator: "\n") + "\n").utf8)
      case .svg: bytes = try ChainGraph.svg(graph.dot) { run.isCancelled }
      }
      var fields = value
      if let file = arguments["FILE"] {
        try run.files.write(bytes, to: file)
        fields.append(NamedValue("file", .text(file)))
        return CommandResult(listing: .custom(["\(graph.summary), written to \(file)"], .object(fields)))
      }
      let lines = form == .text ? text : String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
      fields.append(NamedValue("lines", .list(lines.map { .text($0) })))
      return CommandResult(listing: .custom(lines, .object(fields)))
    })
}

private enum GraphForm: String {
  case text, dot, svg

  /// As it was given, or else as the name of the file has it.
  init(_ arguments: Arguments) throws(MonitorError) {
    if let word = arguments["FORM"] {
      self = GraphForm(rawValue: word) ?? .text
      return
    }
    let suffix = arguments["FILE"]?.split(separator: ".").last ?? ""
    switch suffix {
    case "svg": self = .svg
    case "dot", "gv": self = .dot
    case "png", "pdf", "jpg":
      throw .refused("pictures are SVG; 'graph dot … to F.dot' and Graphviz's 'dot -T\(suffix) F.dot' make others")
    default: self = .text
    }
  }
}

extension Context {
  /// Blocks that the hottest are chosen of unless somebody says how many.
  private static var hotCount: Int { 30 }

  fileprivate func graph() throws(MonitorError) -> ChainGraph {
    let engine = machine.engine
    var ids = try chosenBlocks()
    let isHot = arguments["HOT"] != nil
    if isHot {
      guard engine.profile.countsExecutions else {
        throw .refused("executions are not counted; switch that on with 'profile on', or start with --count-blocks")
      }
      ids = ids.filter { engine.executedInstructions($0) > 0 }
      ids.sort { (engine.executedInstructions($0), $1) > (engine.executedInstructions($1), $0) }
      ids = Array(ids.prefix(arguments.count(else: Self.hotCount)))
    }
    guard !ids.isEmpty else {
      throw .refused(isHot ? "no block has been executed since they are counted" : "no translated blocks")
    }
    return ChainGraph(ids, showsOutside: isHot || arguments["FUNCTION|ADDR|#BLOCK"] != nil, machine)
  }

  private func chosenBlocks() throws(MonitorError) -> [BlockID] {
    if let place = arguments["ADDR|#BLOCK"] { return try blocksReached(from: place) }
    let all = ChainGraph.ordinary(machine.engine)
    guard let text = arguments["FUNCTION|ADDR|#BLOCK"] else { return all }
    let functions = machine.symbols.named(memory.unquoted(text)).filter { $0.size > 0 && !$0.isData }
    guard !functions.isEmpty else { return try blocksReached(from: text) }
    let engine = machine.engine
    let ids = all.filter { id in
      ([id] + engine.store.entries(id)).contains { part in
        functions.contains { engine.store[part].key.pc &- $0.address < $0.size }
      }
    }
    guard !ids.isEmpty else {
      throw .refused("\(text) is in no translated block: it has not run, or was flushed")
    }
    return ids
  }

  /// The blocks at a place, and all that their chains lead to.
  private func blocksReached(from text: String) throws(MonitorError) -> [BlockID] {
    let chains = machine.engine.code.chains()
    var reached: Set<BlockID> = []
    var open = try blockIDs(text)
    while let id = open.popLast() {
      guard reached.insert(id).inserted else { continue }
      open += chains.outgoing(id).filter(\.isChained).map(\.target)
    }
    return ChainGraph.ordinary(machine.engine).filter(reached.contains)
  }
}
