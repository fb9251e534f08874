// Owns `peek` and `poke`: one value of memory by width.

import Bits
import Machine

extension Command {
  static let peek = Command(
    "peek", "[phys] SIZE ADDR", .look, "Read SIZE (1, 2, 4, 8) bytes without side effects.",
    arguments: [.words(["phys", "1", "2", "4", "8"]), .address],
    .look { context throws(MonitorError) in
      let (isPhysical, size, words) = try parse(context, least: 1)
      let address = try context.address(words.joined(separator: " "))
      let memory = context.memory
      guard let value = memory.read(address, size: size, isPhysical: isPhysical) else {
        throw isPhysical
          ? .refused("\(address.hex0x()) cannot be read without side effects") : memory.unreadable(address)
      }
      return .custom([value.hex0x(digits: 2 * size)], .object([Field("value", .hex(value, digits: 2 * size))]))
    })

  static let poke = Command(
    "poke", "[phys] SIZE ADDR VALUE", .look, "Write SIZE (1, 2, 4, 8) bytes; a device gets a real write.",
    arguments: [.words(["phys", "1", "2", "4", "8"]), .address],
    .look { context throws(MonitorError) in
      let (isPhysical, size, words) = try parse(context, least: 2)
      let address = try context.address(words[0])
      let value = try context.evaluate(words[1...].joined(separator: " "))
      try context.memory.write(address, size: size, value, isPhysical: isPhysical)
      return .empty
    })

  private static func parse(
    _ context: Context, least: Int
  ) throws(MonitorError) -> (isPhysical: Bool, size: Int, rest: [String]) {
    var words = context.arguments.words[...]
    let isPhysical = words.first == "phys"
    if isPhysical { words = words.dropFirst() }
    guard let size = words.first.flatMap({ Int($0) }), [1, 2, 4, 8].contains(size), words.count > least else {
      throw context.arguments.usage
    }
    return (isPhysical, size, Array(words.dropFirst()))
  }
}
