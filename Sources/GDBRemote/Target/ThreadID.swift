/// A thread of the target, as GDB sees it. An emulator has one process a cluster and one thread a core.
public struct ThreadID: Hashable, Sendable {
  /// From 1.
  public var process: UInt32
  /// From 1.
  public var thread: UInt32

  public init(process: UInt32 = 1, thread: UInt32) {
    self.process = process
    self.thread = thread
  }
}

/// The threads a packet means: one, any, or all, of one, any or all processes.
public struct ThreadSelector: Hashable, Sendable {
  public enum Selection: Hashable, Sendable {
    case any, all
    case only(UInt32)

    func matches(_ id: UInt32) -> Bool {
      if case .only(let wanted) = self { wanted == id } else { true }
    }
  }

  public var process: Selection
  public var thread: Selection

  public init(process: Selection, thread: Selection) {
    self.process = process
    self.thread = thread
  }

  /// Exactly `id`.
  public init(_ id: ThreadID) {
    self.init(process: .only(id.process), thread: .only(id.thread))
  }

  /// Every thread of every process.
  public static let all = ThreadSelector(process: .all, thread: .all)

  public func matches(_ id: ThreadID) -> Bool {
    process.matches(id.process) && thread.matches(id.thread)
  }
}
