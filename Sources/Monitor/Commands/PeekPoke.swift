// Owns `peek` and `poke`: one value of memory by width.

import Bits
import Machine

extension Command {
  static let peek = Command(
    "peek", [.space, .size, .address.rest], .look, "Read SIZE bytes without side effects.",
    .look { context throws(MonitorError) in
      let (isPhysical, size, address) = try parse(context)
      let memory = context.memory
      guard let value = memory.read(address, size: size, isPhysical: isPhysical) else {
        throw isPhysical
          ? .refused("\(address.hex0x()) cannot be read without side effects") : memory.unreadable(address)
      }
      return .custom([value.hex0x(digits: 2 * size)], .object([NamedValue("value", .hex(value, digits: 2 * size))]))
    })

  static let poke = Command(
    "poke", [.space, .size, .address, .number("VALUE").rest], .look,
    "Write SIZE bytes; a device gets a real write.",
    .look { context throws(MonitorError) in
      let (isPhysical, size, address) = try parse(context)
      guard let value = context.arguments.number("VALUE") else { throw context.arguments.usage }
      let bits = 8 * size
      guard value <= .mask(bits) || value.signExtended(from: bits) == Int64(bitPattern: value) else {
        throw .refused("\(value.hex0x()) does not fit into \(size) bytes")
      }
      try context.memory.write(address, size: size, value, isPhysical: isPhysical)
      return .empty
    })

  private static func parse(
    _ context: Context
  ) throws(MonitorError) -> (isPhysical: Bool, size: Int, address: UInt64) {
    guard let size = context.arguments["SIZE"].flatMap({ Int($0) }), let address = context.arguments.address else {
      throw context.arguments.usage
    }
    return (context.arguments["SPACE"] != nil, size, address)
  }
}

extension Parameter {
  fileprivate static var space: Parameter { .words("SPACE", "phys").optional }
  fileprivate static var size: Parameter { .words("SIZE", "1", "2", "4", "8") }
}
