// Owns the user's terminal: who gets what is typed, the serial console or the monitor.

import Glibc
import Machine
import Monitor

/// Standard input and output, shared by a serial device and the monitor.
final class TerminalConsole {
  enum Focus { case serial, monitor }

  /// A monitor prompt that takes the terminal over.
  enum Prompt {
    case none
    /// With line editing.
    case terminal(MonitorPrompt)
    /// For pipes: lines as they come.
    case lines(MonitorConsole)
  }

  private let serial: (([UInt8]) -> Void)?
  private let prompt: Prompt
  private let verdict: Verdict
  private let loop: EventLoop
  private var focus: Focus
  /// Nil: Ctrl-A is a key like others.
  private var keys: EscapeKeys?

  /// - Parameters:
  ///   - serial: receives what is typed for the serial device.
  ///   - isShared: Ctrl-A is understood.
  init(serial: (([UInt8]) -> Void)?, prompt: Prompt, isShared: Bool, _ loop: EventLoop, _ verdict: Verdict) {
    self.serial = serial
    self.prompt = prompt
    self.verdict = verdict
    self.loop = loop
    focus = serial == nil ? .monitor : .serial
    keys = isShared ? EscapeKeys() : nil
  }

  func start() {
    Terminal.enterRaw(keepsSignals: keys == nil)
    if focus == .monitor { enterMonitor() } else { listen() }
  }

  private func listen() {
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
    case .monitor:
      switch prompt {
      case .none: break
      case .lines(let console): console.feed(bytes)
      case .terminal(let monitor): monitor.feed(bytes)
      }
    }
  }

  private func toggle() {
    guard serial != nil else { return }
    switch (focus, prompt) {
    case (_, .none): show("\nthere is no monitor here\n")
    case (.serial, _): enterMonitor()
    case (.monitor, _): leaveMonitor()
    }
  }

  private func enterMonitor() {
    focus = .monitor
    switch prompt {
    case .none: break
    case .lines(let console):
      console.showPrompt()
      if serial == nil { listen() }
    case .terminal(let monitor):
      if serial != nil { show("\nMonitor; Ctrl-A c goes back, 'help' lists the commands.\n") }
      monitor.show()
      loop.watch(monitor.messageDescriptor) { monitor.showMessages() }
      if serial == nil { listen() }
    }
  }

  private func leaveMonitor() {
    focus = .serial
    if case .terminal(let monitor) = prompt {
      monitor.hide()
      loop.forget(monitor.messageDescriptor)
    }
    show("\n")
  }

  private func show(_ text: String) { Descriptors.write(Array(text.utf8), to: 1) }
}
