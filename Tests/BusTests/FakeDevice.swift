// A device made of eight bytes, for tests of the bus.
import Bus

/// Remembers accesses; reading offset 4 counts as a side effect.
final class FakeDevice: MMIOTarget {
  var accesses: [String] = []
  var value: UInt64 = 0x1122_3344_5566_7788

  func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    accesses.append("r\(region).\(offset).\(size)")
    return (value >> (8 * offset)) & (size == 8 ? .max : (1 << UInt64(8 * size)) - 1)
  }
  func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    accesses.append("w\(region).\(offset).\(size)=\(String(value, radix: 16))")
  }
  func peek(region: Int, offset: UInt64, size: Int) -> UInt64? {
    offset >= 4 ? nil : (value >> (8 * offset)) & 0xff
  }
}
