// Owns what a pass of somebody else's is.

import IR

/// A pass that is not one of Martlet's own: it runs behind the pipeline, in the order in which passes were registered, where
/// code is translated thoroughly.
///
/// What it makes of a block must be valid (see ``IR/Verifier``), and leave guest state at every op that may raise, exits or
/// calls out as it was. `bisect` in the monitor finds one that does not.
public struct CustomPass: Sendable {
  /// Unlike that of any other pass.
  public let name: String
  let run: @Sendable (inout Block) -> Void

  public init(_ name: String, _ run: @escaping @Sendable (inout Block) -> Void) {
    self.name = name
    self.run = run
  }
}
