// Owns the order in which passes run over a block.

import IR

/// Runs the optimiser's passes.
public struct Optimizer: Sendable {
  public init(disabled: Set<String> = []) {}
  public mutating func run(_ block: inout Block) {}
}
