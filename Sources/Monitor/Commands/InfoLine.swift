// Owns `info line`: which source line an address belongs to, and where a line's code is.

import Bits
import DWARF
import Machine

extension Command {
  static let infoLine = Command(
    "info line", [.code("PLACE").rest.optional], .look,
    "The source line at PLACE (an address, a function, FILE:LINE), or at the PC.",
    .look { context throws(MonitorError) in
      let memory = context.memory
      let address = context.arguments.number("PLACE") ?? memory.codeAddress
      guard let (source, range) = context.machine.sources.line(at: address) else {
        let why = context.machine.sources.hasLines ? "the line table does not cover it" : "no loaded ELF file has lines"
        throw .refused("no line is known of \(memory.addressText(address))\(memory.symbolSuffix(address)): \(why)")
      }
      let last = range.upperBound
      return .fields([
        NamedValue("file", .text(source.file)), NamedValue("line", .count(source.line)),
        NamedValue("first", memory.address(range.lowerBound)), NamedValue("end", memory.address(last)),
        NamedValue("symbol", memory.symbol(range.lowerBound)),
      ])
    })

  static let infoSources = Command(
    "info sources", [.text("TEXT").optional], .look,
    "Source files that code comes from, or those whose paths contain TEXT.",
    .look { context throws(MonitorError) in
      let text = context.arguments["TEXT"] ?? ""
      let files = context.machine.sources.allFiles.filter { text.isEmpty || $0.contains(text) }
      guard !files.isEmpty else {
        throw .refused(
          context.machine.sources.hasLines
            ? "no source file's path contains '\(text)'"
            : "no source lines are known: load an ELF file that was built with -g")
      }
      return .lines(Set(files).sorted())
    })
}
