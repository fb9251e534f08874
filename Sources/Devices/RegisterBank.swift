// Peripherals most of whose registers hold what is written to them: the values stand in one array, by offset.

import Bits
import Bus

/// The values of a block of 32-bit registers.
public struct RegisterBank: Codable, Sendable, Equatable {
  private var words: [UInt32]

  /// Every declared register with its reset value.
  /// - Parameter end: how far it reaches at least, in bytes; what is not declared is 0.
  init(_ map: RegisterMap, through end: UInt64 = 0) {
    let end = max(end, map.registers.map { $0.offset + UInt64($0.count - 1) * $0.stride + 4 }.max() ?? 0)
    words = Array(repeating: 0, count: Int(end) / 4)
    for register in map.registers {
      for index in 0..<register.count {
        self[register.offset + UInt64(index) * register.stride] = UInt32(truncatingIfNeeded: register.resetValue)
      }
    }
  }

  /// The register at a byte offset, a multiple of 4 below the end of the last declared register.
  subscript(offset: UInt64) -> UInt32 {
    get { words[Int(offset) / 4] }
    set { words[Int(offset) / 4] = newValue }
  }
}

/// A state that has a bank in it.
protocol BankState {
  var bank: RegisterBank { get set }
}

/// The state of a device that has nothing beside its registers.
public struct PlainBank: BankState, Codable, Sendable, Equatable {
  var bank: RegisterBank

  init(_ map: RegisterMap) { bank = RegisterBank(map) }
}

/// A device with one region of declared registers, all 32 bits wide, kept in a bank. What is special about a register
/// stands in `load` and `store`; the rest is storage. Registers declared with fields keep only the bits of those.
protocol BankDevice: Device where State: BankState {
  var unimplemented: UnimplementedLog { get set }
  /// The value of the register at `offset`; with side effects unless this is a peek.
  func load(_ offset: UInt64, isPeek: Bool) -> UInt32
  /// The register at `offset` was written. A narrow write comes completed with what the bank holds.
  func store(_ value: UInt32, at offset: UInt64)
}

extension BankDevice {
  var bank: RegisterBank {
    get { state.bank }
    set { state.bank = newValue }
  }

  func load(_ offset: UInt64, isPeek: Bool) -> UInt32 { bank[offset] }
  func store(_ value: UInt32, at offset: UInt64) { bank[offset] = value }

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    guard let match = registers[0].match(offset, isWrite: false) else {
      // Registers that are only written read as 0.
      if registers[0].match(offset, isWrite: true) == nil {
        unimplemented.unknown(offset: offset, isWrite: false, of: context)
      }
      return 0
    }
    return match.extract(UInt64(load(offset & ~3, isPeek: false)), size: size)
  }

  public func peek(region: Int, offset: UInt64, size: Int) -> UInt64? {
    guard region == 0, let match = registers[0].match(offset, isWrite: false) else { return nil }
    return match.extract(UInt64(load(offset & ~3, isPeek: true)), size: size)
  }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    guard let match = registers[0].match(offset, isWrite: true) else {
      if let match = registers[0].match(offset, isWrite: false) {
        return unimplemented.once("a write to \(match.register.name(at: match.index)), which is read-only", context)
      }
      return unimplemented.unknown(offset: offset, isWrite: true, of: context)
    }
    let word = match.insert(value, size: size, into: UInt64(bank[offset & ~3]))
    unimplemented.write(word, to: match, of: context)
    store(UInt32(truncatingIfNeeded: word) & match.register.mask, at: offset & ~3)
  }
}

extension Register {
  /// The bits that exist.
  var mask: UInt32 {
    guard !fields.isEmpty else { return .max }
    return fields.reduce(0) { mask, field in
      field.kind == .reserved
        ? mask : mask | UInt32(truncatingIfNeeded: UInt64.mask(field.bits.count) << UInt64(field.bits.lowerBound))
    }
  }
}

extension UInt32 {
  /// Whether a bit is set.
  func has(_ bit: Int) -> Bool { self >> UInt32(bit) & 1 != 0 }

  /// This number with one bit set or cleared.
  func setting(_ bit: Int, to value: Bool) -> UInt32 { value ? self | 1 << UInt32(bit) : self & ~(1 << UInt32(bit)) }

  /// `count` bits from `first` on, as a number.
  func field(_ first: Int, _ count: Int) -> UInt32 { self >> UInt32(first) & (1 << UInt32(count) &- 1) }
}
