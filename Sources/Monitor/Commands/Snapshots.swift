// Owns the names of the snapshot commands, which are not there yet and say so.

import Machine

extension Command {
  static let saveSnapshot = Command(
    "savevm", "NAME", .monitor, "Save a snapshot (not implemented).",
    .look { _ throws(MonitorError) in throw .refused("savevm is not implemented") })

  static let loadSnapshot = Command(
    "loadvm", "NAME", .monitor, "Go back to a snapshot (not implemented).",
    .look { _ throws(MonitorError) in throw .refused("loadvm is not implemented") })
}
