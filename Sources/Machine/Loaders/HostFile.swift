// Owns the reading of whole files from the host.

import Glibc

/// Reads files the user named.
public enum HostFile {
  /// No guest image is larger; a typing error such as `/dev/zero` must not fill the host's memory.
  static var maximumSize: Int { 1 << 32 }

  /// The contents of a regular file.
  /// - Throws: ``MachineError/badInput(_:)`` naming the file and the host's reason.
  public static func read(_ path: String) throws(MachineError) -> [UInt8] {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      let hint = errno == ENOENT ? "; check the path" : ""
      throw .badInput("\(path): \(reason(errno))\(hint)")
    }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw .badInput("\(path): \(reason(errno))") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw .badInput("\(path): not a regular file; copy what it holds into a file and give that")
    }
    guard status.st_size <= maximumSize else {
      throw .badInput("\(path): \(status.st_size) bytes are more than the \(maximumSize) an image may have")
    }
    let size = Int(status.st_size)
    var failure: Int32 = 0
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      count = 0
      while count < size {
        let got = unsafe Glibc.read(descriptor, buffer.baseAddress! + count, size - count)
        if got < 0, errno == EINTR { continue }
        if got < 0 { failure = errno }
        guard got > 0 else { break }
        count += got
      }
    }
    guard failure == 0 else { throw .badInput("\(path): \(reason(failure))") }
    return bytes
  }

  /// The host's words for an error number.
  public static func reason(_ number: Int32) -> String {
    unsafe strerror(number).map { unsafe String(cString: $0) } ?? "error \(number)"
  }
}
