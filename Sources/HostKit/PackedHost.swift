// Owns the seam between the engine and a host that executes packed code: the tier below compiled code.

import IR

/// A host that executes packed code as it stands, until another takes a block over: `HostConfiguration.entryLimit` is set.
///
/// Exits that may be connected leave as ``ExitReason/unlinked``, with their site in `exitSite`; so do returns to behind the
/// last call, as ``ExitReason/indirectMiss``. Others have 0 there. What is connected goes on at the entry, until that was
/// entered too often: then it leaves for its PC as `unlinked`.
public protocol PackedHost: Host {
  /// Takes packed code into the code cache.
  func adopt(_ block: PackedCode) throws(HostError) -> CompiledBlock
  /// Lets an exit, or returns to behind a call, go on at `entry` from now on.
  func connect(_ site: UInt32, isReturn: Bool, to entry: CodeAddress)
  /// Lets everything leave again.
  /// - Returns: how much was connected.
  func disconnectAll() -> Int
  /// What was called before is not known to be what it would be called now. Returns lead to where they were connected only
  /// as long as code stays where it is.
  func forgetReturns()
  /// The site behind the last call, if that returns to `pc`, where other host's code has returned to; 0 if not.
  func takeReturn(to pc: UInt64) -> UInt32
  /// Where returns to behind a call go on, unless that was entered too often; nil as long as they leave.
  func returnEntry(_ site: UInt32) -> CodeAddress?
  /// Whether `entry` was entered as often as may be.
  func isWorn(_ entry: CodeAddress) -> Bool
  /// Makes an entry leave for its own PC, whatever leads there.
  func close(_ entry: CodeAddress)
}

extension PackedCode {
  /// Where the label of that number is entered, once the code is in a cache as `block`.
  public func entry(of label: Int, in block: CompiledBlock) -> CodeAddress {
    CodeAddress(block.entry.offset &+ labels[label].position &- 1)
  }
}
