// Owns how a running vCPU is made to come back where no instruction budget bounds its run: kicks from any thread, a timer
// for the deadline, and virtual time that follows the host's clock.
//
// The order that loses nothing: who wants something first notes what (a stop request, a kicked vCPU, time that has
// passed), then raises `pending`, then kicks the host, whose kick holds until it is taken back. The vCPU's thread, at an
// interrupt point, first lowers `pending`, then takes the host's kick back, then looks at what is wanted. Before it
// enters translated code it looks once more and kicks itself.

import Bits
import Glibc
import HostKit
import IR
import Synchronization

/// The kicks of an engine whose strategy is not `budget`.
final class Kicks: Sendable {
  let pending = StopFlag()
  private let host: KickableHost
  private let states: [VCPUState]
  let timer: DeadlineTimer

  init(_ host: any Host, _ states: [VCPUState]) {
    let kickable = KickableHost(host: host)
    self.host = kickable
    self.states = states
    let pending = pending
    timer = DeadlineTimer {
      pending.raise()
      for state in states { kickable.host.kick(state) }
    }
  }

  /// Makes every vCPU come back; from any thread.
  func kickAll() {
    pending.raise()
    for state in states { host.host.kick(state) }
  }

  func kick(_ state: VCPUState) {
    pending.raise()
    host.host.kick(state)
  }

  /// Takes kicks back, if there were any, for the vCPU that stands at an interrupt point.
  /// - Returns: whether there were.
  func acknowledge(_ state: VCPUState) -> Bool {
    guard pending.take() else { return false }
    host.host.endKick(state)
    return true
  }
}

/// Hosts are used by one thread, but for ``Host/kick(_:)``.
private struct KickableHost: @unchecked Sendable {
  let host: any Host
}

/// Calls a function on a thread of its own when a point on the host's monotonic clock is reached.
@safe final class DeadlineTimer: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private let fire: @Sendable () -> Void
  /// Nanoseconds; `.max` when nothing is to happen.
  private var due = UInt64.max
  /// Until when the thread sleeps.
  private var wakes = UInt64.max
  private var isStopped = false
  private var thread: pthread_t?

  init(_ fire: @escaping @Sendable () -> Void) {
    self.fire = fire
    unsafe mutex = .allocate(capacity: 1)
    unsafe condition = .allocate(capacity: 1)
    unsafe pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    unsafe pthread_condattr_init(&attributes)
    unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    unsafe pthread_cond_init(condition, &attributes)
  }

  deinit {
    unsafe pthread_mutex_destroy(mutex)
    unsafe pthread_cond_destroy(condition)
    unsafe mutex.deallocate()
    unsafe condition.deallocate()
  }

  private func locked<T>(_ body: () -> T) -> T {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return body()
  }

  /// Fires once at `time`, instead of at any time set before.
  func set(_ time: UInt64) {
    locked {
      due = time
      if thread == nil { start() }
      // A thread that wakes too early goes to sleep again: no need to tell it of a later time.
      if time < wakes { unsafe pthread_cond_signal(condition) }
    }
  }

  /// Ends the thread; nothing fires any more.
  func stop() {
    let running = locked { () -> pthread_t? in
      isStopped = true
      unsafe pthread_cond_signal(condition)
      return thread
    }
    if let running { pthread_join(running, nil) }
  }

  private func start() {
    var created = pthread_t()
    let argument = unsafe Unmanaged.passRetained(self).toOpaque()
    unsafe pthread_create(
      &created, nil,
      { argument in
        if let argument = unsafe argument {
          unsafe Unmanaged<DeadlineTimer>.fromOpaque(argument).takeRetainedValue().run()
        }
        return nil
      }, argument)
    thread = created
  }

  private func run() {
    unsafe pthread_mutex_lock(mutex)
    while !isStopped {
      if due == .max {
        wakes = .max
        unsafe pthread_cond_wait(condition, mutex)
      } else if due <= HostClock.nanoseconds {
        due = .max
        unsafe pthread_mutex_unlock(mutex)
        fire()
        unsafe pthread_mutex_lock(mutex)
      } else {
        wakes = due
        var time = timespec(tv_sec: Int(due / 1_000_000_000), tv_nsec: Int(due % 1_000_000_000))
        unsafe pthread_cond_timedwait(condition, mutex, &time)
      }
    }
    unsafe pthread_mutex_unlock(mutex)
  }
}

extension VCPU {
  /// Whether the vCPU is to come back at once.
  func isDue() -> Bool { progress.isKicked || runners.stopFlag.isRaised || now >= deadline }

  /// Ends the run that is on at `ticks`, if that is before its end.
  func shortenRun(to ticks: UInt64) {
    guard ticks < deadline else { return }
    deadline = ticks
    if kicks != nil { return setTimer() }
    shortenBudget(to: Int64(clamping: ticks) &- Int64(clamping: now))
  }

  /// Lets the timer end the run at its deadline, or have the vCPU come back for a sample before.
  func setTimer() {
    guard let kicks else { return }
    let sampleTime = options.tiers == .adaptive ? sampler.nextTime : .max
    guard deadline != .max else { return kicks.timer.set(sampleTime) }
    let now = now
    let distance = (deadline &- min(now, deadline)).multipliedReportingOverflow(by: clock.nanosecondsPerInstruction)
    let end = distance.overflow ? .max : HostClock.nanoseconds &+ min(distance.partialValue, 1 << 62)
    kicks.timer.set(min(end, sampleTime))
  }

  /// At an interrupt point: takes kicks back, before what they were for is looked at.
  func acknowledgeKicks() {
    guard let kicks, kicks.acknowledge(state) else { return }
    publish(mode)
    let now = HostClock.nanoseconds
    if now >= sampler.nextTime {
      sample()
      sampler.setNextTime(after: now)
    }
    if !isDue() { setTimer() }
  }
}

extension Engine {
  /// Asks the running vCPU to come back, and measures how long it takes; from any thread, one at a time.
  public func requestMeasuredStop() {
    runners.stopProbe.requested.store(HostClock.nanoseconds, ordering: .releasing)
    requestStop()
  }

  /// Nanoseconds from each ``requestMeasuredStop()`` to the moment the vCPU had come back; forgets them.
  public func takeStopLatencies() -> [UInt64] {
    defer { runners.stopProbe.latencies.removeAll() }
    return runners.stopProbe.latencies
  }
}
