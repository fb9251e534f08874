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
    /// With line editing, on a thread of its own.
    case terminal(Monitor)
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
    case .monitor: if case .lines(let console) = prompt { console.feed(bytes) }
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
      loop.forget(0)
      PromptThread.run(monitor) { [loop, verdict] end in
        loop.post { [self] in
          switch end {
          case .quit: verdict.reach(.quit)
          case .toggle, .endOfInput: if serial == nil { verdict.reach(.quit) } else { leaveMonitor() }
          }
        }
      }
    }
  }

  private func leaveMonitor() {
    focus = .serial
    show("\n")
    if case .terminal = prompt { listen() }
  }

  private func show(_ text: String) { Descriptors.write(Array(text.utf8), to: 1) }
}

/// Runs the monitor's own prompt beside the main thread.
private enum PromptThread {
  private final class Work {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
  }

  static func run(_ monitor: Monitor, _ finished: @escaping (MonitorREPL.End) -> Void) {
    let work = Work { finished(MonitorREPL(monitor).run()) }
    var thread = pthread_t()
    unsafe pthread_create(
      &thread, nil,
      { argument in
        if let argument = unsafe argument { unsafe Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body() }
        return nil
      }, Unmanaged.passRetained(work).toOpaque())
    pthread_detach(thread)
  }
}
