// Owns `disassemble`.

import Bits
import Machine

extension Command {
  static let disassemble = Command(
    "disassemble", aliases: ["dis"],
    [.words("SOURCE", "/s").optional, .code().then(.count.optional).optional], .look,
    "Guest instructions at ADDR, or at the PC; with /s under the source lines that they come from (see 'directory').",
    .pages { context, cursor throws(MonitorError) in
      let start = context.arguments.address ?? context.memory.frame?.pc ?? context.vcpu.state.pc
      return try context.instructions(
        cursor ?? Cursor(address: start, left: context.arguments.count(else: 8)),
        showsLines: context.arguments["SOURCE"] != nil)
    })
}

extension Context {
  /// A page of guest instructions in a row; the one at the PC and breakpoints are marked.
  /// - Parameter showsLines: the source line stands above the instructions that come from it.
  func instructions(
    _ cursor: Cursor, isPhysical: Bool = false, showsLines: Bool = false
  ) throws(MonitorError) -> Page {
    let memory = memory
    var address = cursor.address
    var rows: [(address: UInt64, bytes: [UInt8], text: String)] = []
    while rows.count < min(cursor.left, Page.size) {
      guard let (text, bytes) = memory.instruction(address, isPhysical: isPhysical) else { break }
      rows.append((address, bytes, text))
      address &+= UInt64(bytes.count)
    }
    monitor.state.withLock { $0.nextAddress = address }
    guard !rows.isEmpty else { throw memory.unreadable(cursor.address) }
    let pc = vcpu.state.pc
    let breakpoints = machine.engine.debug.breakpoints
    let symbols = rows.map { isPhysical ? "" : memory.symbolSuffix($0.address) }
    let width = symbols.map(\.count).max() ?? 0
    let bytesWidth = rows.map { $0.bytes.count * 2 }.max() ?? 0
    let reader = SourceReader(machine, monitor, files)
    let sources = rows.map { showsLines ? machine.sources.line(at: $0.address)?.source : nil }
    let lines = rows.indices.flatMap { index in
      let row = rows[index]
      let source = sources[index]
      let isNew = showsLines && (index == 0 || source != sources[index - 1])
      let mark = (row.address == pc ? "=>" : "  ") + (breakpoints.contains(row.address) ? "*" : " ")
      let heading = source.map { source in
        "\(source.short):" + (reader.text(of: source).map { "  " + $0 } ?? "")
      }
      return (isNew ? [heading ?? "no source line:"] : []) + [
        mark + memory.addressText(row.address) + padded(symbols[index], width) + "  "
          + padded(DebugMemory.encoding(row.bytes), bytesWidth) + "  " + row.text
      ]
    }
    let values = rows.indices.map { index in
      let row = rows[index]
      return Value.object(
        [
          NamedValue("address", memory.address(row.address)), NamedValue("symbol", memory.symbol(row.address)),
          NamedValue("encoding", .text(DebugMemory.encoding(row.bytes))), NamedValue("text", .text(row.text)),
        ]
          + (sources[index].map { source in
            [
              NamedValue("file", .text(source.file)), NamedValue("line", .count(source.line)),
              NamedValue("source", reader.text(of: source).map { .text($0) } ?? .nothing),
            ]
          } ?? []))
    }
    let left = rows.count < Page.size ? 0 : cursor.left - rows.count
    return Page(lines: lines, values: values, next: left > 0 ? Cursor(address: address, left: left) : nil)
  }
}
