// Owns the ways in which running translated code is made to come back to the engine.

/// How a chain of blocks that jump to one another is stopped. Whatever the way, code comes back at taken backward
/// branches and indirect jumps.
///
/// | | in generated code | a kick | virtual time |
/// |---|---|---|---|
/// | `budget` | a register counts instructions, and is checked where loops close | sets the count to 0 | counts instructions: the same run every time |
/// | `flag` | a byte of the vCPU's state is compared where loops close | sets it | follows the host's clock |
/// | `page` | a page is read where loops close | makes it inaccessible | follows the host's clock |
/// | `unchain` | nothing | turns the jumps that close loops back to their exits, and empties the jump cache | follows the host's clock |
public enum InterruptStrategy: String, Sendable, CaseIterable {
  case budget, unchain, flag, page

  /// Whether virtual time counts instructions.
  @inlinable public var isDeterministic: Bool { self == .budget }
}
