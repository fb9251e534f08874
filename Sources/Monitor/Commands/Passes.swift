// Owns `pass`: the optimiser's passes, on and off.

import Engine
import Machine

extension Command {
  static let passList = Command(
    "pass list", [], .ir, "The optimiser's passes in their order.",
    .look { context throws(MonitorError) in list(context) })

  static let passOff = Command(
    "pass off", [Parameter("NAME|all", .pass)], .ir, "Switch a pass off and drop translated code.",
    .look { context throws(MonitorError) in try set(context, isOn: false) })

  static let passOn = Command(
    "pass on", [Parameter("NAME|all", .pass)], .ir, "Switch a pass on again.",
    .look { context throws(MonitorError) in try set(context, isOn: true) })

  private static func list(_ context: Context) -> Listing {
    .table(
      [.left("pass"), .left("state")],
      context.machine.engine.passes.map { [.text($0.name), .text($0.isOn ? "on" : "off")] })
  }

  private static func set(_ context: Context, isOn: Bool) throws(MonitorError) -> Listing {
    guard let name = context.arguments["NAME|all"] else { throw context.arguments.usage }
    let engine = context.machine.engine
    for pass in name == "all" ? engine.passes.map(\.name) : [name] {
      guard engine.setPass(pass, isOn: isOn) else {
        throw .refused("no pass '\(name)'; 'pass list' names them")
      }
    }
    return list(context)
  }
}
