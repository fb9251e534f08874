// Owns twins: machines of the same parts in the same condition, cut off from the world, to try things on.

import Engine
import HostKit

extension Machine {
  /// A machine of the same parts without files, consoles, debuggers and the user's clock. It takes over a snapshot of this one
  /// by ``restore(_:)``, and is used on one thread.
  ///
  /// - Parameter change: what is to be different.
  func makeTwin(_ change: (inout MachineConfiguration) -> Void) throws(MachineError) -> Machine {
    var configuration = configuration
    (configuration.kernel, configuration.bios, configuration.initrd) = (nil, "none", nil)
    configuration.loads = []
    configuration.semihostingRoot = nil
    configuration.semihostingTarget = .native
    configuration.realtime = nil
    configuration.timeline = nil
    configuration.instructionLimit = nil
    configuration.logItems = []
    // Time is to follow the guest alone.
    configuration.engine.interrupts = .budget
    configuration.engine.countsExecutions = false
    change(&configuration)
    let twin = try Machine.make(configuration, registry: registry, backends: []) { _, _ in }
    twin.boot = boot
    return twin
  }

  /// Runs on the calling thread until every hart has come to `ticks`, or the guest has ended.
  func run(to ticks: UInt64) {
    runLimit = ticks
    resume()
    while isRunning { runRounds(1) }
  }

  /// The time that all harts have come to.
  var ticks: UInt64 { engine.vcpus.map(\.ticks).min() ?? 0 }

  /// Whether it can run on.
  var hasEnded: Bool { lastStop != .requested }
}
