// Owns `disassemble`.

import Bits
import Machine

extension Command {
  static let disassemble = Command(
    "disassemble", aliases: ["dis"], [.code().then(.count.optional).optional], .look,
    "Guest instructions at ADDR, or at the PC.",
    .pages { context, cursor throws(MonitorError) in
      let start = context.arguments.address ?? context.vcpu.state.pc
      return try context.instructions(cursor ?? Cursor(address: start, left: context.arguments.count(else: 8)))
    })
}

extension Context {
  /// A page of guest instructions in a row; the one at the PC and breakpoints are marked.
  func instructions(_ cursor: Cursor, isPhysical: Bool = false) throws(MonitorError) -> Page {
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
    let lines = rows.indices.map { index in
      let row = rows[index]
      let mark = (row.address == pc ? "=>" : "  ") + (breakpoints.contains(row.address) ? "*" : " ")
      return mark + memory.addressText(row.address) + padded(symbols[index], width) + "  "
        + padded(DebugMemory.encoding(row.bytes), bytesWidth) + "  " + row.text
    }
    let values = rows.map { row in
      Value.object([
        NamedValue("address", memory.address(row.address)), NamedValue("symbol", memory.symbol(row.address)),
        NamedValue("encoding", .text(DebugMemory.encoding(row.bytes))), NamedValue("text", .text(row.text)),
      ])
    }
    let left = rows.count < Page.size ? 0 : cursor.left - rows.count
    return Page(lines: lines, values: values, next: left > 0 ? Cursor(address: address, left: left) : nil)
  }
}
