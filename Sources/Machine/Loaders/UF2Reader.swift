// Owns the UF2 format: Microsoft, "USB Flashing Format (UF2)" (github.com/microsoft/uf2), section "File format".

import Bus

/// Reads the data of one UF2 file: blocks of 512 bytes, each with an address and up to 476 bytes for it.
struct UF2Reader {
  private let bytes: [UInt8]
  private let name: String
  private static let blockSize = 512
  private static let mostData = 476

  static func recognizes(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0x55, 0x46, 0x32, 0x0A]) }

  init(_ bytes: [UInt8], name: String) {
    self.bytes = bytes
    self.name = name
  }

  consuming func read() throws(MachineError) -> Image {
    var image = Image()
    var family: UInt32?
    guard bytes.count % Self.blockSize == 0 else {
      throw failure(bytes.count / Self.blockSize, "it has only \(bytes.count % Self.blockSize) of its 512 bytes")
    }
    for block in 0..<bytes.count / Self.blockSize {
      let start = block * Self.blockSize
      guard word(start) == 0x0A32_4655, word(start + 4) == 0x9E5D_5157, word(start + 508) == 0x0AB1_6F30 else {
        throw failure(block, "its magic numbers are not those of UF2")
      }
      let (flags, size) = (word(start + 8), Int(word(start + 16)))
      guard size <= Self.mostData else {
        throw failure(block, "it announces \(size) bytes, and \(Self.mostData) are the most")
      }
      // Not for main flash, or a file that only travels in it.
      if flags & 0x1001 != 0 { continue }
      if flags & 0x2000 != 0 {
        let own = word(start + 28)
        guard family == nil || family == own else {
          throw failure(block, "it is for another family of chips than those before; make a file for one of them")
        }
        family = own
      }
      let range = AddressRange(base: UInt64(word(start + 12)), size: UInt64(size))
      guard range.last <= 0xFFFF_FFFF else { throw failure(block, "it goes beyond the end of the address space") }
      image.append(bytes[start + 32..<start + 32 + size], at: range.base)
    }
    guard !image.segments.isEmpty else { throw .badInput("\(name): a UF2 file without anything for flash memory") }
    return image
  }

  private func word(_ offset: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << (8 * UInt32($1)) }
  }

  private func failure(_ block: Int, _ text: String) -> MachineError {
    .badInput("\(name): broken UF2 file, block \(block): \(text)")
  }
}
