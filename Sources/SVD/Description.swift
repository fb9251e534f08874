// Owns what a register description says: peripherals at addresses, with registers and their fields.

import Bits
import Bus

/// Why a file is no register description, and where.
public struct SVDError: Error, Equatable, Sendable, CustomStringConvertible {
  /// From 1.
  public var line: Int
  public var message: String
  /// Not an odd element, but more than this program takes.
  var isFatal = false

  public init(line: Int, message: String) {
    self.line = line
    self.message = message
  }

  init(line: Int, message: String, isFatal: Bool) {
    self.init(line: line, message: message)
    self.isFatal = isFatal
  }

  public var description: String { "line \(line): \(message)" }
}

/// The registers of a chip, as a CMSIS-SVD file (System View Description) has them; arrays, clusters and derivations are
/// written out.
public struct RegisterDescription: Sendable, Equatable {
  public struct Peripheral: Sendable, Equatable {
    public var name: String
    public var base: UInt64
    /// Bytes, of its address blocks or to the end of its last register.
    public var size: UInt64
    public var summary: String
    /// By ascending offset.
    public let registers: [RegisterInfo]
    /// Bytes of the widest of them.
    private let widest: UInt64

    public init(name: String, base: UInt64, size: UInt64, summary: String = "", registers: [RegisterInfo]) {
      self.name = name
      self.base = base
      self.size = size
      self.summary = summary
      self.registers = registers
      widest = UInt64(registers.map(\.width).max() ?? 0)
    }

    /// The register that contains the byte at `offset`; of several at one place, one that permits the access.
    public func register(at offset: UInt64, isWrite: Bool = false) -> RegisterInfo? {
      var low = 0
      var high = registers.count
      while low < high {
        let middle = (low + high) / 2
        if registers[middle].offset <= offset { low = middle + 1 } else { high = middle }
      }
      var found: RegisterInfo?
      for register in registers[..<low].reversed() {
        guard offset - register.offset < widest else { break }
        guard offset - register.offset < UInt64(register.width) else { continue }
        if register.access != (isWrite ? .readOnly : .writeOnly) { return register }
        found = found ?? register
      }
      return found
    }
  }

  public var name: String
  /// By ascending base.
  public private(set) var peripherals: [Peripheral]
  /// What a file says and what is left out of the above, by line.
  public private(set) var problems: [SVDError]

  public init(name: String, peripherals: [Peripheral], problems: [SVDError] = []) {
    self.name = name
    self.problems = problems
    self.peripherals = peripherals.sorted { ($0.base, $0.name) < ($1.base, $1.name) }
  }

  /// The peripherals that a word means: its name in any case.
  public func peripheral(_ name: String) -> Peripheral? {
    peripherals.first { $0.name == name } ?? peripherals.first { $0.name.lowercased() == name.lowercased() }
  }

  /// What an address is called.
  public func find(_ address: UInt64, isWrite: Bool = false) -> (peripheral: Peripheral, register: RegisterInfo?)? {
    var best: (peripheral: Peripheral, register: RegisterInfo?)?
    for peripheral in peripherals {
      guard peripheral.base <= address else { break }
      guard address - peripheral.base < peripheral.size else { continue }
      let register = peripheral.register(at: address - peripheral.base, isWrite: isWrite)
      if register != nil { return (peripheral, register) }
      best = best ?? (peripheral, nil)
    }
    return best
  }

  /// `RCC.CR`, with the byte behind it within a wider register, or only `RCC` where it has no register.
  public func label(_ address: UInt64, isWrite: Bool = false) -> String? {
    guard let (peripheral, register) = find(address, isWrite: isWrite) else { return nil }
    guard let register else { return peripheral.name }
    let byte = address - peripheral.base - register.offset
    return "\(peripheral.name).\(register.name)" + (byte == 0 ? "" : "+\(byte)")
  }
}

extension RegisterInfo {
  /// The fields that are not zero in a value, such as `HSION HPRE=0x9`.
  /// Fields above bit 63 are left out.
  public func fieldText(_ value: UInt64) -> String {
    fields.filter { $0.kind != .reserved && $0.bits.upperBound <= 64 && value.bits($0.bits) != 0 }.map { field in
      field.bits.count == 1 ? field.name : "\(field.name)=\(value.bits(field.bits).hex0x())"
    }.joined(separator: " ")
  }
}
