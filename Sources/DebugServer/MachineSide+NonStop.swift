// Owns harts that run and halt each for itself: GDB's non-stop mode, on the machine's thread.

import GDBRemote
import Machine

extension MachineSide {
  /// Harts are as they are; `report` is called for each that stops from now on.
  func beginNonStop(_ machine: Machine, report: @escaping (StopReport) -> Void) {
    threads.hideTasks(true)
    let last = hart
    hartStops = machine.engine.vcpus.indices.map { number in
      machine.isRunning ? nil : stop(number, number == last ? .trap : .none, .signal, machine)
    }
    hart = last
    machine.beginNonStop { [weak self, unowned machine] hart, event in
      guard let self else { return }
      let news = self.report(event, machine)
      guard case .stopped(let stop) = news.reason, self.note(stop, of: hart) else { return }
      report(news)
    }
  }

  func endNonStop(_ machine: Machine) {
    machine.endNonStop()
    threads.hideTasks(false)
    hartStops = []
  }

  func resume(_ hart: Int, _ request: HartRequest, _ machine: Machine) {
    guard hartStops.indices.contains(hart) else { return }
    hartStops[hart] = nil
    machine.resume(hart: hart, request)
  }

  /// Halts a hart that runs, with a signal.
  /// - Returns: what to tell the client, if it is news.
  func hold(_ hart: Int, _ signal: Signal, _ machine: Machine) -> StopReport? {
    let stop = stop(hart, signal, .signal, machine)
    guard note(stop, of: hart) else { return nil }
    _ = machine.hold(hart: hart)
    return StopReport(reason: .stopped(stop))
  }

  /// The hart that answers an interrupt; none of `others`.
  func firstRunningHart(but others: Set<Int>) -> Int? {
    hartStops.indices.first { hartStops[$0] == nil && !others.contains($0) }
  }

  /// What a stop of the whole machine is to the client: the end of its guest, or a stop of each hart that ran.
  func reportAll(_ event: StopEvent, _ machine: Machine) -> [StopReport] {
    // The client has been told of it, as the stop of one hart.
    guard event.hart == nil else { return [] }
    let whole = report(event, machine)
    guard case .stopped(let stop) = whole.reason else { return [whole] }
    return hartStops.indices.filter { hartStops[$0] == nil }.compactMap { hold($0, stop.signal, machine) }
  }

  private func note(_ stop: Stop, of hart: Int) -> Bool {
    guard hartStops.indices.contains(hart) else { return false }
    defer { hartStops[hart] = stop }
    return hartStops[hart] == nil
  }
}
