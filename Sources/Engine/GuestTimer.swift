// Owns the timer of a vCPU: the one time that its guest has asked for, kept as an event of the machine, so that waiting vCPUs,
// rounds and snapshots know of it as of any other.

import Bus
import GuestKit

extension VCPU {
  /// The number that the event goes by; those of devices count from 0 up.
  private var eventNumber: Int { .max - number }

  /// Has the guest told when the platform's counter has come to `time`, and no more of what it asked for before.
  func startTimer(at time: UInt64) {
    progress.timer = time
    renewTimer()
  }

  /// Sets the event anew: the guest has asked, or the counter runs otherwise now.
  func renewTimer() {
    engine.events.cancel(device: eventNumber, token: 0)
    guard progress.timer != .max, timerHardware != nil else { return }
    let due =
      clock.counter.map {
        VirtualClock.nanoseconds(ticks: progress.timer &- min($0.offset, progress.timer), frequency: $0.frequency)
      } ?? progress.timer
    if due != .max { engine.events.schedule(at: due, device: eventNumber, token: 0) }
  }

  /// Tells the guest, if the event is this vCPU's.
  func takeTimer(_ event: Event) {
    guard event.device == eventNumber else { return }
    progress.timer = .max
    timerHardware?.timeReached(state)
    kick()
  }
}

extension Engine {
  /// An event of the queue has come due that is no device's.
  public func take(_ event: Event) { for vcpu in vcpus { vcpu.takeTimer(event) } }
}
