// Owns the files a guest opens by semihosting, and the walls around them.

import Glibc

/// Open files by handle. Names are taken relative to a root directory; nothing outside it can be reached: `..` and
/// symbolic links are refused. Without a root only `:tt` and `:semihosting-features` open.
struct SemihostingFiles {
  static let notPermitted = EPERM
  static let noSuchFunction = ENOSYS
  static let badAddress = EFAULT
  static let badArgument = EINVAL

  private enum File {
    case consoleInput
    case consoleOutput
    /// The bytes of `:semihosting-features`, and how many have been read.
    case features(position: Int)
    case host(Int32)
  }

  /// Magic, then the feature bits: SH_EXT_EXIT_EXTENDED and SH_EXT_STDOUT_STDERR.
  private static let features: [UInt8] = [0x53, 0x48, 0x46, 0x42, 0x03]
  private static let maximumFiles = 256
  /// Bytes moved by one call; the guest asks again for the rest.
  private static let maximumTransfer = 16 << 20

  private let root: String?
  private var files: [UInt64: File] = [:]

  init(root: String?) { self.root = root }

  // MARK: Names

  mutating func open(_ name: String, mode: UInt64) -> Semihosting.Reply {
    guard mode < 12 else { return .error(EINVAL) }
    guard let handle = (1...UInt64(Self.maximumFiles)).first(where: { files[$0] == nil }) else { return .error(EMFILE) }
    switch name {
    case ":tt": files[handle] = mode < 4 ? .consoleInput : .consoleOutput
    case ":semihosting-features":
      guard mode < 2 else { return .error(EACCES) }
      files[handle] = .features(position: 0)
    default:
      // Modes are those of fopen in the order r, rb, r+, r+b, w, wb, w+, w+b, a, ab, a+, a+b.
      let access = mode & 2 != 0 ? O_RDWR : mode < 4 ? O_RDONLY : O_WRONLY
      let creation = mode < 4 ? 0 : mode < 8 ? O_CREAT | O_TRUNC : O_CREAT | O_APPEND
      let (descriptor, failure) = inside(name) { directory, last in
        unsafe openat(directory, last, access | creation | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o644)
      }
      guard failure == 0 else { return .error(failure) }
      var status = stat()
      guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
        Glibc.close(descriptor)
        return .error(EACCES)
      }
      files[handle] = .host(descriptor)
    }
    return .value(Int64(handle))
  }

  func remove(_ name: String) -> Semihosting.Reply {
    let failure = inside(name) { unsafe unlinkat($0, $1, 0) }.failure
    return failure == 0 ? .value(0) : .error(failure)
  }

  func rename(_ old: String, to new: String) -> Semihosting.Reply {
    let failure = inside(old) { from, name in
      let result = inside(new) { unsafe renameat(from, name, $0, $1) }
      errno = result.failure
      return result.failure == 0 ? 0 : -1
    }.failure
    return failure == 0 ? .value(0) : .error(failure)
  }

  /// Calls `body` with the open directory that holds `name`, and the last part of it.
  private func inside(_ name: String, _ body: (Int32, String) -> Int32) -> (value: Int32, failure: Int32) {
    let parts = name.split(separator: "/").map(String.init).filter { $0 != "." }
    guard let root, let last = parts.last, !parts.contains(".."), !name.utf8.contains(0) else { return (-1, EACCES) }
    var directory = unsafe Glibc.open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    for part in parts.dropLast() where directory >= 0 {
      let next = unsafe openat(directory, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      let failure = errno
      Glibc.close(directory)
      directory = next
      errno = failure
    }
    guard directory >= 0 else { return (-1, errno) }
    let value = body(directory, last)
    let failure = value < 0 ? errno : 0
    Glibc.close(directory)
    return (value, failure)
  }

  // MARK: Handles

  mutating func close(_ handle: UInt64) -> Semihosting.Reply {
    guard let file = files.removeValue(forKey: handle) else { return .error(EBADF) }
    if case .host(let descriptor) = file { Glibc.close(descriptor) }
    return .value(0)
  }

  func isConsoleInput(_ handle: UInt64) -> Bool {
    if case .consoleInput = files[handle] { true } else { false }
  }

  func isTerminal(_ handle: UInt64) -> Semihosting.Reply {
    switch files[handle] {
    case .consoleInput, .consoleOutput: .value(1)
    case .features, .host: .value(0)
    case nil: .error(EBADF)
    }
  }

  func length(_ handle: UInt64) -> Semihosting.Reply {
    switch files[handle] {
    case .host(let descriptor):
      var status = stat()
      return unsafe fstat(descriptor, &status) == 0 ? .value(Int64(status.st_size)) : .error(errno)
    case .features: return .value(Int64(Self.features.count))
    case .consoleInput, .consoleOutput: return .value(0)
    case nil: return .error(EBADF)
    }
  }

  mutating func seek(_ handle: UInt64, to position: UInt64) -> Semihosting.Reply {
    switch files[handle] {
    case .host(let descriptor):
      guard let offset = Int(exactly: position) else { return .error(EINVAL) }
      return lseek(descriptor, offset, SEEK_SET) < 0 ? .error(errno) : .value(0)
    case .features:
      guard position <= UInt64(Self.features.count) else { return .error(EINVAL) }
      files[handle] = .features(position: Int(position))
      return .value(0)
    case .consoleInput, .consoleOutput: return .error(ESPIPE)
    case nil: return .error(EBADF)
    }
  }

  /// - Returns: how many bytes were not written.
  func write(
    _ handle: UInt64, from address: UInt64, count: UInt64, _ memory: SemihostingMemory
  ) throws(SemihostingFault) -> Semihosting.Reply {
    guard let file = files[handle] else { return .untransferred(count, EBADF) }
    let wanted = Int(min(count, UInt64(Self.maximumTransfer)))
    var done = 0
    while done < wanted {
      let bytes = try memory.read(address &+ UInt64(done), min(wanted - done, 0x1000))
      switch file {
      case .consoleOutput:
        memory.writeConsole(bytes)
        done += bytes.count
      case .host(let descriptor):
        let written = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if written < 0, errno == EINTR { continue }
        guard written > 0 else { return .untransferred(count - UInt64(done), errno) }
        done += written
      case .consoleInput, .features: return .untransferred(count, EBADF)
      }
    }
    return .rest(of: count, after: UInt64(done))
  }

  /// - Returns: how many bytes were not read; all of them at the end of the file.
  mutating func read(
    _ handle: UInt64, to address: UInt64, count: UInt64, _ memory: SemihostingMemory
  ) throws(SemihostingFault) -> Semihosting.Reply {
    guard let file = files[handle] else { return .untransferred(count, EBADF) }
    let wanted = Int(min(count, UInt64(Self.maximumTransfer)))
    var done = 0
    switch file {
    case .consoleOutput: return .untransferred(count, EBADF)
    case .consoleInput: break
    case .features(let position):
      let bytes = Self.features[position...].prefix(wanted)
      try memory.write(Array(bytes), address)
      done = bytes.count
      files[handle] = .features(position: position + done)
    case .host(let descriptor):
      while done < wanted {
        var chunk = [UInt8](repeating: 0, count: min(wanted - done, 0x1000))
        let got = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
        if got < 0, errno == EINTR { continue }
        guard got >= 0 else { return .untransferred(count - UInt64(done), errno) }
        if got == 0 { break }
        try memory.write(Array(chunk.prefix(got)), address &+ UInt64(done))
        done += got
      }
    }
    return .rest(of: count, after: UInt64(done))
  }
}
