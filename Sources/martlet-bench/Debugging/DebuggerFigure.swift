// Owns the figures of the group `rsp`: what a debugger waits for, by the host's clock.

import Foundation

/// One figure of a server: how it is measured, and what is wanted of Martlet's.
enum DebuggerFigure: String, CaseIterable {
  case step = "vCont;s, µs above an empty round trip"
  case hit = "z s Z c to a breakpoint, µs above four"
  case stepping = "stepi N in GDB, steps a second"
  case condition = "break f if n == K in GDB, misses a second"
  case tracepoint = "tracepoint of three values, hits a second"
  case hexadecimal = "memory read by m, MB a second"
  case binary = "memory read by x, MB a second"
  case busy = "Ctrl-C in a busy loop, ms, the worst"
  case wait = "Ctrl-C in WFI, ms, the worst"
  case type = "Ctrl-C in a read of the console, ms, the worst"
  case fault = "Ctrl-C in endless exceptions, ms, the worst"
  case monitor = "monitor step 1000000, s"

  /// What Martlet is to reach: at most, or for speeds at least. Of stepping it is 1.5 times what QEMU does.
  var wanted: Double? {
    switch self {
    case .step: 12
    case .hit: 30
    case .stepping: nil
    case .condition: 2e6
    case .tracepoint: 1e6
    case .hexadecimal, .binary: 1000
    case .busy, .wait, .type, .fault: 50
    case .monitor: 1
    }
  }

  /// Of the runs of the group, the worst counts and not the median.
  var isWorst: Bool { [.busy, .wait, .type, .fault].contains(self) }

  /// - Returns: nil where the server cannot do it.
  func measure(_ debuggee: Debuggee) throws(BenchError) -> Double? {
    switch self {
    case .step: return try Self.stepTime(debuggee)
    case .hit: return try Self.hitTime(debuggee)
    case .stepping:
      let count = debuggee.machine.isQEMU ? 5_000 : 50_000
      return try debuggee.figures(ofScript: "break visit\ncontinue\ndelete\ntimed it \(count) stepi \(count)")["it"]
    case .condition:
      let misses = debuggee.machine.isQEMU ? 2_000 : 10_000_000
      return try debuggee.figures(
        ofScript: """
          break visit
          continue
          delete
          eval "break visit if n == %lu", n + \(misses)
          timed it \(misses) continue
          """)["it"]
    case .tracepoint:
      if debuggee.machine.isQEMU { return nil }
      return try debuggee.figures(
        ofScript: """
          set circular-trace-buffer on
          break turn
          continue
          trace visit
          actions
            collect n, total, noise[5]
          end
          tstart
          timed it 0x100000 continue
          tstop
          """)["it"]
    case .hexadecimal: return try Self.readSpeed(debuggee, "m", charactersPerByte: 2)
    case .binary: return debuggee.machine.isQEMU ? nil : try Self.readSpeed(debuggee, "x", charactersPerByte: 1)
    case .busy: return try Self.longestStop(debuggee, "busy")
    case .wait: return try Self.longestStop(debuggee, "wait")
    case .type: return try Self.longestStop(debuggee, "type")
    case .fault: return try Self.longestStop(debuggee, "fault")
    case .monitor:
      if debuggee.machine.isQEMU { return nil }
      let connection = try debuggee.connection()
      let command = "step 1000000".utf8.map { String($0, radix: 16) }.joined()
      return try Self.seconds { () throws(BenchError) in
        try connection.send("qRcmd," + command)
        while try connection.answer() != "OK" {}
      }
    }
  }

  private static let trips = 2_000

  private static func stepTime(_ debuggee: Debuggee) throws(BenchError) -> Double? {
    let connection = try debuggee.connection()
    return try timeAboveEmptyTrips(1, connection) { () throws(BenchError) in try connection.run("vCont;s") }
  }

  private static func hitTime(_ debuggee: Debuggee) throws(BenchError) -> Double? {
    let connection = try debuggee.connection()
    let point = try debuggee.address("visit")
    _ = try connection.ask("Z0,\(point),4")
    return try timeAboveEmptyTrips(4, connection) { () throws(BenchError) in
      _ = try connection.ask("z0,\(point),4")
      try connection.run("vCont;s")
      _ = try connection.ask("Z0,\(point),4")
      try connection.run("vCont;c")
    }
  }

  /// The median over those of as many packets that the server does not know, taken in turn, in microseconds.
  private static func timeAboveEmptyTrips(
    _ count: Int, _ connection: RemoteConnection, _ body: () throws(BenchError) -> Void
  ) throws(BenchError) -> Double? {
    var (empty, full) = ([Double](), [Double]())
    for _ in 0..<trips {
      empty.append(
        try seconds { () throws(BenchError) in for _ in 0..<count { _ = try connection.ask("qMartletBench") } })
      full.append(try seconds(body))
    }
    return median(full).flatMap { full in median(empty).map { (full - $0) * 1e6 } }
  }

  private static func readSpeed(
    _ debuggee: Debuggee, _ packet: String, charactersPerByte: Int
  ) throws(BenchError) -> Double? {
    let connection = try debuggee.connection()
    let address = try debuggee.address("noise")
    // Binary answers are escaped, which takes room.
    let length = min(1 << 20, connection.packetSize / 2 - 16)
    let count = max(4, min(1000, (64 << 20) / length))
    let time = try seconds { () throws(BenchError) in
      for _ in 0..<count {
        let got = try connection.askForMemory("\(packet)\(address),\(String(length, radix: 16))")
        guard got >= length * charactersPerByte else { throw BenchError("\(packet) gives \(got) of \(length) bytes") }
      }
    }
    return Double(count * length) / time / 1e6
  }

  private static let stops = 20

  /// In milliseconds; those of a server that does not stop are what it was waited for.
  private static func longestStop(_ debuggee: Debuggee, _ place: String) throws(BenchError) -> Double? {
    let connection = try debuggee.connection()
    guard let address = debuggee.symbols[place] else { throw BenchError("the program has no \(place)") }
    // `pc` is GDB's register 32; the value comes with its lowest byte first.
    let value = String(address.byteSwapped, radix: 16)
    _ = try connection.ask("P20=" + String(repeating: "0", count: 16 - value.count) + value)
    var longest = 0.0
    for stop in 0..<stops {
      try connection.send("vCont;c")
      usleep(UInt32(2_000 + 1_700 * stop))
      var isStopped = true
      let time = try seconds { () throws(BenchError) in
        try connection.interrupt()
        do { try connection.awaitStop() } catch { isStopped = false }
      }
      longest = max(longest, time * 1e3)
      guard isStopped else { break }
    }
    return longest
  }

  private static func seconds(_ body: () throws(BenchError) -> Void) throws(BenchError) -> Double {
    let start = ContinuousClock.now
    try body()
    return (ContinuousClock.now - start) / .seconds(1)
  }
}

extension Runner {
  /// The figures of each machine, an emulator of its own for each. Machines take turns.
  func measureDebuggers(_ program: Program, on machines: [Contender]) -> [Row] {
    var rows: [Row] = []
    for figure in DebuggerFigure.allCases {
      var row = Row(.rsp, name: figure.rawValue, group: .variant)
      row.figures["wanted"] = figure.wanted
      var values: [String: [Double]] = [:]
      for _ in 0..<repeats {
        for machine in machines {
          do throws(BenchError) {
            guard let debuggee = try Debuggee(program, on: machine, folder: workFolder) else { continue }
            if let value = try figure.measure(debuggee) { values[machine.name, default: []].append(value) }
          } catch { row.failure = row.failure ?? "\(machine.name): \(error)" }
        }
      }
      for (machine, values) in values { row.figures[machine] = figure.isWorst ? values.max() : median(values) }
      if figure == .stepping { row.figures["wanted"] = row.figures["qemu"].map { $0 * 1.5 } }
      Log.line(row.progress)
      rows.append(row)
    }
    return rows
  }
}
