// Owns the file of a recording while it is written.

import Glibc
import Machine
import Synchronization

/// Each piece is in the file before the run goes on, so that the recording is whole up to there however the program ends.
///
/// A file that stands at the path stays until the new one has begun well.
final class RecordFile: Sendable {
  private let path: String
  private let flag: String
  private let isRegular: Bool
  private let descriptor: Int32
  /// Where it is written until it has begun well; nil then.
  private let newPath: Mutex<String?>
  /// The host's error number, once a piece could not be written.
  private let failure = Mutex<Int32>(0)

  /// Opens the file.
  init(_ path: String, of flag: String) throws(Failure) {
    var status = stat()
    let exists = unsafe stat(path, &status) == 0
    isRegular = !exists || status.st_mode & S_IFMT == S_IFREG
    guard isRegular || status.st_mode & S_IFMT == S_IFCHR else {
      throw .usage("\(flag): '\(path)' is no file; choose another")
    }
    // A link stays one, to the new file.
    let target = exists ? unsafe realpath(path, nil) : nil
    defer { unsafe free(target) }
    self.flag = flag
    self.path = unsafe target.map { unsafe String(cString: $0) } ?? path
    let newPath = isRegular ? self.path + ".\(getpid()).new" : self.path
    descriptor = unsafe open(
      newPath, O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC | (isRegular ? O_CREAT | O_EXCL : 0), 0o644)
    self.newPath = Mutex(isRegular ? newPath : nil)
    guard descriptor >= 0 else {
      throw .usage("\(flag): cannot write '\(newPath)': \(HostFile.reason(errno)); choose another file")
    }
  }

  deinit {
    close(descriptor)
    newPath.withLock { if let path = $0 { unsafe unlink(path) } }
  }

  /// Writes one piece.
  func write(_ piece: [UInt8]) {
    failure.withLock { if $0 == 0 { $0 = Descriptors.write(piece, to: descriptor) } }
  }

  /// Takes the place of what stood at the path.
  func stand() throws(Failure) {
    let number = newPath.withLock { path -> Int32 in
      guard let new = path, failure.withLock({ $0 }) == 0 else { return failure.withLock { $0 } }
      guard unsafe rename(new, self.path) == 0 else { return errno }
      path = nil
      return 0
    }
    guard number == 0 else { throw Failure(code: .outputFailed, message: message(number)) }
  }

  /// What went wrong, in words for the user.
  var problem: String? { failure.withLock { $0 == 0 ? nil : message($0) } }

  private func message(_ number: Int32) -> String { "\(flag): \(path): \(HostFile.reason(number))" }
}
