// Owns what a fuzz target is, and the list of them.

/// A part of Martlet that takes whatever it is given: the fuzzer, and the test that replays its corpus, hand it bytes.
package struct FuzzTarget: Sendable {
  /// Its folder in `Tests/Fuzz/corpus`.
  package let name: String
  /// Traps where an input does harm. Nothing is left of one input when the next comes.
  package let run: @Sendable (_ input: [UInt8]) -> Void

  package static let all: [FuzzTarget] = [
    .packets, .agentExpressions, .images, .registerDescriptions, .devicetrees, .recordings, .monitorLines,
  ]

  package static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}
