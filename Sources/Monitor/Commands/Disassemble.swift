// Owns `disassemble`.

import Bits
import Machine

extension Command {
  static let disassemble = Command(
    "disassemble", aliases: ["dis"], "[ADDR [COUNT]]", .look, "Guest instructions at ADDR, or at the PC.",
    arguments: [.address],
    .look { context throws(MonitorError) in
      let memory = context.memory
      let start = try context.arguments[0].map { word throws(MonitorError) in try context.address(word) }
      let count = try context.count(context.arguments[1], else: 8)
      let listing = try Disassembly(memory, start: start ?? memory.vcpu.state.pc, count: count, isPhysical: false)
      context.monitor.state.withLock { $0.nextAddress = listing.end }
      return listing.listing
    })
}

/// Guest instructions in a row; the one at the PC and breakpoints are marked.
struct Disassembly {
  let listing: Listing
  /// Where the next instruction starts.
  let end: UInt64

  init(_ memory: DebugMemory, start: UInt64, count: Int, isPhysical: Bool) throws(MonitorError) {
    var address = start
    var rows: [(address: UInt64, bytes: [UInt8], text: String)] = []
    for _ in 0..<count {
      guard let (text, bytes) = memory.instruction(address, isPhysical: isPhysical) else { break }
      rows.append((address, bytes, text))
      address &+= UInt64(bytes.count)
    }
    guard !rows.isEmpty else { throw memory.unreadable(start) }
    end = address
    let pc = memory.vcpu.state.pc
    let breakpoints = memory.machine.engine.debug.breakpoints
    let symbols = rows.map { isPhysical ? "" : memory.symbolSuffix($0.address) }
    let width = symbols.map(\.count).max() ?? 0
    let bytesWidth = rows.map { $0.bytes.count * 2 }.max() ?? 0
    let lines = rows.indices.map { index in
      let row = rows[index]
      let mark = (row.address == pc ? "=>" : "  ") + (breakpoints.contains(row.address) ? "*" : " ")
      return mark + memory.addressText(row.address) + padded(symbols[index], width) + "  "
        + padded(DebugMemory.encoding(row.bytes), bytesWidth) + "  " + row.text
    }
    listing = .custom(
      lines,
      .list(
        rows.map { row in
          .object([
            Field("address", memory.address(row.address)), Field("symbol", memory.symbol(row.address)),
            Field("encoding", .text(DebugMemory.encoding(row.bytes))), Field("text", .text(row.text)),
          ])
        }))
  }
}
