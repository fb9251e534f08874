// Owns `ir` and `ir diff`: a block's IR at each stage of its translation.

import Bits
import Engine
import GuestKit
import IR
import Machine

extension Command {
  static let ir = Command(
    "ir", "[ADDR|#BLOCK] [before|after PASS]", .ir,
    "IR of a block as compiled, or before or after a pass; 'before' alone: as decoded.",
    arguments: [.block, .words(["before", "after"]), .pass],
    .look { context throws(MonitorError) in
      var words = context.arguments.words
      var stageWords: [String] = []
      if let index = words.firstIndex(where: { $0 == "before" || $0 == "after" }) {
        stageWords = Array(words[index...])
        words.removeSubrange(index...)
      }
      let view = try context.irView(words.first)
      let (name, block) = try stage(view, stageWords)
      let printer = context.machine.engine.printer
      let memory = context.memory
      let title =
        "block \(memory.addressText(block.pc))\(memory.symbolSuffix(block.pc)), \(name): \(block.ops.count) ops"
      return .custom(
        [title] + IRLines(view, printer).lines(block),
        .object([
          Field("pc", memory.address(block.pc)), Field("stage", .text(name)),
          Field("ops", .list(printer.lines(block).map { .text($0) })),
        ]))
    })

  static let irDiff = Command(
    "ir diff", "[ADDR|#BLOCK] PASS", .ir, "What a pass did to a block's IR.", arguments: [.block, .pass],
    .look { context throws(MonitorError) in
      var words = context.arguments.words
      guard let pass = words.popLast() else { throw context.arguments.usage }
      let view = try context.irView(words.first)
      let (before, after) = try stages(view, pass)
      let printer = context.machine.engine.printer
      let changes = LineDifference.between(printer.lines(before.block), printer.lines(after.block))
      let removed = changes.filter { $0.mark == "-" }.count
      let added = changes.filter { $0.mark == "+" }.count
      let title =
        "\(pass): \(before.block.ops.count) -> \(after.block.ops.count) ops, \(removed) lines out, \(added) in"
      return .custom(
        [title] + changes.map { trimmed("\($0.mark) \($0.line)") },
        .object([
          Field("pass", .text(pass)), Field("before", .count(before.block.ops.count)),
          Field("after", .count(after.block.ops.count)),
          Field("changes", .list(changes.filter { $0.mark != " " }.map { .text("\($0.mark) \($0.line)") })),
        ]))
    })

  /// The stage that `before PASS`, `after PASS` or nothing means.
  private static func stage(_ view: BlockInspection, _ words: [String]) throws(MonitorError) -> (String, Block) {
    guard let side = words.first else { return ("as compiled", view.compiled) }
    guard words.count > 1 else {
      return side == "before" ? ("as decoded", view.stages[0].block) : ("as compiled", view.compiled)
    }
    let (before, after) = try stages(view, words[1])
    return side == "before" ? ("before \(words[1])", before.block) : ("after \(words[1])", after.block)
  }

  /// The stages around a pass: its first run if it runs several times, or run N with `PASS:N`.
  private static func stages(_ view: BlockInspection, _ name: String) throws(MonitorError) -> (IRStage, IRStage) {
    let parts = name.split(separator: ":")
    let runs = view.stages.indices.dropFirst().filter { view.stages[$0].name == parts.first.map(String.init) ?? "" }
    let number = parts.count > 1 ? Int(parts[1]) ?? 0 : 1
    guard (1...max(1, runs.count)).contains(number), !runs.isEmpty else {
      let names = view.stages.dropFirst().map(\.name)
      throw .refused("no pass '\(name)' ran on the block; these did: " + names.joined(separator: ", "))
    }
    let index = runs[number - 1]
    return (view.stages[index - 1], view.stages[index])
  }
}

extension Context {
  /// The block an argument means, translated or, where there is none, as translation would give it.
  func irView(_ text: String?) throws(MonitorError) -> BlockInspection {
    if let id = try? blockIDs(text).first { return try inspect(id) }
    if let text, text.hasPrefix("#") { throw .refused("no block '\(text)'; 'blocks' lists them") }
    let pc = try text.map { text throws(MonitorError) in try address(text) } ?? vcpu.state.pc
    let view: BlockInspection?
    do throws(GuestException) {
      view = try machine.engine.preview(vcpu, at: pc)
    } catch { throw .refused("\(pc.hex0x()): \(machine.guest.exceptionName(error.cause))") }
    guard let view else { throw .refused("\(pc.hex0x()) is not mapped") }
    return view
  }
}

/// IR text with the guest's instructions as headings.
struct IRLines {
  private let guest: [GuestLine]
  private let printer: Printer

  init(_ view: BlockInspection, _ printer: Printer) {
    guest = view.guest
    self.printer = printer
  }

  func lines(_ block: Block) -> [String] {
    zip(block.ops, printer.lines(block)).map { op, text in
      guard op.opcode == .instruction else { return "    " + text }
      let pc = UInt64(bitPattern: op.imm)
      return "  " + pc.hex0x() + (guest.first { $0.pc == pc }.map { "  " + $0.text } ?? "")
    }
  }
}

/// A line-by-line difference, by longest common subsequence.
enum LineDifference {
  static func between(_ old: [String], _ new: [String]) -> [(mark: Character, line: String)] {
    // length[i][j]: the longest common subsequence of old[i...] and new[j...].
    var length = [[Int]](repeating: [Int](repeating: 0, count: new.count + 1), count: old.count + 1)
    for i in old.indices.reversed() {
      for j in new.indices.reversed() {
        length[i][j] = old[i] == new[j] ? length[i + 1][j + 1] + 1 : max(length[i + 1][j], length[i][j + 1])
      }
    }
    var result: [(mark: Character, line: String)] = []
    var (i, j) = (0, 0)
    while i < old.count || j < new.count {
      if i < old.count, j < new.count, old[i] == new[j] {
        result.append((" ", old[i]))
        (i, j) = (i + 1, j + 1)
      } else if j == new.count || (i < old.count && length[i + 1][j] >= length[i][j + 1]) {
        result.append(("-", old[i]))
        i += 1
      } else {
        result.append(("+", new[j]))
        j += 1
      }
    }
    return result
  }
}
