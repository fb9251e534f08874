// Owns `svd`: the registers of the user's SVD file, by peripheral, with what they hold.

import Bits
import Bus
import Machine
import SVD

extension Command {
  static let registerDescription = Command(
    "svd", "[PERIPHERAL[.REGISTER]]", .look, "Registers by the names of the SVD file (--svd), else of the models.",
    .look { context throws(MonitorError) in
      let names = context.machine.registerNames ?? context.machine.modelledRegisters
      guard let word = context.arguments[0] else { return .peripherals(names, context.machine) }
      let parts = word.split(separator: ".", maxSplits: 1).map(String.init)
      guard let part = parts.first.flatMap({ names.peripheral($0) }) else {
        throw .refused("no peripheral '\(word)'; 'svd' lists them")
      }
      guard parts.count > 1 else { return .registers(part, part.registers, context.machine) }
      let wanted = parts[1].lowercased()
      guard let register = part.registers.first(where: { $0.name.lowercased() == wanted }) else {
        throw .refused("\(part.name) has no register '\(parts[1])'; 'svd \(part.name)' lists them")
      }
      return .fields(part, register, context.machine)
    })
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
            Field("name", .text(part.name)), Field("base", .hex(part.base, digits: 8)),
            Field("model", .text(model(part, machine))), Field("summary", .text(part.summary)),
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
    _ part: RegisterDescription.Peripheral, _ registers: [Register], _ machine: Machine
  ) -> Listing {
    var rows: [(name: String, offset: UInt64, register: Register, value: UInt64?)] = []
    for register in registers {
      for index in 0..<min(register.count, 64) {
        let offset = register.offset + UInt64(index) * register.stride
        let value = register.access == .writeOnly ? nil : machine.space.peek(part.base + offset, size: register.width)
        rows.append((register.name(at: index), offset, register, value))
      }
    }
    let width = rows.map(\.name.count).max() ?? 0
    let lines = rows.map { row in
      let value = row.value?.hex0x(digits: 2 * row.register.width) ?? Self.silence(row.register)
      return trimmed(
        padded(row.name, width) + "  +" + padded(row.offset.hex0x(), 6) + "  " + padded(value, 10) + "  "
          + (row.value.map { row.register.fieldText($0) } ?? ""))
    }
    return .custom(
      ["\(part.name) at \(part.base.hex0x())" + (part.summary.isEmpty ? "" : ": " + part.summary)] + lines,
      .object(
        rows.map { row in
          Field(row.name, row.value.map { .hex($0, digits: 2 * row.register.width) } ?? .nothing)
        }))
  }

  private static func silence(_ register: Register) -> String {
    register.access == .writeOnly ? "(write only)" : "(no value without a side effect)"
  }

  fileprivate static func fields(
    _ part: RegisterDescription.Peripheral, _ register: Register, _ machine: Machine
  ) -> Listing {
    let value =
      register.access == .writeOnly ? nil : machine.space.peek(part.base + register.offset, size: register.width)
    let first =
      "\(part.name).\(register.name) at \((part.base + register.offset).hex0x()): "
      + (value?.hex0x(digits: 2 * register.width) ?? silence(register))
    let width = register.fields.map(\.name.count).max() ?? 0
    let lines = register.fields.map { field in
      let bits =
        field.bits.count == 1 ? "\(field.bits.lowerBound)" : "\(field.bits.upperBound - 1):\(field.bits.lowerBound)"
      return trimmed(
        "  " + padded("[\(bits)]", 7) + "  " + padded(field.name, width) + "  "
          + (value?.bits(field.bits).hex0x() ?? ""))
    }
    return .custom(
      [first] + lines,
      .object(
        [Field("value", value.map { .hex($0, digits: 2 * register.width) } ?? .nothing)]
          + register.fields.map { field in
            Field(field.name, value.map { .hex($0.bits(field.bits), digits: 1) } ?? .nothing)
          }))
  }
}
