// Owns the seam between the engine and the tier below compiled code, which executes packed code as it stands.

import IR

/// An interpreter of packed code, until a host takes a block over.
///
/// Exits that may be chained leave as ``ExitReason/unchained``, with their site in `exitSite`; so do returns to behind the
/// last call, as ``ExitReason/indirectMiss``. Others have 0 there. What is chained goes on at the entry, until that was
/// entered too often: then it leaves for its PC as `unchained`, with 0.
public protocol PackedTier: AnyObject, SendableMetatype {
  /// - Parameter entries: how often a block may be entered.
  init(_ configuration: HostConfiguration, entries: UInt32) throws(HostError)
  /// Takes packed code into the code cache.
  func adopt(_ block: PackedCode) throws(HostError) -> CompiledBlock
  /// Runs code as ``Host/run(_:_:)`` does; but an indirect jump always leaves, unless it is a return that is chained.
  func run(_ entry: CodeAddress, _ cpu: VCPUState)
  /// Lets a site go on at `entry` from now on.
  /// - Returns: what takes that back; nil if it was chained already, and then nothing is done.
  func chain(_ site: UInt32, to entry: CodeAddress) -> UInt32?
  /// Lets it leave again.
  func unchain(_ site: UInt32, _ before: UInt32)
  /// The ways out of a block, and on within it. They are looked up when somebody asks, since there is hardly a use for them
  /// in code that runs a few times.
  func exits(of block: CompiledBlock) -> [ChainSite]
  /// Forgets which calls have not returned yet: the mode is another, or what they were made from may be mapped elsewhere.
  /// Their returns are looked up.
  func forgetReturns()
  /// The site behind the last call, if that returns to `pc`, where a host's code has returned to; 0 if not.
  func takeReturn(to pc: UInt64) -> UInt32
  /// How often `entry` was entered.
  func entries(_ entry: CodeAddress) -> UInt32
  /// Whether `entry` was entered as often as may be.
  func isWorn(_ entry: CodeAddress) -> Bool
  /// Drops all code.
  func reset()
  var codeBytesUsed: Int { get }
  func listing(_ block: CompiledBlock) -> [HostLine]
}

extension PackedCode {
  /// Where the label of that number is entered, once the code is in a cache as `block`.
  public func entry(of label: Int, in block: CompiledBlock) -> CodeAddress {
    CodeAddress(block.entry.offset &+ labels[label].position &- 1)
  }
}
