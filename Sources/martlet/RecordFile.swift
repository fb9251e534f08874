// Owns the file of `--record` while it is written: what the guest was given and when, piece by piece.

import Glibc
import Machine

/// Each input is in the file before the guest sees it, so that the record is whole up to there however the program ends.
///
/// A file that stands at the path stays until the new one has begun well.
final class RecordFile: Sendable {
  private let path: String
  private let isRegular: Bool
  private let descriptor: Int32

  /// Begins the file.
  init(_ path: String) throws(Failure) {
    var status = stat()
    let exists = unsafe stat(path, &status) == 0
    isRegular = !exists || status.st_mode & S_IFMT == S_IFREG
    guard isRegular || status.st_mode & S_IFMT == S_IFCHR else {
      throw .usage("--record: '\(path)' is no file; choose another")
    }
    // A link stays one, to the new file.
    let target = exists ? unsafe realpath(path, nil) : nil
    defer { unsafe free(target) }
    self.path = unsafe target.map { unsafe String(cString: $0) } ?? path
    let newPath = isRegular ? self.path + ".\(getpid()).new" : self.path
    descriptor = unsafe open(
      newPath, O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC | (isRegular ? O_CREAT | O_EXCL : 0), 0o644)
    guard descriptor >= 0 else {
      throw .usage("--record: cannot write '\(newPath)': \(HostFile.reason(errno)); choose another file")
    }
    var number = Descriptors.write(Array(InputRecord.header.utf8), to: descriptor)
    if number == 0, isRegular, unsafe rename(newPath, self.path) != 0 { number = errno }
    guard number != 0 else { return }
    if isRegular { unsafe unlink(newPath) }
    throw Failure(code: .outputFailed, message: message(number))
  }

  deinit { close(descriptor) }

  /// Writes what changed. Returns what went wrong, in words for the user.
  func write(_ change: InputChange) -> String? {
    var number: Int32 = 0
    switch change {
    case .added(let input): number = Descriptors.write(Array(InputRecord.line(input).utf8), to: descriptor)
    case .replaced(let inputs):
      if isRegular, ftruncate(descriptor, 0) != 0 { number = errno }
      let text = ([InputRecord.header] + inputs.map(InputRecord.line)).joined()
      if number == 0 { number = Descriptors.write(Array(text.utf8), to: descriptor) }
    }
    return number == 0 ? nil : message(number)
  }

  private func message(_ number: Int32) -> String { "--record: \(path): \(HostFile.reason(number))" }
}
