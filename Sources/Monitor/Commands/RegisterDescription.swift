// Owns `svd`: the registers of the user's SVD file, by peripheral, with what they hold.

import Bits
import Bus
import Machine
import SVD

extension Command {
  static let registerDescription = Command(
    "svd", [.text("PERIPHERAL[.REGISTER]").optional], .look,
    "Registers by the names of the SVD file (--svd), else of the models.",
    .look { context throws(MonitorError) in
      let names = context.machine.registerNames ?? context.machine.modelledRegisters
      guard let word = context.arguments["PERIPHERAL[.REGISTER]"] else { return .peripherals(names, context.machine) }
      let parts = word.split(separator: ".", maxSplits: 1).map(String.init)
      guard let part = parts.first.flatMap({ names.peripheral($0) }) else {
        throw .refused("no peripheral '\(word)'; 'svd' lists them")
      }
      guard parts.count > 1 else { return .registers(part, part.registers, context.machine) }
      guard let (register, index) = part.element(parts[1]) else {
        throw .refused("\(part.name) has no register '\(parts[1])'; 'svd \(part.name)' lists them")
      }
      return .fields(part, register, index, context.machine)
    })
}

extension RegisterDescription.Peripheral {
  /// A register by its name, in any case; of several under one name `NAME[2]`, the first if no index is given.
  fileprivate func element(_ name: String) -> (RegisterInfo, Int)? {
    let wanted = name.lowercased()
    for register in registers where wanted.hasPrefix(register.name.lowercased()) {
      if wanted == register.name.lowercased() { return (register, 0) }
      for index in 0..<min(register.count, 1024) where register.name(at: index).lowercased() == wanted {
        return (register, index)
      }
    }
    return nil
  }
}

extension Listing {
  fileprivate static func peripherals(_ names: RegisterDescription, _ machine: Machine) -> Listing {
    let width = names.peripherals.map(\.name.count).max() ?? 0
    let digits = names.peripherals.map { $0.base.hex0x().count }.max() ?? 0
    let lines = names.peripherals.map { part in
      trimmed(
        padded(part.name, width) + "  " + padded(part.base.hex0x(), digits) + "  "
          + padded(model(part, machine), 10) + "  " + part.summary)
    }
    return .custom(
      lines,
      .list(
        names.peripherals.map { part in
          .object([
            NamedValue("name", .text(part.name)), NamedValue("base", .hex(part.base, digits: 8)),
            NamedValue("model", .text(model(part, machine))), NamedValue("summary", .text(part.summary)),
          ])
        }))
  }

  /// Who answers at a peripheral's address.
  private static func model(_ part: RegisterDescription.Peripheral, _ machine: Machine) -> String {
    switch machine.space.region(at: part.base)?.backing {
    case .device(let target, _), .romDevice(_, let target, _):
      // A stand-in serves no `compatible` of its own.
      return (target as? any Device).map { type(of: $0).compatible.isEmpty } == true ? "logged" : "modelled"
    case .ram, .rom: return "memory"
    case nil: return "nothing"
    }
  }

  fileprivate static func registers(
    _ part: RegisterDescription.Peripheral, _ registers: [RegisterInfo], _ machine: Machine
  ) -> Listing {
    var rows: [(name: String, offset: UInt64, register: RegisterInfo, value: RegisterValue?)] = []
    for register in registers {
      for index in 0..<min(register.count, 64) {
        let offset = register.offset + UInt64(index) * register.stride
        let value = RegisterValue(register, at: part.base &+ offset, machine.space)
        rows.append((register.name(at: index), offset, register, value))
      }
    }
    let width = rows.map(\.name.count).max() ?? 0
    let lines = rows.map { row in
      let value = row.value?.text ?? "(\(silence(row.register)))"
      return trimmed(
        padded(row.name, width) + "  +" + padded(row.offset.hex0x(), 6) + "  " + padded(value, 10) + "  "
          + (row.value.map { row.register.fieldText($0.low) } ?? ""))
    }
    return .custom(
      ["\(part.name) at \(part.base.hex0x())" + (part.summary.isEmpty ? "" : ": " + part.summary)] + lines,
      .object([
        NamedValue("name", .text(part.name)), NamedValue("base", .hex(part.base, digits: 8)),
        NamedValue("summary", .text(part.summary)),
        NamedValue(
          "registers", .list(rows.map { item($0.register, named: $0.name, at: $0.offset, $0.value) })),
      ]))
  }

  /// Why a register shows no value.
  private static func silence(_ register: RegisterInfo) -> String {
    register.access == .writeOnly ? "write only" : "no value without a side effect"
  }

  private static func bits(_ field: Field) -> String {
    field.bits.count == 1 ? "\(field.bits.lowerBound)" : "\(field.bits.upperBound - 1):\(field.bits.lowerBound)"
  }

  /// A register in JSON, with its fields.
  private static func item(
    _ register: RegisterInfo, named name: String, at offset: UInt64, _ value: RegisterValue?
  ) -> Value {
    .object([
      NamedValue("name", .text(name)), NamedValue("offset", .hex(offset)), NamedValue("value", value?.item ?? .nothing),
      NamedValue("silence", value == nil ? .text(silence(register)) : .nothing),
      NamedValue(
        "fields",
        .list(
          register.fields.filter { $0.kind != .reserved }.map { field in
            let part = value?[field.bits]
            let meaning = part.flatMap { part in part.isWide ? nil : field.name(of: part.low) }
            return .object([
              NamedValue("name", .text(field.name)), NamedValue("bits", .text(bits(field))),
              NamedValue("value", part?.field ?? .nothing),
              NamedValue("meaning", meaning.map { .text($0) } ?? .nothing),
            ])
          })),
    ])
  }

  fileprivate static func fields(
    _ part: RegisterDescription.Peripheral, _ register: RegisterInfo, _ index: Int, _ machine: Machine
  ) -> Listing {
    let offset = register.offset + UInt64(index) * register.stride
    let value = RegisterValue(register, at: part.base &+ offset, machine.space)
    let name = register.name(at: index)
    let first =
      "\(part.name).\(name) at \((part.base &+ offset).hex0x()): "
      + (value?.text ?? "(\(silence(register)))")
    let width = register.fields.map(\.name.count).max() ?? 0
    let lines = register.fields.map { field in
      let part = value?[field.bits]
      let name = part.flatMap { part in part.isWide ? nil : field.name(of: part.low) }
      return trimmed(
        "  " + padded("[\(bits(field))]", 7) + "  " + padded(field.name, width) + "  " + (part?.short ?? "")
          + (name.map { "  " + $0 } ?? ""))
    }
    return .custom([first] + lines, item(register, named: name, at: offset, value))
  }
}

/// What a register of any width holds.
private struct RegisterValue {
  /// Hexadecimal digits, the lowest first.
  private var nibbles: [UInt8] = []

  /// Nil where a value cannot be had without a side effect.
  init?(_ register: RegisterInfo, at address: UInt64, _ space: AddressSpace) {
    guard register.access != .writeOnly else { return nil }
    // Accesses have the sizes that buses have: a register of 24 bits is read as one of 32, a wider one word by word.
    let size = register.width > 8 ? 4 : [1, 1, 2, 4, 4, 8, 8, 8, 8][register.width]
    for offset in stride(from: 0, to: register.width, by: size) {
      guard let part = space.peek(address &+ UInt64(offset), size: size) else { return nil }
      for nibble in 0..<2 * size { nibbles.append(UInt8(part >> UInt64(4 * nibble) & 15)) }
    }
    nibbles.removeLast(nibbles.count - 2 * register.width)
  }

  private init(nibbles: [UInt8]) { self.nibbles = nibbles }

  /// The value of a field.
  subscript(bits: Range<Int>) -> RegisterValue {
    var result: [UInt8] = []
    for (index, bit) in bits.enumerated() {
      if index % 4 == 0 { result.append(0) }
      let digit = bit / 4 < nibbles.count ? nibbles[bit / 4] : 0
      result[index / 4] |= (digit >> UInt8(bit % 4) & 1) << UInt8(index % 4)
    }
    return RegisterValue(nibbles: result)
  }

  var isWide: Bool { nibbles.count > 16 }
  /// The lowest 64 bits.
  var low: UInt64 { nibbles.prefix(16).reversed().reduce(0) { $0 << 4 | UInt64($1) } }
  /// With all its digits.
  var text: String { "0x" + nibbles.reversed().map { String($0, radix: 16) }.joined() }
  var short: String { isWide ? text : low.hex0x() }
  /// As a register, and as a field, in JSON.
  var item: Value { isWide ? .text(text) : .hex(low, digits: nibbles.count) }
  var field: Value { isWide ? .text(text) : .hex(low, digits: 1) }
}
