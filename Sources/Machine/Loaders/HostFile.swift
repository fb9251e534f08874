// Owns the reading of whole files from the host.

import Glibc

/// Reads files the user named.
public enum HostFile {
  /// No guest image is larger; a typing error such as `/dev/zero` must not fill the host's memory.
  public static var maximumSize: Int { 1 << 32 }

  /// The contents of a regular file of at most `maximum` bytes.
  /// - Throws: ``MachineError/badInput(_:)`` naming the file and the host's reason.
  public static func read(_ path: String, maximum: Int = maximumSize) throws(MachineError) -> [UInt8] {
    let (descriptor, size) = try openRegular(path, maximum: maximum)
    defer { close(descriptor) }
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

  /// Opens a regular file of at most `maximum` bytes for reading; the caller closes it.
  static func openRegular(_ path: String, maximum: Int) throws(MachineError) -> (descriptor: Int32, size: Int) {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      let hint = errno == ENOENT ? "; check the path" : ""
      throw .badInput("\(path): \(reason(errno))\(hint)")
    }
    var status = stat()
    let problem: String? =
      if unsafe fstat(descriptor, &status) != 0 {
        reason(errno)
      } else if status.st_mode & S_IFMT != S_IFREG {
        "not a regular file; copy what it holds into a file and give that"
      } else if status.st_size > maximum {
        "\(status.st_size) bytes are more than the \(maximum) an image may have"
      } else {
        nil
      }
    if let problem {
      close(descriptor)
      throw .badInput("\(path): \(problem)")
    }
    return (descriptor, Int(status.st_size))
  }

  /// The host's words for an error number.
  public static func reason(_ number: Int32) -> String {
    unsafe strerror(number).map { unsafe String(cString: $0) } ?? "error \(number)"
  }
}
