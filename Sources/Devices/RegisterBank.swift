// Peripherals most of whose registers hold what is written to them: the values stand in one array, by offset.

import Bits
import Bus

/// The values of a block of 32-bit registers.
public struct RegisterBank: Codable, Sendable, Equatable {
  private var words: [UInt32]

  /// Every declared register with its reset value.
  /// - Parameter end: how far it reaches at least, in bytes; what is not declared is 0.
  init<Owner>(_ table: RegisterTable<Owner>, through end: UInt64 = 0) {
    let registers = table.map.registers
    let end = max(end, registers.map { $0.offset + UInt64($0.count - 1) * $0.stride + 4 }.max() ?? 0)
    words = Array(repeating: 0, count: Int(end) / 4)
    for register in registers {
      for index in 0..<register.count {
        self[register.offset + UInt64(index) * register.stride] = UInt32(truncatingIfNeeded: register.resetValue)
      }
    }
  }

  /// The register at a byte offset, a multiple of 4; what lies past the last declared register is 0.
  subscript(offset: UInt64) -> UInt32 {
    get { offset / 4 < UInt64(words.count) ? words[Int(offset) / 4] : 0 }
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

  init<Owner>(_ table: RegisterTable<Owner>) { bank = RegisterBank(table) }
}

/// A device with a region of declared registers of 32 bits, kept in a bank where their rows do not say otherwise.
protocol BankDevice: RegisterDevice where State: BankState {}

extension BankDevice {
  var bank: RegisterBank {
    get { state.bank }
    set { state.bank = newValue }
  }

  public func held(at offset: UInt64) -> UInt32? { bank[offset] }
  public func hold(_ value: UInt32, at offset: UInt64) { bank[offset] = value }
}

extension RegisterDevice {
  /// The identification registers of Arm's PrimeCells: peripheral 4 to 7 and 0 to 3, component 0 to 3.
  static func identification(_ bytes: [UInt64]) -> Registers {
    bytes.enumerated().map { index, byte in
      let name = index < 8 ? "PID\((index + 4) % 8)" : "CID\(index - 8)"
      return Register(name, 0xFD0 + 4 * UInt64(index), .readOnly, reset: byte)
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
