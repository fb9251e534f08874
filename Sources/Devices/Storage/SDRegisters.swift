// The registers of an SD memory card as it sends them, and the checksums of what goes over its bus.
//
// Source: SD Specifications Part 1, Physical Layer Simplified Specification 6.00, sections 4.5 (CRC), 5.2 (CID), 5.3.2
// (CSD version 1.0), 5.6 (SCR).

public enum SDRegisters {
  /// Bytes of the largest card of standard capacity.
  static let largest = 2 << 30

  /// The card's identification: no manufacturer's number, "ML", "CARD0", revision 1.0, serial number 1, January 2026.
  static let cid: [UInt8] = {
    let body: [UInt8] = [0] + Array("MLCARD0".utf8) + [0x10, 0, 0, 0, 1, 0x01, 0xA1]
    return body + [crc7(body) << 1 | 1]
  }()

  /// Card-specific data of a capacity in whole units of 512 KiB.
  static func csd(capacity: Int, isWriteProtected: Bool) -> [UInt8] {
    // Up to 1 GiB blocks have 2⁹ bytes, then 2¹⁰; sizes are counted in 2⁹ of them, the multiplier (7) and 2 more.
    let exponent: UInt64 = capacity > 1 << 30 ? 10 : 9
    let size = UInt64(capacity) >> (exponent + 9) - 1
    // High: access times, 25 MHz, classes 0, 2, 4 and 8, block length, partial reads, C_SIZE (its upper 10 bits).
    let high: UInt64 = 0x0026_0032_1150_8000 | exponent << 16 | size >> 2
    // Low: C_SIZE's last 2 bits, currents, multiplier, erasing by single blocks of 128, write speed, block length, the
    // write protection that software may change.
    var low = (size & 3) << 62 | 0x2DB7_FF80_0800_0000 | exponent << 22
    if isWriteProtected { low |= 1 << 12 }
    let body = bytes(high) + bytes(low).dropLast()
    return body + [crc7(body) << 1 | 1]
  }

  /// The SCR: specification 2.00, erased bytes are 0, one bit wide or four.
  static let configuration: [UInt8] = [0x02, 0x05, 0, 0, 0, 0, 0, 0]

  /// The SD status: nothing that matters in SPI mode.
  static let status = [UInt8](repeating: 0, count: 64)

  private static func bytes(_ word: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
  }

  /// x⁷ + x³ + 1, over commands and registers.
  public static func crc7(_ bytes: some Sequence<UInt8>) -> UInt8 {
    var crc: UInt8 = 0
    for byte in bytes {
      for bit in 0..<8 {
        let isOdd = (crc >> 6 ^ byte >> UInt8(7 - bit)) & 1 != 0
        crc = crc << 1 & 0x7F ^ (isOdd ? 0x09 : 0)
      }
    }
    return crc
  }

  /// x¹⁶ + x¹² + x⁵ + 1, over blocks of data.
  public static func crc16(_ bytes: some Sequence<UInt8>) -> UInt16 {
    var crc: UInt16 = 0
    for byte in bytes {
      crc ^= UInt16(byte) << 8
      for _ in 0..<8 { crc = crc & 0x8000 != 0 ? crc << 1 ^ 0x1021 : crc << 1 }
    }
    return crc
  }
}
