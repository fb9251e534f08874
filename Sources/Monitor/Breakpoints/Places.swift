// Owns what a word for a place in code means: the one way from words to addresses of instructions.

import Bits
import Machine

extension DebugMemory {
  /// All the places that a word means. An expression is one of them, in which a function's name is its entry, perhaps
  /// behind a star as GDB wants it.
  func codeAddresses(of text: String) throws(MonitorError) -> [UInt64] {
    let address = guest.instructionAddress(try self.address(of: text.hasPrefix("*") ? String(text.dropFirst()) : text))
    guard address % guest.instructionAlignment == 0 else {
      throw .refused(
        "no instruction is at \(address.hex0x()): they are aligned to \(guest.instructionAlignment) bytes")
    }
    return [address]
  }

  /// The only one, for commands that cannot mean several.
  func codeAddress(of text: String) throws(MonitorError) -> UInt64 {
    let addresses = try codeAddresses(of: text)
    guard addresses.count == 1 else {
      throw .refused(
        "'\(text)' is \(addresses.count) places: \(addresses.map { $0.hex0x() }.joined(separator: ", ")); choose one")
    }
    return addresses[0]
  }

  /// More functions than anybody means by a pattern.
  private static var mostFunctions: Int { 1000 }

  /// The entries of the functions whose names fit a pattern.
  func functions(matching pattern: String) throws(MonitorError) -> [UInt64] {
    let glob = Glob(pattern)
    let found = machine.symbols.symbols.filter { !$0.isData && (glob.matches($0.name) || glob.matches($0.linkName)) }
    let addresses = Set(found.map { guest.instructionAddress($0.address) })
      .filter { $0 % guest.instructionAlignment == 0 }.sorted()
    guard !addresses.isEmpty else {
      throw .refused("no function's name fits '\(pattern)'; 'info symbols WORD' lists the symbols with a word in them")
    }
    guard addresses.count <= Self.mostFunctions else {
      throw .refused("\(addresses.count) functions fit '\(pattern)', more than \(Self.mostFunctions); choose fewer")
    }
    return addresses
  }
}
