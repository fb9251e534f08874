// Owns the commands that keep and bring back the condition of the whole machine: savevm, loadvm, info snapshots.

import Machine

extension Command {
  static let saveSnapshot = Command(
    "savevm", [.text("NAME")], .monitor, "Keep a snapshot of the whole machine, in memory, under NAME.",
    .look { context throws(MonitorError) in
      try withSnapshotName(context) { name throws(MachineError) in try context.machine.saveSnapshot(named: name) }
    })

  static let loadSnapshot = Command(
    "loadvm", [.text("NAME")], .monitor, "Go back to a snapshot.",
    .look { context throws(MonitorError) in
      try withSnapshotName(context) { name throws(MachineError) in try context.machine.restoreSnapshot(named: name) }
    })

  static let infoSnapshots = Command(
    "info snapshots", [], .monitor, "Snapshots, with their virtual time in instructions.",
    .look { context in
      let kept = context.machine.snapshots.sorted { $0.key < $1.key }
      return .custom(
        kept.map { "\($0.key)  at \($0.value.ticks), \($0.value.memoryBytes) bytes of memory" },
        .list(kept.map { .text($0.key) }))
    })

  private static func withSnapshotName(
    _ context: Context, _ body: (String) throws(MachineError) -> Void
  ) throws(MonitorError) -> Listing {
    guard let name = context.arguments["NAME"] else { throw context.arguments.usage }
    do throws(MachineError) { try body(name) } catch { throw .refused(error.description) }
    return .empty
  }
}
