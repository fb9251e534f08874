// Owns `device reads`: whether debuggers read device registers as the guest does, side effects and all.

import Machine

extension Command {
  static let deviceReads = Command(
    "device reads", [.words("RULE", "allow", "refuse").optional], .look,
    "Whether debuggers may read registers whose reading has side effects ('refuse' at the start).",
    .look { context throws(MonitorError) in
      if let rule = context.arguments["RULE"] { context.machine.allowsDeviceReads = rule == "allow" }
      let isAllowed = context.machine.allowsDeviceReads
      return .custom(
        ["reads of device registers with side effects are \(isAllowed ? "allowed" : "refused")"],
        .object([NamedValue("allowed", .truth(isAllowed))]))
    })
}
