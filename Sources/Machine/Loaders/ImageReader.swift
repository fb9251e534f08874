// Owns the choice of a file's format.

import Bus

/// Reads image files: ELF, Intel HEX, UF2, or anything else as raw bytes.
public enum ImageReader {
  /// Reads a file and finds out what it is.
  ///
  /// - Parameters:
  ///   - address: where raw bytes go; ELF and Intel HEX carry their own addresses and ignore it.
  ///   - forceRaw: treat any file as raw bytes.
  ///   - boards: the parts of a Universal Hex file to take, by the numbers of boards.
  /// - Throws: ``MachineError/badInput(_:)`` naming the file, what is wrong, where, and what to do.
  public static func read(
    path: String, address: UInt64?, forceRaw: Bool, boards: [UInt16] = []
  ) throws(MachineError) -> Image {
    try read(HostFile.read(path), name: path, address: address, forceRaw: forceRaw, boards: boards)
  }

  /// As ``read(path:address:forceRaw:boards:)`` for bytes at hand; `name` is for messages.
  public static func read(
    _ bytes: [UInt8], name: String, address: UInt64?, forceRaw: Bool, boards: [UInt16] = []
  ) throws(MachineError) -> Image {
    guard !bytes.isEmpty else { throw .badInput("\(name): the file is empty") }
    if !forceRaw {
      if ELFReader.recognizes(bytes) { return try ELFReader(bytes, name: name).read() }
      if IntelHexReader.recognizes(bytes, name: name) {
        return try IntelHexReader(bytes, name: name, boards: boards).read()
      }
    }
    if !forceRaw, UF2Reader.recognizes(bytes) { return try UF2Reader(bytes, name: name).read() }
    guard let address else {
      let what = forceRaw ? "a file taken as raw bytes" : "neither ELF, Intel HEX nor UF2, and a raw binary"
      throw .badInput("\(name): \(what) needs an address; give it as '-device loader,file=\(name),addr=0x…'")
    }
    guard !AddressRange(base: address, size: UInt64(bytes.count)).isCut else {
      throw .badInput(
        "\(name): \(bytes.count) bytes at 0x\(String(address, radix: 16)) reach beyond the end of the address space; "
          + "choose a lower address")
    }
    var image = Image()
    image.isRaw = true
    image.segments = [Image.Segment(address: address, bytes: bytes)]
    return image
  }
}
