// Owns patterns for the names of functions.

import Bits
import Machine

extension DebugMemory {
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
