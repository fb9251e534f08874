// Capabilities that describe the target: registers, memory map, threads, executable.

/// A target that describes its registers in XML (GDB manual, appendix "Target Descriptions").
public protocol TargetDescription: Target {
  /// The document called `annex` (`target.xml` first, then what it includes), or nil.
  func targetDescription(_ annex: String) -> String?
}

/// A target that says what lies where. GDB then refuses every access outside the regions named (unless told `set mem
/// inaccessible-by-default off`), so device registers belong into the map as RAM.
public protocol MemoryMapProviding: Target {
  /// In any order, without overlaps.
  var memoryMap: [MemoryRegion] { get }
}

public struct MemoryRegion: Equatable, Sendable {
  public enum Kind: Equatable, Sendable {
    case ram, rom
    /// Nothing is mapped there. A map that leaves a gap out instead has GDB refuse to read and write in it.
    case gap
    /// Written through `vFlashErase` and `vFlashWrite`, erased in blocks of so many bytes.
    case flash(blockSize: UInt64)
  }

  public var kind: Kind
  public var start: UInt64
  /// In bytes.
  public var length: UInt64

  public init(_ kind: Kind, start: UInt64, length: UInt64) {
    self.kind = kind
    self.start = start
    self.length = length
  }
}

/// A target that names its threads. Both calls may come while the guest runs.
public protocol ThreadNaming: Target {
  func describe(_ thread: ThreadID) -> ThreadDescription
}

public struct ThreadDescription: Equatable, Sendable {
  /// Shown as the thread's name.
  public var name: String
  /// What the thread is doing, shown beside the name; may be empty.
  public var state: String
  /// Counted from 0.
  public var core: Int?

  public init(name: String, state: String = "", core: Int? = nil) {
    self.name = name
    self.state = state
    self.core = core
  }
}

/// A target that knows which file its guest was loaded from.
public protocol ExecutableNaming: Target {
  /// An absolute path on the target's machine, or nil.
  func executablePath(process: UInt32) -> String?
}
