// Owns the few encodings that the test programs are glued together with.

/// RISC-V base formats, by opcode and function codes.
enum Assembler {
  static func upper(_ opcode: UInt32, _ d: Int, _ value: Int) -> UInt32 {
    UInt32(truncatingIfNeeded: value) & 0xFFFF_F000 | UInt32(d) << 7 | opcode
  }
  static func immediate(_ opcode: UInt32, _ function: UInt32, _ d: Int, _ s: Int, _ value: Int) -> UInt32 {
    (UInt32(truncatingIfNeeded: value) & 0xFFF) << 20 | UInt32(s) << 15 | function << 12 | UInt32(d) << 7 | opcode
  }
  static func store(_ opcode: UInt32, _ function: UInt32, _ t: Int, _ s: Int, _ value: Int) -> UInt32 {
    let bits = UInt32(truncatingIfNeeded: value)
    return (bits >> 5 & 0x7F) << 25 | UInt32(t) << 20 | UInt32(s) << 15 | function << 12 | (bits & 31) << 7 | opcode
  }
  static func branchNotEqual(_ s: Int, _ t: Int, _ distance: Int) -> UInt32 {
    let bits = UInt32(truncatingIfNeeded: distance)
    let low = (bits >> 1 & 15) << 8 | (bits >> 11 & 1) << 7
    return (bits >> 12 & 1) << 31 | (bits >> 5 & 0x3F) << 25 | UInt32(t) << 20 | UInt32(s) << 15 | 1 << 12 | low | 0x63
  }
  static func jump(_ d: Int, _ distance: Int) -> UInt32 {
    let bits = UInt32(truncatingIfNeeded: distance)
    let high = (bits >> 20 & 1) << 31 | (bits >> 1 & 0x3FF) << 21
    return high | (bits >> 11 & 1) << 20 | (bits >> 12 & 0xFF) << 12 | UInt32(d) << 7 | 0x6F
  }
  /// `c.j`
  static func shortJump(_ distance: Int) -> UInt32 {
    let bits = UInt32(truncatingIfNeeded: distance)
    let high = (bits >> 11 & 1) << 12 | (bits >> 4 & 1) << 11 | (bits >> 8 & 3) << 9 | (bits >> 10 & 1) << 8
    let low = (bits >> 6 & 1) << 7 | (bits >> 7 & 1) << 6 | (bits >> 1 & 7) << 3 | (bits >> 5 & 1) << 2
    return 0xA001 | high | low
  }
  /// `rd` = a 31-bit address, in two instructions.
  static func address(_ d: Int, _ value: UInt64) -> [UInt32] {
    let value = Int(value)
    return [upper(0x37, d, value + 0x800), immediate(0x13, 0, d, d, value)]
  }
  static let nop: UInt32 = 0x13
  static let ebreak: UInt32 = 0x0010_0073
  static let ecall: UInt32 = 0x73
}
