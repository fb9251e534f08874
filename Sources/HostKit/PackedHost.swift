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
  /// Lets what is connected at `site` leave again.
  /// - Returns: whether anything was.
  func disconnect(_ site: UInt32) -> Bool
  /// How much is connected now.
  var connectionCount: Int { get }
  /// Where a block's code leads to with known targets, and where its calls return to, in the order of the code.
  func exits(of block: CompiledBlock) -> [PackedExit]
  /// What was called before is not known to be what it would be called now. Returns lead to where they were connected only
  /// as long as code stays where it is.
  func forgetReturns()
  /// The site behind the last call, if that returns to `pc`, where other host's code has returned to; 0 if not.
  func takeReturn(to pc: UInt64) -> UInt32
  /// Where returns to behind a call go on, unless that was entered too often; nil as long as they leave.
  func returnEntry(_ site: UInt32) -> CodeAddress?
  /// How often `entry` was entered.
  func entries(_ entry: CodeAddress) -> UInt32
  /// Whether `entry` was entered as often as may be.
  func isWorn(_ entry: CodeAddress) -> Bool
  /// Makes an entry leave for its own PC, whatever leads there.
  func close(_ entry: CodeAddress)
}

/// A way out of packed code, or on within it; or the word behind a call.
public struct PackedExit: Sendable {
  public var site: UInt32
  public var isReturn: Bool
  /// A PC.
  public var target: UInt64
  /// The entry that it goes on at, the block's own if it stays in there; nil if it leaves.
  public var entry: CodeAddress?
  public var mayConnect: Bool

  public init(site: Int, isReturn: Bool = false, target: UInt64, entry: UInt32?, mayConnect: Bool) {
    self.site = UInt32(truncatingIfNeeded: site)
    self.isReturn = isReturn
    self.target = target
    self.entry = entry.map { CodeAddress($0) }
    self.mayConnect = mayConnect
  }
}

extension PackedCode {
  /// Where the label of that number is entered, once the code is in a cache as `block`.
  public func entry(of label: Int, in block: CompiledBlock) -> CodeAddress {
    CodeAddress(block.entry.offset &+ labels[label].position &- 1)
  }
}
