// Owns the user's terminal: who gets what is typed, the serial console or the monitor.

import Glibc
import Machine

/// Standard input and output, shared by a serial device and the monitor.
final class TerminalConsole {
  enum Focus { case serial, monitor }

  private let serial: (([UInt8]) -> Void)?
  private let monitor: MonitorConsole?
  private let verdict: Verdict
  private var focus: Focus
  /// Nil: Ctrl-A is a key like others.
  private var keys: EscapeKeys?

  /// - Parameters:
  ///   - serial: receives what is typed for the serial device.
  ///   - isShared: Ctrl-A is understood.
  init(serial: (([UInt8]) -> Void)?, monitor: MonitorConsole?, isShared: Bool, _ verdict: Verdict) {
    self.serial = serial
    self.monitor = monitor
    self.verdict = verdict
    focus = serial == nil ? .monitor : .serial
    keys = isShared ? EscapeKeys() : nil
  }

  func start(_ loop: EventLoop) {
    Terminal.enterRaw(keepsSignals: keys == nil)
    if focus == .monitor { monitor?.showPrompt() }
    loop.watch(0) { [self] in
      let bytes = Descriptors.read(0)
      // The end of a pipe is no reason to stop: the guest runs on.
      if bytes.isEmpty { return loop.forget(0) }
      take(bytes)
    }
  }

  private func take(_ bytes: [UInt8]) {
    guard var keys else { return pass(bytes) }
    let events = keys.feed(bytes)
    self.keys = keys
    for event in events {
      switch event {
      case .typed(let bytes): pass(bytes)
      case .quit: verdict.reach(.quit)
      case .help: show(EscapeKeys.help)
      case .toggle: toggle()
      case .unknown: show("\nCtrl-A h lists the keys\n")
      }
    }
  }

  private func pass(_ bytes: [UInt8]) {
    switch focus {
    case .serial: serial?(bytes)
    case .monitor: monitor?.feed(bytes)
    }
  }

  private func toggle() {
    guard let monitor, serial != nil else { return }
    focus = focus == .serial ? .monitor : .serial
    if focus == .monitor {
      show("\nMonitor; Ctrl-A c goes back, 'help' lists the commands.\n")
      monitor.showPrompt()
    } else {
      show("\n")
    }
  }

  private func show(_ text: String) { Descriptors.write(Array(text.utf8), to: 1) }
}
