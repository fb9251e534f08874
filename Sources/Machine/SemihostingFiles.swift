// Owns the files a guest opens by semihosting, and the walls around them.

import Glibc

/// Open files by handle. Names are taken relative to a root directory; nothing outside it can be reached: `..` and
/// symbolic links are refused. Without a root only `:tt` and `:semihosting-features` open.
///
/// What the guest sees of them is a value, ``Table``, which follows from the host's ``answers``: a past that is run again sees
/// the same, and the host's files are not touched again.
struct SemihostingFiles {
  static let notPermitted = EPERM
  static let noSuchFunction = ENOSYS
  static let badAddress = EFAULT
  static let badArgument = EINVAL

  fileprivate enum File {
    case consoleInput
    case consoleOutput
    /// The bytes of `:semihosting-features`, and how many have been read.
    case features(position: Int)
    /// A file of the host's, by the number under which it was opened.
    case host(Int)
  }

  /// What is open, by handle, and how many of the host's files have been opened so far.
  struct Table: Sendable {
    fileprivate var files: [UInt64: File] = [:]
    fileprivate var opened = 0
  }

  /// Magic, then the feature bits: SH_EXT_EXIT_EXTENDED and SH_EXT_STDOUT_STDERR.
  fileprivate static let features: [UInt8] = [0x53, 0x48, 0x46, 0x42, 0x03]
  private static let maximumFiles = 256
  /// Bytes moved by one call; the guest asks again for the rest.
  private static let maximumTransfer = 16 << 20

  private let root: String?
  var table = Table()
  private var descriptors: [Int: Int32] = [:]
  let answers = HostAnswers()

  init(root: String?) { self.root = root }

  // MARK: Names

  mutating func open(_ name: String, mode: UInt64) -> Semihosting.Reply {
    guard mode < 12 else { return .error(EINVAL) }
    guard let handle = (1...UInt64(Self.maximumFiles)).first(where: { table.files[$0] == nil }) else {
      return .error(EMFILE)
    }
    switch name {
    case ":tt": table.files[handle] = mode < 4 ? .consoleInput : .consoleOutput
    case ":semihosting-features":
      guard mode < 2 else { return .error(EACCES) }
      table.files[handle] = .features(position: 0)
    default:
      // Modes are those of fopen in the order r, rb, r+, r+b, w, wb, w+, w+b, a, ab, a+, a+b.
      let access = mode & 2 != 0 ? O_RDWR : mode < 4 ? O_RDONLY : O_WRONLY
      let creation = mode < 4 ? 0 : mode < 8 ? O_CREAT | O_TRUNC : O_CREAT | O_APPEND
      let number = table.opened + 1
      let failure = answers.next { openHost(name, access | creation, number) }.failure
      guard failure == 0 else { return .error(failure) }
      table.opened = number
      table.files[handle] = .host(number)
    }
    return .value(Int64(handle))
  }

  private mutating func openHost(_ name: String, _ flags: Int32, _ number: Int) -> HostAnswer {
    let answer = inside(name) { directory, last in
      unsafe openat(directory, last, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o644)
    }
    guard answer.failure == 0 else { return answer }
    let descriptor = Int32(answer.value)
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      Glibc.close(descriptor)
      return HostAnswer(failure: EACCES)
    }
    descriptors[number] = descriptor
    return HostAnswer()
  }

  func remove(_ name: String) -> Semihosting.Reply {
    let failure = answers.next { inside(name) { unsafe unlinkat($0, $1, 0) } }.failure
    return failure == 0 ? .value(0) : .error(failure)
  }

  func rename(_ old: String, to new: String) -> Semihosting.Reply {
    let failure = answers.next {
      inside(old) { from, name in
        let result = inside(new) { unsafe renameat(from, name, $0, $1) }
        errno = result.failure
        return result.failure == 0 ? 0 : -1
      }
    }.failure
    return failure == 0 ? .value(0) : .error(failure)
  }

  /// Calls `body` with the open directory that holds `name`, and the last part of it.
  private func inside(_ name: String, _ body: (Int32, String) -> Int32) -> HostAnswer {
    let parts = name.split(separator: "/").map(String.init).filter { $0 != "." }
    guard let root, let last = parts.last, !parts.contains(".."), !name.utf8.contains(0) else {
      return HostAnswer(failure: EACCES)
    }
    var directory = unsafe Glibc.open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    for part in parts.dropLast() where directory >= 0 {
      let next = unsafe openat(directory, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      let failure = errno
      Glibc.close(directory)
      directory = next
      errno = failure
    }
    guard directory >= 0 else { return HostAnswer(failure: errno) }
    let value = body(directory, last)
    let failure = value < 0 ? errno : 0
    Glibc.close(directory)
    return HostAnswer(value: Int(value), failure: failure)
  }

  /// What the host does with one of its files.
  private func host(_ number: Int, _ body: (Int32) -> HostAnswer) -> HostAnswer {
    answers.next { descriptors[number].map(body) ?? HostAnswer(value: -1, failure: EBADF) }
  }

  // MARK: Handles

  mutating func close(_ handle: UInt64) -> Semihosting.Reply {
    guard let file = table.files.removeValue(forKey: handle) else { return .error(EBADF) }
    if case .host(let number) = file {
      _ = answers.next {
        if let descriptor = descriptors.removeValue(forKey: number) { Glibc.close(descriptor) }
        return HostAnswer()
      }
    }
    return .value(0)
  }

  func isConsoleInput(_ handle: UInt64) -> Bool {
    if case .consoleInput = table.files[handle] { true } else { false }
  }

  func isTerminal(_ handle: UInt64) -> Semihosting.Reply {
    switch table.files[handle] {
    case .consoleInput, .consoleOutput: .value(1)
    case .features, .host: .value(0)
    case nil: .error(EBADF)
    }
  }

  func length(_ handle: UInt64) -> Semihosting.Reply {
    switch table.files[handle] {
    case .host(let number):
      let answer = host(number) { descriptor in
        var status = stat()
        return unsafe fstat(descriptor, &status) == 0
          ? HostAnswer(value: Int(status.st_size)) : HostAnswer(failure: errno)
      }
      return answer.failure == 0 ? .value(Int64(answer.value)) : .error(answer.failure)
    case .features: return .value(Int64(Self.features.count))
    case .consoleInput, .consoleOutput: return .value(0)
    case nil: return .error(EBADF)
    }
  }

  mutating func seek(_ handle: UInt64, to position: UInt64) -> Semihosting.Reply {
    switch table.files[handle] {
    case .host(let number):
      guard let offset = Int(exactly: position) else { return .error(EINVAL) }
      let failure = host(number) { HostAnswer(failure: lseek($0, offset, SEEK_SET) < 0 ? errno : 0) }.failure
      return failure == 0 ? .value(0) : .error(failure)
    case .features:
      guard position <= UInt64(Self.features.count) else { return .error(EINVAL) }
      table.files[handle] = .features(position: Int(position))
      return .value(0)
    case .consoleInput, .consoleOutput: return .error(ESPIPE)
    case nil: return .error(EBADF)
    }
  }

  /// - Returns: how many bytes were not written.
  func write(
    _ handle: UInt64, from address: UInt64, count: UInt64, _ memory: SemihostingMemory
  ) throws(SemihostingFault) -> Semihosting.Reply {
    guard let file = table.files[handle] else { return .untransferred(count, EBADF) }
    let wanted = Int(min(count, UInt64(Self.maximumTransfer)))
    var done = 0
    while done < wanted {
      let bytes = try memory.read(address &+ UInt64(done), min(wanted - done, 0x1000))
      switch file {
      case .consoleOutput:
        memory.writeConsole(bytes)
        done += bytes.count
      case .host(let number):
        let answer = host(number) { descriptor in
          Self.whole { unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) } }
        }
        guard answer.value > 0 else { return .untransferred(count - UInt64(done), answer.failure) }
        done += answer.value
      case .consoleInput, .features: return .untransferred(count, EBADF)
      }
    }
    return .rest(of: count, after: UInt64(done))
  }

  /// - Returns: how many bytes were not read; all of them at the end of the file.
  mutating func read(
    _ handle: UInt64, to address: UInt64, count: UInt64, _ memory: SemihostingMemory
  ) throws(SemihostingFault) -> Semihosting.Reply {
    guard let file = table.files[handle] else { return .untransferred(count, EBADF) }
    let wanted = Int(min(count, UInt64(Self.maximumTransfer)))
    var done = 0
    switch file {
    case .consoleOutput: return .untransferred(count, EBADF)
    case .consoleInput: break
    case .features(let position):
      let bytes = Self.features[position...].prefix(wanted)
      try memory.write(Array(bytes), address)
      done = bytes.count
      table.files[handle] = .features(position: position + done)
    case .host(let number):
      while done < wanted {
        let answer = host(number) { descriptor in
          var chunk = [UInt8](repeating: 0, count: min(wanted - done, 0x1000))
          var answer = Self.whole {
            unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
          }
          answer.bytes = Array(chunk.prefix(max(0, answer.value)))
          return answer
        }
        guard answer.value >= 0 else { return .untransferred(count - UInt64(done), answer.failure) }
        if answer.value == 0 { break }
        try memory.write(answer.bytes, address &+ UInt64(done))
        done += answer.value
      }
    }
    return .rest(of: count, after: UInt64(done))
  }

  /// A transfer that no signal cuts short before it has begun.
  private static func whole(_ transfer: () -> Int) -> HostAnswer {
    while true {
      let count = transfer()
      if count >= 0 { return HostAnswer(value: count) }
      if errno != EINTR { return HostAnswer(value: -1, failure: errno) }
    }
  }
}

/// As a list of what is open.
extension SemihostingFiles.Table: Codable {
  private enum Kind: UInt8, Codable { case consoleInput, consoleOutput, features, host }

  private struct Entry: Codable {
    var handle: UInt64
    var kind: Kind
    /// The place in the features, or the number of the host's file.
    var number: Int
  }

  private struct Form: Codable {
    var opened: Int
    var entries: [Entry]
  }

  init(from decoder: any Decoder) throws {
    let form = try Form(from: decoder)
    opened = form.opened
    for entry in form.entries {
      files[entry.handle] =
        switch entry.kind {
        case .consoleInput: .consoleInput
        case .consoleOutput: .consoleOutput
        case .features: .features(position: min(max(0, entry.number), SemihostingFiles.features.count))
        case .host: .host(entry.number)
        }
    }
  }

  func encode(to encoder: any Encoder) throws {
    let entries = files.sorted { $0.key < $1.key }.map { handle, file in
      switch file {
      case .consoleInput: Entry(handle: handle, kind: .consoleInput, number: 0)
      case .consoleOutput: Entry(handle: handle, kind: .consoleOutput, number: 0)
      case .features(let position): Entry(handle: handle, kind: .features, number: position)
      case .host(let number): Entry(handle: handle, kind: .host, number: number)
      }
    }
    try Form(opened: opened, entries: entries).encode(to: encoder)
  }
}
