// Owns `pass` and `retranslate`: the optimiser's passes, on and off, everywhere or for a range of code.

import Bits
import Engine
import Machine

extension Command {
  private static let name = Parameter("NAME|all", .pass)
  private static let place = Parameter("IN", .words(["in"])).optional.then(.address, .number("LENGTH").optional)

  static let passList = Command(
    "pass list", [], .ir, "The optimiser's passes in their order.",
    .look { context throws(MonitorError) in list(context) })

  static let passOff = Command(
    "pass off", [name, place], .ir, "Switch a pass off, for a function or a range or for all, and drop such code.",
    .look { context throws(MonitorError) in try set(context, isOn: false) })

  static let passOn = Command(
    "pass on", [name, place], .ir, "Switch a pass on again.",
    .look { context throws(MonitorError) in try set(context, isOn: true) })

  static let retranslate = Command(
    "retranslate", [.code(), .words("TIER", "quick", "thorough").optional], .ir,
    "Drop the blocks at ADDR, and translate the code there again now.",
    .look { context throws(MonitorError) in
      guard let address = context.arguments.address else { throw context.arguments.usage }
      let engine = context.machine.engine
      let tier: Tier = context.arguments["TIER"] == "quick" ? .quick : .thorough
      guard let id = engine.retranslate(context.vcpu, at: address, tier) else {
        throw context.memory.unreadable(address)
      }
      let size = engine.store[id].compiled.size
      return .custom(
        ["block #\(id) at \(context.memory.addressText(address)), \(tier) tier, \(size) host bytes"],
        .object([
          NamedValue("id", .count(id)), NamedValue("address", context.memory.address(address)),
          NamedValue("tier", .text("\(tier)")), NamedValue("host bytes", .count(size)),
        ]))
    })

  private static func list(_ context: Context) -> Listing {
    let engine = context.machine.engine
    return .table(
      [.left("pass"), .left("state"), .left("off for")],
      engine.passes.map { pass in
        let ranges = engine.localPasses.filter { $0.names.contains(pass.name) }
          .map { "\($0.range.lowerBound.hex0x())–\($0.range.upperBound.hex0x())" }
        return [
          .text(pass.name), .text(pass.isOn ? "on" : "off"),
          ranges.isEmpty ? .nothing : .text(ranges.joined(separator: ", ")),
        ]
      })
  }

  private static func set(_ context: Context, isOn: Bool) throws(MonitorError) -> Listing {
    guard let name = context.arguments["NAME|all"] else { throw context.arguments.usage }
    let engine = context.machine.engine
    let range = try context.codeRange()
    for pass in name == "all" ? engine.passes.map(\.name) : [name] {
      guard engine.setPass(pass, isOn: isOn, in: range) else {
        throw .refused("no pass '\(name)'; 'pass list' names them")
      }
    }
    return list(context)
  }
}

extension Context {
  /// `ADDR [LENGTH]`; without a length what a symbol covers, or one byte. Nil without an address.
  func codeRange() throws(MonitorError) -> ClosedRange<UInt64>? {
    guard let word = arguments["ADDR"], let address = arguments.address else { return nil }
    let symbol = try memory.symbol(named: word)
    let length = arguments.number("LENGTH") ?? symbol.map { max(1, $0.size) } ?? 1
    let (last, overflow) = address.addingReportingOverflow(length &- 1)
    guard length > 0, !overflow else { throw .refused("no \(length) bytes are at \(address.hex0x())") }
    return address...last
  }
}
