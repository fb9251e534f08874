// Owns what the pieces of a recording hold.

import Bus
import Storage

/// What a recording says of itself.
public struct RecordingHeader: Codable, Sendable, Equatable {
  /// A file of the host's that the machine was made of.
  public struct File: Codable, Sendable, Equatable {
    /// As the user named it.
    public var path: String
    public var size: UInt64
    public var sha256: String
    /// Its contents are in the recording.
    public var isInside: Bool

    /// Whether these are its contents.
    public func holds(_ bytes: [UInt8]) -> Bool { bytes.count == size && Storage.sha256(bytes) == sha256 }
  }
  /// The program and its version.
  public var program: String
  /// The folder that relative paths are of.
  public var directory: String
  /// The words of the command line that decide what the machine is.
  public var arguments: [String]
  public var files: [File]
  /// The board's devicetree, as a blob.
  public var board: [UInt8]
  /// The firmware it starts with, be it one that was installed.
  public var firmware: String?
  /// Where input for semihosting's console goes.
  public var console: String?
  /// Of the machine as it was made: whoever makes it again has the same.
  public var origin: String

  public init(program: String, directory: String, arguments: [String]) {
    (self.program, self.directory, self.arguments) = (program, directory, arguments)
    (files, board, origin) = ([], [], "")
  }
}

/// How a recorded run ended.
public struct RecordedEnding: Codable, Sendable, Equatable {
  /// The exit code of the program, and what it said.
  public var code: Int32
  public var message: String
  /// Of the machine then; see ``Machine/digest()``. Nil if it stood in its past.
  var digest: UInt64?

  init(code: Int32, message: String, digest: UInt64?) {
    (self.code, self.message, self.digest) = (code, message, digest)
  }
}

/// What the pieces of a recording are.
enum RecordedPart: UInt8 {
  /// Text that names the format.
  case format = 0x0A
  case header
  /// A stretch of a file that is inside.
  case file
  case input
  case answers
  /// Pages of the moment that follows.
  case pages
  case moment
  case turn
  /// How far the run had come.
  case reached
  case ending

  static let name = "martlet recording 1\n"
}

/// A stretch of a file; those of one file follow each other.
struct RecordedStretch: Codable {
  /// In ``RecordingHeader/files``.
  var file: UInt32
  var bytes: [UInt8]
}

/// Neighbouring pages of one memory.
struct RecordedPages: Codable {
  var memory: UInt32
  var first: UInt32
  var bytes: [UInt8]

  /// Pages in one piece.
  static let most = 1024
}

/// A condition of the machine that does not follow from what came before.
struct RecordedMoment: Codable {
  var cost: Double
  var condition: MachineCondition
  var printed: [Int]
  var table: SemihostingFiles.Table
  var answers: Int
  /// Where the machine stood when somebody changed it into this. Nil: the recording begins here, and what its pages
  /// leave out is zero.
  var cut: Position?

  var position: Position { condition.position }
}

/// Another future has begun.
struct RecordedTurn: Codable {
  /// What of the old one counts.
  var counts: RecordedCounts
  /// Where.
  var reached: Position
}

/// How much of what came before counts.
struct RecordedCounts: Codable {
  var inputs: Int
  var answers: Int
  var moments: Int
}
