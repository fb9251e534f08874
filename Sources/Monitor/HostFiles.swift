// Owns which of the host's files commands may read and write.

import Glibc
import Machine

/// The host's files as far as whoever gives commands may use them.
public struct HostFiles: Sendable {
  private enum Reach: Sendable {
    case none, all
    case below(String)
  }
  private let reach: Reach

  /// No files.
  public static let none = HostFiles(reach: .none)
  /// Those that Martlet's user may use.
  public static let all = HostFiles(reach: .all)
  /// Those in a folder and below it; no symbolic link leads out.
  public static func below(_ folder: String) -> HostFiles { HostFiles(reach: .below(folder)) }

  /// Those in the folder where Martlet was started, and below it.
  public static var belowWorkingFolder: HostFiles { resolved(".").map { .below($0) } ?? .none }

  /// The contents of a regular file of at most `maximum` bytes.
  func read(_ path: String, maximum: Int = HostFile.maximumSize) throws(MonitorError) -> [UInt8] {
    let path = try allowed(path)
    do throws(MachineError) {
      return try HostFile.read(path, maximum: maximum)
    } catch { throw .refused(error.description) }
  }

  /// Of these files those in a folder and below it; nil if that is no folder, or may not be used.
  func narrowed(to folder: String) -> HostFiles? {
    switch reach {
    case .none: return nil
    case .all: return Self.resolved(folder).map { .below($0) }
    case .below(let root):
      guard let folder = Self.resolved(folder.hasPrefix("/") ? folder : root + "/" + folder),
        let root = Self.resolved(root), folder == root || folder.hasPrefix(root == "/" ? root : root + "/")
      else { return nil }
      return .below(folder)
    }
  }

  /// Makes a file, or takes the place of what is in it.
  func write(_ bytes: [UInt8], to path: String) throws(MonitorError) {
    let path = try allowed(path)
    let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0o644)
    guard descriptor >= 0 else { throw .refused("\(path): \(HostFile.reason(errno))") }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw .refused("\(path): this is no regular file; choose another name")
    }
    var done = ftruncate(descriptor, 0) == 0 ? 0 : -1
    while done >= 0, done < bytes.count {
      let count = unsafe bytes.withUnsafeBytes {
        unsafe Glibc.write(descriptor, $0.baseAddress! + done, bytes.count - done)
      }
      if count < 0, errno == EINTR { continue }
      done = count < 0 ? -1 : done + count
    }
    guard done >= 0 else { throw .refused("\(path): \(HostFile.reason(errno)); the file is not whole") }
  }

  /// The path that a name means, if it may be used.
  private func allowed(_ name: String) throws(MonitorError) -> String {
    switch reach {
    case .all: return name
    case .none: throw .refused("files of the host cannot be used from here")
    case .below(let folder):
      let outside = MonitorError.refused(
        "\(name): from here only files in \(folder), where Martlet was started, can be used; the monitor's own prompt takes"
          + " any file")
      guard !name.utf8.contains(0) else { throw outside }
      let path = name.hasPrefix("/") ? name : folder + "/" + name
      let parts = path.split(separator: "/", omittingEmptySubsequences: true)
      guard let last = parts.last, last != "..", last != "." else { throw outside }
      let parent = "/" + parts.dropLast().joined(separator: "/")
      guard let resolved = Self.resolved(parent), let root = Self.resolved(folder) else { throw outside }
      guard resolved == root || resolved.hasPrefix(root == "/" ? root : root + "/") else { throw outside }
      let whole = (resolved == "/" ? "" : resolved) + "/" + last
      var status = stat()
      if unsafe lstat(whole, &status) == 0, status.st_mode & S_IFMT == S_IFLNK { throw outside }
      return whole
    }
  }

  /// The path without symbolic links; nil if there is no such folder.
  private static func resolved(_ path: String) -> String? {
    guard let pointer = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(pointer) }
    return unsafe String(cString: pointer)
  }
}
