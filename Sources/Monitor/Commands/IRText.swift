// Owns `ir` and `ir diff`: a block's IR at each stage of its translation.

import Bits
import Engine
import GuestKit
import IR
import Machine

extension Command {
  static let ir = Command(
    "ir",
    [.block().optional, .words("SIDE", "before", "after").then(Parameter("PASS", .pass).optional).optional], .ir,
    "IR of a block as compiled, or before or after a pass; 'before' alone: as decoded.",
    .look { context throws(MonitorError) in
      let view = try context.irView(context.arguments["ADDR|#BLOCK"])
      let (name, block) = try stage(view, context.arguments["SIDE"], context.arguments["PASS"])
      let printer = context.machine.engine.printer
      let memory = context.memory
      let title =
        "block \(memory.addressText(block.pc))\(memory.symbolSuffix(block.pc)), \(name): \(block.ops.count) ops"
      return .custom(
        [title] + IRLines(view, printer).lines(block),
        .object([
          NamedValue("pc", memory.address(block.pc)), NamedValue("stage", .text(name)),
          NamedValue("ops", .list(printer.lines(block).map { .text($0) })),
        ]))
    })

  static let irDiff = Command(
    "ir diff", [.block().optional, Parameter("PASS", .pass)], .ir, "What a pass did, or would do, to a block's IR.",
    .look { context throws(MonitorError) in
      guard let pass = context.arguments["PASS"] else { throw context.arguments.usage }
      let view = try context.irView(context.arguments["ADDR|#BLOCK"])
      let (before, after) = try stages(view, pass)
      let printer = context.machine.engine.printer
      let changes = LineDifference.between(printer.lines(before.block), printer.lines(after.block))
      let removed = changes.filter { $0.mark == "-" }.count
      let added = changes.filter { $0.mark == "+" }.count
      let title =
        "\(pass)\(reservation(view)): \(before.block.ops.count) -> \(after.block.ops.count) ops, \(removed) lines out, "
        + "\(added) in"
      return .custom(
        [title] + changes.map { trimmed("\($0.mark) \($0.line)") },
        .object([
          NamedValue("pass", .text(pass)), NamedValue("ran", .truth(reservation(view).isEmpty)),
          NamedValue("before", .count(before.block.ops.count)),
          NamedValue("after", .count(after.block.ops.count)),
          NamedValue("changes", .list(changes.filter { $0.mark != " " }.map { .text("\($0.mark) \($0.line)") })),
        ]))
    })

  /// The stage that `before PASS`, `after PASS` or nothing means.
  private static func stage(
    _ view: BlockInspection, _ side: String?, _ pass: String?
  ) throws(MonitorError) -> (String, Block) {
    guard let pass else {
      return side == "before" ? ("as decoded", view.stages[0].block) : ("as compiled", view.compiled)
    }
    let (before, after) = try stages(view, pass)
    let name = pass + reservation(view)
    return side == "before" ? ("before \(name)", before.block) : ("after \(name)", after.block)
  }

  /// What to say of a pass that has not run on the block; nothing if it has.
  private static func reservation(_ view: BlockInspection) -> String {
    if view.id == 0 { return ", as it would be (nothing is translated here yet)" }
    return view.block.tier == .thorough
      ? "" : ", as it would be (the block is of the \(view.block.tier) tier, which runs no passes)"
  }

  /// The stages around a pass: its first run if it runs several times, or run N with `PASS:N`.
  private static func stages(_ view: BlockInspection, _ name: String) throws(MonitorError) -> (IRStage, IRStage) {
    let parts = name.split(separator: ":")
    let runs = view.stages.indices.dropFirst().filter { view.stages[$0].name == parts.first.map(String.init) ?? "" }
    let number = parts.count > 1 ? Int(parts[1]) ?? 0 : 1
    guard (1...max(1, runs.count)).contains(number), !runs.isEmpty else {
      let names = view.stages.dropFirst().map(\.name).joined(separator: ", ")
      throw .refused(
        reservation(view).isEmpty
          ? "no pass '\(name)' ran on the block; these did: \(names)"
          : "no pass '\(name)' is on; these are: \(names)")
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
    let pc = try text.map { text throws(MonitorError) in try memory.codeAddress(of: text) } ?? vcpu.state.pc
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
