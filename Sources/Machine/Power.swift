// Owns requests of the guest to switch the machine off or restart it.

import Bus
import Engine

/// Notes what devices ask for until the scheduler looks.
final class PowerController: MachineControl {
  enum Request { case off(Int32), reset }
  private var request: Request?
  /// Not weak: a weak reference to an object slows down all use of it.
  unowned var engine: Engine?

  func powerOff(exitCode: Int32) { note(.off(exitCode)) }
  func reset() { note(.reset) }

  private func note(_ request: Request) {
    self.request = request
    engine?.kick()
    engine?.requestStop()
  }

  func take() -> Request? {
    defer { request = nil }
    return request
  }
}

extension Machine {
  /// Back to power-on: vCPUs, devices, and the boot images in memory; time goes on.
  public func resetHard() {
    events.restore(EventQueue.State())
    for (_, device) in devices { device.reset() }
    for line in interruptLines { line.restore(level: false) }
    engine.flush()
    loadBoot()
    nextHart = 0
    hasPassedTurn = false
    isRoundOver = true
    if !isRunning { lastStop = .requested }
    cutCalls()
  }
}
