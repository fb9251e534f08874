// Owns `info symbols`.

import Bits
import Machine

extension Command {
  static let infoSymbols = Command(
    "info symbols", aliases: ["symbols"], "[TEXT|ADDR]", .look, "Symbols whose names contain TEXT, or the one at ADDR.",
    arguments: [.address],
    .look { context throws(MonitorError) in
      let memory = context.memory
      let symbols = context.machine.symbols
      let text = context.arguments.joined
      if text.first?.isNumber == true || text.first == "$" {
        let address = try context.address(text)
        guard let name = symbols.describe(address) else { throw .refused("no symbol at \(address.hex0x())") }
        return .fields([Field("address", memory.address(address)), Field("symbol", .text(name))])
      }
      let found = symbols.symbols.filter { text.isEmpty || $0.name.contains(text) }
      guard !found.isEmpty else {
        throw .refused(text.isEmpty ? "no symbols: no ELF file is loaded" : "no symbol contains '\(text)'")
      }
      return .table(
        [.left("address"), .right("size"), .left("name")],
        found.map { [memory.address($0.address), .count($0.size), .text($0.name)] })
    })
}
