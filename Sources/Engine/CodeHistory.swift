// Owns the short history of translated code: what was made, chained, cut and dropped of late, when and why.

/// Something that happened to translated code.
public struct CodeEvent: Sendable {
  public enum Kind: Sendable, Equatable {
    case translated(Tier)
    /// The block was chained to another; that chain was cut.
    case chained(BlockID), cut(BlockID)
    /// Nothing leads to the block any more.
    case dropped
    /// All code was dropped, and the numbers of blocks begin anew.
    case flushed
  }

  /// Why a chain was cut, or code dropped.
  public enum Cause: String, Sendable {
    /// It goes without saying: code was come to, an exit was taken.
    case run = ""
    case block = "its block was dropped"
    case written = "its bytes were written"
    case breakpoint = "a breakpoint there came or went"
    case watchpoint = "what is watched changed"
    case access = "an access of it was found to need other code"
    case remapped = "its pages are mapped, or protected, otherwise"
    case hotter = "a better translation takes its place"
    case command = "by command"
    case counted = "executions are counted from now on, or no more"
    case pass = "a pass was switched"
    case full = "the code cache was full"
  }

  /// The block's number at the time, and its guest PC; 0 and 0 if all of them are meant.
  public var block: BlockID
  public var pc: UInt64
  public var kind: Kind
  public var cause: Cause
  /// Of the vCPU that ran then, in instructions.
  public var time: UInt64
}

/// The last events, of which those before are forgotten.
struct CodeHistory {
  static let capacity = 256
  private var ring: [CodeEvent] = []
  private var oldest = 0

  mutating func append(_ event: CodeEvent) {
    if ring.count < Self.capacity { return ring.append(event) }
    ring[oldest] = event
    oldest = (oldest + 1) % Self.capacity
  }

  /// In the order in which they happened.
  var events: [CodeEvent] { Array(ring[oldest...] + ring[..<oldest]) }
}

extension CodeStore {
  /// What happened of late, the oldest first.
  public var events: [CodeEvent] { history.events }

  func note(_ kind: CodeEvent.Kind, _ id: BlockID, because cause: CodeEvent.Cause = .run) {
    let pc = id == 0 ? 0 : blocks[id].key.pc
    let vcpu = runners.current ?? runners.all.first
    let event = CodeEvent(block: id, pc: pc, kind: kind, cause: cause, time: vcpu?.now ?? 0)
    history.append(event)
    if let vcpu, vcpu.debug.events.watchesCode { vcpu.debug.events.note(.code(event)) }
  }
}
