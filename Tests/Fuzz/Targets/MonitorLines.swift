// Owns the fuzz target of the monitor: its commands over a machine with a small guest.

import Dispatch
import Machine
import Monitor

extension FuzzTarget {
  /// Each line is one of the monitor's. The first byte of the input chooses the host, and what whoever gives the lines is
  /// shown. No files can be used. A command that goes on for long is ended, as by a user.
  static let monitorLines = FuzzTarget(name: "monitor-lines") { input in
    guard let choice = input.first, let machine = try? FuzzedMachine.made(compiles: choice & 1 != 0) else { return }
    defer { machine.shutDown() }
    machine.start()
    let monitor = Monitor(machine)
    let style = ListingStyle(columns: choice & 2 != 0 ? 80 : 100, isColoured: choice & 4 != 0)
    for line in input.dropFirst().split(separator: UInt8(ascii: "\n")).prefix(Lines.mostLines) {
      let text = String(decoding: line, as: UTF8.self)
      for length in [text.utf8.count / 2, text.utf8.count] { _ = monitor.completions(for: text, cursor: length) }
      let result = Lines.execute(text, monitor, style)
      precondition(!result.isError || !result.text.isEmpty, "refused without a word")
    }
    _ = Lines.execute("stop", monitor, style)
    precondition(!Lines.execute("info status", monitor, .plain).isError, "the monitor serves no more")
  }
}

private enum Lines {
  static let mostLines = 8
  /// What a command may take before it is ended.
  private static let patience = DispatchTimeInterval.milliseconds(2)

  static func execute(_ line: String, _ monitor: Monitor, _ style: ListingStyle) -> MonitorResult {
    let run = CommandRun(style: style)
    let end = DispatchWorkItem { run.cancel() }
    DispatchQueue.global().asyncAfter(deadline: .now() + patience, execute: end)
    defer { end.cancel() }
    return monitor.execute(line, run)
  }
}
