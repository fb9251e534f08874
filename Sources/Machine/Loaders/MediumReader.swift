// Owns the copying of a medium's image, a card's for one, into memory.

import Bus
import Glibc

/// An image file for a slot of the board. What the guest writes stays in Martlet's memory.
public struct DriveFile: Sendable, Equatable {
  public var path: String
  public var isReadOnly: Bool
  public init(path: String, isReadOnly: Bool = false) {
    self.path = path
    self.isReadOnly = isReadOnly
  }
}

extension Medium {
  /// In bytes: 2 GiB.
  private static let largest = 2 << 30

  /// A medium with the contents of a file; stretches of zeros take no memory.
  init(_ file: DriveFile) throws(MachineError) {
    let (descriptor, size) = try HostFile.openRegular(file.path, maximum: Self.largest)
    defer { close(descriptor) }
    guard size > 0 else { throw .badInput("\(file.path): the file is empty; make it as large as the medium") }
    let memory: RAMRegion
    do throws(MemoryError) {
      memory = try RAMRegion(name: "medium", size: (size + Self.unit - 1) / Self.unit * Self.unit)
    } catch { throw .setup("\(file.path): \(error)") }
    if let number = Self.copy(descriptor, size, to: memory) {
      throw .badInput("\(file.path): \(HostFile.reason(number))")
    }
    self.init(memory, isReadOnly: file.isReadOnly)
  }

  /// - Returns: the host's error number, if it could not be read.
  private static func copy(_ descriptor: Int32, _ size: Int, to memory: RAMRegion) -> Int32? {
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    var position = 0
    while position < size {
      let wanted = min(piece.count, size - position)
      let got = unsafe piece.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, wanted) }
      if got < 0, errno == EINTR { continue }
      if got < 0 { return errno }
      // The file has become shorter.
      guard got > 0 else { return nil }
      if piece.prefix(got).contains(where: { $0 != 0 }) { memory.write(piece.prefix(got), at: position) }
      position += got
    }
    return nil
  }
}
