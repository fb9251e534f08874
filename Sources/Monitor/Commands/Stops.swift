// Owns `stops`: how long the running guest takes to stop, and what that costs its chains.

import Glibc
import Machine

extension Command {
  static let stops = Command(
    "stops", [.count.optional], .blocks,
    "Let the guest run, ask it to stop COUNT times at random moments, and show how long it takes (--interrupts chooses how).",
    .control { monitor, arguments, run throws(MonitorError) in
      let count = arguments.count(else: 1000)
      let wasRunning = monitor.machine.perform(\.isRunning)
      monitor.machine.resume(.run)
      defer { if !wasRunning { monitor.machine.stop() } }
      _ = try monitor.perform { $0.engine.takeStopLatencies() }
      for number in 0..<count {
        if run.isCancelled { break }
        // Steps of a golden ratio: no period of the guest's is met.
        usleep(UInt32(200 + (number &* 618_034) % 1000))
        monitor.machine.engine.requestMeasuredStop()
      }
      usleep(20_000)
      return CommandResult(
        listing: try monitor.perform { machine in
          let engine = machine.engine
          let latencies = engine.takeStopLatencies().sorted()
          let chains = engine.code.chainCount
          let cut = engine.host.loopChainCount
          func percentile(_ share: Int) -> Value {
            latencies.isEmpty ? .nothing : .number(latencies[(latencies.count - 1) * share / 100])
          }
          return .fields([
            NamedValue("strategy", .text(engine.options.interrupts.rawValue)),
            NamedValue("stops asked for", .count(count)),
            NamedValue("stops measured", .count(latencies.count)),
            NamedValue("median ns", percentile(50)),
            NamedValue("99th percentile ns", percentile(99)),
            NamedValue("longest ns", percentile(100)),
            NamedValue("chains", .count(chains)),
            NamedValue("chains a stop turns back", .count(cut)),
            NamedValue(
              "chains retained percent",
              .real(Double(chains - cut) / Double(max(1, chains)) * 100, decimals: 1)),
          ])
        })
    })
}
