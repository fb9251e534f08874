// Owns the place of a listening Unix socket in the file system: what may be there before, and what is left behind.

import Glibc

/// A path at which this program listens or wants to.
package struct SocketPath: Sendable {
  /// What stands at a path, so that nothing can listen there.
  package enum Obstacle: Error, Equatable, CustomStringConvertible {
    /// Another program listens there.
    case inUse
    /// Anything but a socket.
    case occupied
    /// The host's error number.
    case failed(Int32)

    package var description: String {
      switch self {
      case .inUse: "another program listens there"
      case .occupied: "something that is no socket is there, and stays"
      case .failed(let number): unsafe String(cString: strerror(number))
      }
    }
  }

  private let path: String
  private let identity: Identity

  /// A socket that was just bound to `path`.
  package init?(bound path: String) {
    guard let status = Self.status(path), let identity = Identity(status) else { return nil }
    self.path = path
    self.identity = identity
  }

  /// Removes the socket, if it is still the one that was bound.
  package func remove() {
    guard let status = Self.status(path), Identity(status) == identity else { return }
    unsafe unlink(path)
  }

  /// Makes room for a socket: one that a program which is gone has left behind is removed, and nothing else. A symbolic
  /// link is not followed.
  package static func clear(_ path: String) throws(Obstacle) {
    guard let status = status(path) else {
      guard errno == ENOENT else { throw .failed(errno) }
      return
    }
    guard Identity(status) != nil else { throw .occupied }
    guard try isStale(path) else { throw .inUse }
    if unsafe unlink(path) != 0, errno != ENOENT { throw .failed(errno) }
  }

  /// The address of a path; nil if it is too long.
  package static func address(_ path: String) -> sockaddr_un? {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    guard path.utf8.count <= longestPath else { return nil }
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
    return address
  }

  /// In bytes.
  package static var longestPath: Int { MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1 }

  /// Device and number of a socket's node.
  private struct Identity: Equatable {
    let device: UInt
    let node: UInt

    init?(_ status: stat) {
      guard status.st_mode & S_IFMT == S_IFSOCK else { return nil }
      (device, node) = (UInt(status.st_dev), UInt(status.st_ino))
    }
  }

  private static func status(_ path: String) -> stat? {
    var status = stat()
    return unsafe lstat(path, &status) == 0 ? status : nil
  }

  /// Whether nobody listens at a socket any more.
  private static func isStale(_ path: String) throws(Obstacle) -> Bool {
    guard var address = address(path) else { throw .failed(ENAMETOOLONG) }
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = socket(AF_UNIX, type, 0)
    guard descriptor >= 0 else { throw .failed(errno) }
    defer { close(descriptor) }
    let result = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        unsafe connect(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    return result != 0 && errno == ECONNREFUSED
  }
}
