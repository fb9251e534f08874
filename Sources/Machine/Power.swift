// Owns requests of the guest to switch the machine off or restart it.

import Bus
import Engine

/// Notes what devices ask for until the scheduler looks.
final class PowerController: MachineControl {
  enum Request { case off(Int32), reset(ResetCause) }
  private var request: Request?
  /// Not weak: a weak reference to an object slows down all use of it.
  unowned var engine: Engine?

  func powerOff(exitCode: Int32) { note(.off(exitCode)) }
  func reset(_ cause: ResetCause) { note(.reset(cause)) }

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
  /// Resets vCPUs and devices; time goes on. RAM keeps its contents but at power-on.
  ///
  /// - Parameter loadsImages: whether the boot images are copied into memory once more. They are in any case at power-on,
  ///   and on boards whose firmware is in RAM with nothing to put it there; a microcontroller finds in its flash memory
  ///   what it has put there.
  public func reset(_ cause: ResetCause, loadsImages: Bool = false) {
    noteChange()
    restart(cause, loadsImages: loadsImages)
  }

  /// As ``reset(_:loadsImages:)``, by the guest itself.
  func restart(_ cause: ResetCause, loadsImages: Bool = false) {
    events.restore(EventQueue.State())
    for line in interruptLines { line.set(false) }
    // A device may raise its interrupt at once: those that take interrupts come first.
    for (_, device) in devices where device is any IRQSink { device.reset(cause) }
    for (_, device) in devices where !(device is any IRQSink) { device.reset(cause) }
    if cause == .powerOn { clearMemory() }
    engine.flush()
    startVCPUs(loadsImages: loadsImages || cause == .powerOn || devicetreeBoot != nil)
    round.finish()
    if !isRunning { lastStop = .requested }
    cutCalls()
  }

  private func clearMemory() {
    for memory in memories where !isFlash(memory) {
      for range in memory.populatedRanges() {
        do throws(MemoryError) { try memory.discard(range) } catch { return halt(.failed("clearing memory: \(error)")) }
      }
    }
  }

  private func isFlash(_ memory: RAMRegion) -> Bool {
    devices.contains { entry in (0..<8).contains { entry.device.memory(region: $0) === memory } }
  }
}
