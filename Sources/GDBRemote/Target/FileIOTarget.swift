/// A target whose guest may use the files and the console of the machine GDB runs on (GDB manual, section "File-I/O
/// Remote Protocol Extension"), for semihosting.
///
/// While the guest runs the target calls `Session.request` and holds the guest. The client then reads and writes guest
/// memory as the call needs and ends it; the guest goes on without a further `resume`.
public protocol FileIOTarget: Resumable {
  /// The call is done: let the guest run on, or halt it if `result.interrupted`.
  func fileCallFinished(_ result: FileCallResult)
}

/// A request of the guest to the client. Strings lie in guest memory and count their final NUL; numbers are those of
/// the protocol's own tables of flags and modes, which are mostly those of Linux.
public enum FileCall: Equatable, Sendable {
  case open(path: GuestString, flags: UInt32, mode: UInt32)
  case close(descriptor: Int32)
  case read(descriptor: Int32, buffer: UInt64, count: UInt64)
  case write(descriptor: Int32, buffer: UInt64, count: UInt64)
  case seek(descriptor: Int32, offset: Int64, origin: UInt32)
  case rename(from: GuestString, to: GuestString)
  case unlink(path: GuestString)
  case stat(path: GuestString, buffer: UInt64)
  case statDescriptor(descriptor: Int32, buffer: UInt64)
  case timeOfDay(buffer: UInt64, zone: UInt64)
  case isTerminal(descriptor: Int32)
  case system(command: GuestString?)
}

/// A string in guest memory.
public struct GuestString: Equatable, Sendable {
  public var address: UInt64
  /// In bytes, with the final NUL.
  public var length: UInt64

  public init(at address: UInt64, length: UInt64) {
    self.address = address
    self.length = length
  }
}

public struct FileCallResult: Equatable, Sendable {
  /// What the call returns; -1 on error.
  public var value: Int64
  /// In the protocol's numbering; 0 without error.
  public var errorNumber: UInt32
  /// The user pressed Ctrl-C meanwhile.
  public var interrupted: Bool

  public init(value: Int64, errorNumber: UInt32 = 0, interrupted: Bool = false) {
    self.value = value
    self.errorNumber = errorNumber
    self.interrupted = interrupted
  }
}
