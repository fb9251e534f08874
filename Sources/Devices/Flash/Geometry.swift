// The shape of a flash bank, and the query table that tells drivers about it.
//
// Source: JEDEC JESD68.01, section 2; Intel StrataFlash (J3) data sheet, tables 27 to 31.

extension CFIFlash {
  struct Geometry {
    /// The write buffer of a chip holds 2^9 bytes.
    static let bufferExponent: UInt8 = 9

    /// Bytes of a bus word, and of the part of it that one chip supplies.
    let bankWidth: Int
    let deviceWidth: Int
    /// Bytes of an erase block across all chips.
    let sectorSize: UInt64
    /// The query table of each chip, one entry per chip word.
    let query: [UInt8]

    init(bankWidth: Int, deviceWidth: Int, bankSize: UInt64, sectorSize: UInt64) {
      self.bankWidth = bankWidth
      self.deviceWidth = deviceWidth
      self.sectorSize = sectorSize
      let chips = UInt64(bankWidth / deviceWidth)
      let blocks = bankSize / sectorSize - 1
      let blockUnits = sectorSize / chips / 256
      let identification: [UInt8] = Array("QRY".utf8) + [1, 0, 0x31, 0, 0, 0, 0, 0]
      // Supply voltages in BCD, then times as powers of two: word, buffer, block, chip; typical, then maximum factors.
      let system: [UInt8] = [0x27, 0x36, 0, 0, 7, 7, 10, 0, 4, 4, 4, 0]
      let layout: [UInt8] = [
        UInt8((bankSize / chips).trailingZeroBitCount), deviceWidth == 1 ? 0 : 2, 0, Self.bufferExponent, 0, 1,
        UInt8(blocks & 0xff), UInt8(blocks >> 8), UInt8(blockUnits & 0xff), UInt8(truncatingIfNeeded: blockUnits >> 8),
      ]
      let primary: [UInt8] = Array("PRI10".utf8) + [UInt8](repeating: 0, count: 7) + [0x33, 0, 0]
      query = [UInt8](repeating: 0, count: 0x10) + identification + system + layout + primary
    }
  }
}
