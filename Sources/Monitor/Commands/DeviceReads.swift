// Owns `device reads`: whether debuggers read device registers as the guest does, side effects and all.

import Machine

extension Command {
  static let deviceReads = Command(
    "device reads", "[allow|refuse]", .look,
    "Whether debuggers may read registers whose reading has side effects ('refuse' at the start).",
    arguments: [.words(["allow", "refuse"])],
    .look { context throws(MonitorError) in
      switch context.arguments.words {
      case []: break
      case ["allow"]: context.machine.allowsDeviceReads = true
      case ["refuse"]: context.machine.allowsDeviceReads = false
      default: throw context.arguments.usage
      }
      let isAllowed = context.machine.allowsDeviceReads
      return .custom(
        ["reads of device registers with side effects are \(isAllowed ? "allowed" : "refused")"],
        .object([Field("allowed", .truth(isAllowed))]))
    })
}
