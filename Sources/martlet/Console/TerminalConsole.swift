// Owns the user's terminal: who gets what is typed, the serial console or the monitor.

import Glibc
import Machine
import Monitor

/// Standard input and output, shared by a serial device and the monitor.
final class TerminalConsole {
  private enum Focus { case serial, monitor }
  /// Nanoseconds that what is shown may take to arrive before the terminal is given away.
  private static let patience: UInt64 = 500_000_000

  /// The monitor's side of the terminal.
  enum Prompt {
    case none
    /// With line editing and completion.
    case terminal(MonitorPrompt)
    /// For pipes: lines as they come.
    case lines(MonitorConsole)
  }

  private let serial: (([UInt8]) -> Void)?
  private let line: SerialLine?
  private let prompt: Prompt
  private let loop: EventLoop
  private let output: Output
  private let verdict: Verdict
  private var focus: Focus
  /// Nil: Ctrl-A is a key like others.
  private var keys: EscapeKeys?

  /// - Parameters:
  ///   - serial: receives what is typed for the serial device.
  ///   - line: the serial device's other direction.
  ///   - isShared: Ctrl-A is understood.
  init(
    serial: (([UInt8]) -> Void)?, _ line: SerialLine?, prompt: Prompt, isShared: Bool, _ loop: EventLoop,
    _ output: Output, _ verdict: Verdict
  ) {
    self.serial = serial
    self.line = line
    self.prompt = prompt
    self.loop = loop
    self.output = output
    self.verdict = verdict
    focus = serial == nil ? .monitor : .serial
    keys = isShared ? EscapeKeys() : nil
  }

  /// - Parameter readsInput: what is typed is for this console, and for no script.
  func start(readsInput: Bool) {
    let hasPrompt = if case .terminal = prompt { true } else { false }
    guard readsInput else {
      serial?([])
      return
    }
    Terminal.enterRaw(keepsSignals: keys == nil, exceptInterrupt: hasPrompt)
    if focus == .monitor { enterMonitor() }
    watchInput()
    if case .terminal(let prompt) = prompt {
      prompt.lending = (
        lend: { [self] in
          loop.forget(0)
          output.settle(nanoseconds: Self.patience)
          Terminal.restore()
        },
        takeBack: { [self] in
          Terminal.retake()
          watchInput()
        }
      )
    }
  }

  private func watchInput() {
    loop.watch(0) { [self] in
      let bytes = Descriptors.read(0)
      // The end of a pipe is no reason to stop: the guest runs on.
      if bytes.isEmpty {
        serial?([])
        return loop.forget(0)
      }
      take(bytes)
    }
  }

  /// Gives the terminal back, all that was printed shown.
  func end() {
    if case .terminal(let prompt) = prompt {
      prompt.close()
      if focus == .monitor { leaveMonitor() }
      output.settle(nanoseconds: Self.patience)
    }
    Terminal.restore()
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
    switch (focus, prompt) {
    case (.serial, _): serial?(bytes)
    case (.monitor, .terminal(let prompt)): prompt.feed(bytes)
    case (.monitor, .lines(let console)): console.feed(bytes)
    case (.monitor, .none): break
    }
  }

  private func toggle() {
    guard serial != nil else { return }
    if focus == .serial { enterMonitor() } else { leaveMonitor() }
  }

  private func enterMonitor() {
    if case .none = prompt { return show("\nthere is no monitor here\n") }
    focus = .monitor
    if serial != nil { show("\nMonitor; Ctrl-A c goes back, 'help' lists the commands.\n") }
    switch prompt {
    case .none: break
    case .lines(let console): console.showPrompt()
    case .terminal(let prompt):
      prompt.show()
      line?.divert(to: prompt.relay)
      loop.watch(prompt.messageDescriptor) { prompt.showMessages() }
    }
  }

  private func leaveMonitor() {
    focus = .serial
    guard case .terminal(let prompt) = prompt else { return show("\n") }
    line?.divert(to: nil)
    loop.forget(prompt.messageDescriptor)
    prompt.hide()
  }

  private func show(_ text: String) { output.write(text) }
}
