// Owns `info symbols`.

import Bits
import Machine

extension Command {
  static let infoSymbols = Command(
    "info symbols", aliases: ["symbols"], [.text("TEXT|ADDR").rest.optional], .look,
    "Symbols whose names contain TEXT, or the one at ADDR.",
    .look { context throws(MonitorError) in
      let memory = context.memory
      let symbols = context.machine.symbols
      let text = context.arguments["TEXT|ADDR"] ?? ""
      if let address = try addressed(text, memory) {
        guard let name = symbols.describe(address) else { throw .refused("no symbol at \(address.hex0x())") }
        return .fields([NamedValue("address", memory.address(address)), NamedValue("symbol", .text(name))])
      }
      let found = symbols.symbols.filter { text.isEmpty || $0.name.contains(text) || $0.linkName.contains(text) }
      guard !found.isEmpty else {
        throw .refused(text.isEmpty ? "no symbols: no ELF file is loaded" : "no symbol contains '\(text)'")
      }
      return .table(
        [.left("address"), .right("size"), .left("name")],
        found.map { [memory.address($0.address), .count($0.size), .text($0.name)] })
    })

  /// The address that a text means: a number or a register, perhaps with more behind it; nil for a part of a name.
  private static func addressed(_ text: String, _ memory: DebugMemory) throws(MonitorError) -> UInt64? {
    if text.first?.isNumber == true { return try memory.address(of: text) }
    return text.first == "$" ? try? memory.address(of: text) : nil
  }
}
