// Owns the reduction of a failing case to the instructions it needs, and the report of what is left.

import GuestRISCV

extension RandomCase {
  /// Drops instructions one by one for as long as the rest still fails.
  func shrunk(while fails: (RandomCase) throws -> Bool) rethrows -> RandomCase {
    var smallest = self
    var index = smallest.instructions.count - 1
    var hasChanged = false
    while true {
      if index < 0 {
        guard hasChanged else { return smallest }
        index = smallest.instructions.count - 1
        hasChanged = false
        continue
      }
      var candidate = smallest
      candidate.instructions.remove(at: index)
      if try fails(candidate) {
        smallest = candidate
        hasChanged = true
      }
      index -= 1
    }
  }
}

/// Two executors that disagreed on a case: the case shrunk, and in what they differ.
struct Disagreement: CustomStringConvertible {
  let description: String

  init(
    _ found: RandomCase, _ guest: RISCVGuest, seed: UInt64, between names: String,
    compare: (RandomCase) throws -> (pc: UInt64, differences: [String])
  ) rethrows {
    let small = try found.shrunk { try !compare($0).differences.isEmpty }
    let (pc, differences) = try compare(small)
    description = """
      rv\(guest.xlen), seed \(seed), \(names):
      \(small.text(guest, at: pc))
        \(differences.isEmpty ? "agrees when it runs alone" : differences.prefix(12).joined(separator: "\n  "))
      """
  }
}
