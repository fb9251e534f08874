// Owns `block`: one translation block, guest, IR and host code side by side.

import Bits
import Engine
import GuestKit
import HostKit
import IR
import Machine

extension Command {
  static let block = Command(
    "block", [.block().optional], .blocks, "Guest code, IR and host code side by side; chains, counts, why it ends.",
    .look { context throws(MonitorError) in
      .sections(
        try context.inspections().map { view in
          let report = BlockReport(view, context.machine, context.memory)
          return (report.title, report.listing(context.style))
        })
    })
}

extension Context {
  /// The blocks that an argument means: `#12`, or an address, the PC if there is none.
  func blockIDs(_ text: String?) throws(MonitorError) -> [BlockID] {
    let engine = machine.engine
    if let text, text.hasPrefix("#") {
      guard let id = BlockID(text.dropFirst()), engine.store.contains(id), engine.store[id].isValid
      else { throw .refused("no block '\(text)'; 'blocks' lists them") }
      return [id]
    }
    let pc = try text.map { text throws(MonitorError) in try memory.codeAddress(of: text) } ?? vcpu.state.pc
    let ids = engine.blocks(at: pc)
    guard !ids.isEmpty else {
      throw .refused(
        "\(pc.hex0x())\(memory.symbolSuffix(pc)) is in no translated block: it has not run, or was flushed")
    }
    return ids
  }

  func inspections() throws(MonitorError) -> [BlockInspection] {
    var views: [BlockInspection] = []
    for id in try blockIDs(arguments["ADDR|#BLOCK"]) { views.append(try inspect(id)) }
    return views
  }

  func inspect(_ id: BlockID) throws(MonitorError) -> BlockInspection {
    do throws(GuestException) {
      return try machine.engine.inspect(id)
    } catch {
      throw .refused("block \(id) cannot be decoded again: \(machine.guest.exceptionName(error.cause))")
    }
  }
}

/// A block as a listing.
struct BlockReport {
  private let view: BlockInspection
  private let machine: Machine
  private let memory: DebugMemory

  init(_ view: BlockInspection, _ machine: Machine, _ memory: DebugMemory) {
    self.view = view
    self.machine = machine
    self.memory = memory
  }

  private var pc: UInt64 { view.block.key.pc }

  var title: String { "block \(view.id) at \(memory.addressText(pc))\(memory.symbolSuffix(pc))" }

  func listing(_ style: ListingStyle) -> Listing {
    let sheet = SideBySide(view, machine, memory)
    // The listing stands under its title, indented.
    let narrower = style.indented(by: 2)
    let facts = Listing.fields(self.facts).textLines.flatMap {
      ListingStyle.wrapped($0, narrower.columns, indent: Self.factIndent)
    }
    return .custom(
      facts + [""] + sheet.lines(narrower),
      .object(
        [
          NamedValue("block", .count(view.id)), NamedValue("pc", memory.address(pc)),
          NamedValue("symbol", memory.symbol(pc)),
        ]
          + self.facts + [NamedValue("instructions", sheet.value)]))
  }

  /// Where the values of facts stand.
  private static var factIndent: Int { 14 }

  private var facts: [NamedValue] {
    let block = view.block
    let before = view.stages.first?.block.ops.count ?? 0
    var fields = [
      NamedValue("host code", view.host.first.map { .hex($0.address) } ?? .nothing),
      NamedValue(
        "size",
        .text(
          "\(block.instructionCount) instructions, \(block.guestSize) guest bytes, "
            + "\(before) -> \(view.compiled.ops.count) IR ops, \(block.compiled.size) host bytes")),
      NamedValue("tier", .text("\(block.tier)")),
      NamedValue("flags", .hex(UInt64(block.key.flags))),
      NamedValue("mode", .text(machine.guest.describe(block.key.flags).joined(separator: ", "))),
      NamedValue("physical", memory.address(block.key.physicalPC)),
      NamedValue("ends with", .text(view.ending)),
      NamedValue("retranslated", .count(machine.engine.store.retranslations(view.id))),
      NamedValue("executions", view.executions.map { .count($0) } ?? .text("not counted ('profile on')")),
      NamedValue(
        "reached from",
        view.incoming.isEmpty ? .nothing : .list(view.incoming.map { .text("#\($0.source) \(place(source: $0))") })),
    ]
    if let runs = machine.engine.interpretedRuns(view.id) {
      let limit = machine.engine.options.interpretedRuns
      fields.insert(NamedValue("entered", .text("\(runs) times, of \(limit) before it is compiled")), at: 2)
    }
    if let region = view.region { fields.insert(NamedValue("region", .text(text(of: region))), at: 2) }
    for (number, chain) in view.outgoing.enumerated() {
      fields.append(NamedValue("exit \(number)", .text("-> \(place(chain.targetPC))  \(state(of: chain))")))
    }
    return fields
  }

  private func state(of chain: Chain) -> String {
    let kind = chain.isReturn ? "return, " : ""
    if chain.isChained { return kind + "chained to #\(chain.target)" }
    if chain.isForbidden { return "chaining forbidden" }
    return chain.mayChain ? kind + "not chained" : "never chained (page may be remapped)"
  }

  private func text(of region: CodeRegion) -> String {
    "of \(region.blockCount) blocks that loop through \(place(region.hottest)), which samples found hot; "
      + "\(region.shape.labels.count) entries in \(region.shape.ranges.count) ranges"
  }

  private func place(source chain: Chain) -> String { place(machine.engine.store[chain.source].key.pc) }

  private func place(_ pc: UInt64) -> String { pc.hex0x() + memory.symbolSuffix(pc) }
}
