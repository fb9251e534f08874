// Owns what a user may write for a place in the guest's code: addresses, functions, source lines.

import Bits
import DWARF
import Machine

extension DebugMemory {
  /// Where code is that `text` means: `FILE:LINE`, a function, `*` before an expression for exactly its value, or an
  /// expression.
  ///
  /// - Parameter skipsPrologue: a function means the first instruction behind its prologue, where the line table says
  ///   which that is: there its parameters are where debugging information has them.
  /// - Returns: at least one address, ascending. A line may be at several: in inlined functions, for instance.
  func places(of text: String, skipsPrologue: Bool) throws(MonitorError) -> [UInt64] {
    if text.hasPrefix("*") { return [try codeAddress(at: String(text.dropFirst()))] }
    if let (file, line) = Self.sourceLine(text) { return try places(of: line, in: file, skipsPrologue) }
    if skipsPrologue, let symbol = try symbol(named: unquoted(text)) { return [behindPrologue(symbol.address)] }
    return [try codeAddress(at: text)]
  }

  /// Where one instruction is.
  func codeAddress(of text: String) throws(MonitorError) -> UInt64 {
    try one(of: places(of: text, skipsPrologue: false), text)
  }

  func one(of places: [UInt64], _ text: String) throws(MonitorError) -> UInt64 {
    guard places.count > 1 else { return places[0] }
    let list = places.prefix(8).map { "*" + $0.hex0x() + symbolSuffix($0) }.joined(separator: ", ")
    throw .refused("'\(text)' is at \(places.count) places: \(list)\(places.count > 8 ? ", …" : ""); give one of them")
  }

  private func codeAddress(at text: String) throws(MonitorError) -> UInt64 {
    let address = guest.instructionAddress(try self.address(of: text))
    guard address % guest.instructionAlignment == 0 else {
      throw .refused(
        "no instruction is at \(address.hex0x()): they are aligned to \(guest.instructionAlignment) bytes")
    }
    return address
  }

  func unquoted(_ text: String) -> String {
    text.count > 2 && text.hasPrefix("'") && text.hasSuffix("'") ? String(text.dropFirst().dropLast()) : text
  }

  /// `main.c:12` in its parts; nil for anything else.
  static func sourceLine(_ text: String) -> (file: String, line: Int)? {
    guard let colon = text.lastIndex(of: ":"), let line = Int(text[text.index(after: colon)...]), line > 0 else {
      return nil
    }
    let file = text[..<colon]
    return file.isEmpty || file.hasSuffix(":") ? nil : (String(file), line)
  }

  private func places(of line: Int, in file: String, _ skipsPrologue: Bool) throws(MonitorError) -> [UInt64] {
    let sources = machine.sources
    guard let found = sources.places(of: line, in: file) else {
      guard sources.hasLines else {
        throw .refused("no source lines are known: load an ELF file that was built with -g")
      }
      guard sources.files(named: file).isEmpty else {
        throw .refused("\(file) has no code at line \(line) or behind it")
      }
      throw .refused("no code comes from a file '\(file)'; 'info sources' lists them")
    }
    // In each function once.
    var functions: Set<UInt64> = []
    return found.addresses.compactMap { address in
      let start = machine.symbols.covering(address)?.symbol.address ?? address
      guard functions.insert(start).inserted else { return nil }
      return skipsPrologue && start == address ? behindPrologue(address) : address
    }
  }

  /// The first instruction behind the prologue of the function that begins at `start`; that itself if it is not known.
  func behindPrologue(_ start: UInt64) -> UInt64 {
    guard let (symbol, offset) = machine.symbols.covering(start), offset == 0, symbol.size > 0 else { return start }
    return machine.sources.prologueEnd(ofFunctionAt: start..<(start &+ max(1, symbol.size))) ?? start
  }
}
