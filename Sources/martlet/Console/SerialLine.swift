// Owns one serial device's connection to the host.

import Bus
import Synchronization

/// Where a serial device's characters go. Written by the machine's thread, connected by the main thread.
final class SerialLine: CharacterBackend, Sendable {
  private struct State {
    var output: Output?
    var relay: (@Sendable ([UInt8]) -> Void)?
  }
  private let state = Mutex(State())
  /// Whether texts are looked for here, and as which console.
  private let expectation: (texts: Expectation, console: Int)?
  /// Whether the guest is what prints here.
  let isGuests: Bool

  /// - Parameter expectation: told of what the device prints.
  init(_ expectation: Expectation?, isGuests: Bool = true) {
    self.expectation = expectation.map { ($0, $0.addConsole()) }
    self.isGuests = isGuests
  }

  /// Lets characters go to an output, or nowhere.
  func connect(_ output: Output?) { state.withLock { $0.output = output } }

  /// Hands characters to `relay` in place of the output; nil: to the output again.
  func divert(to relay: (@Sendable ([UInt8]) -> Void)?) { state.withLock { $0.relay = relay } }

  func write(_ bytes: [UInt8]) {
    let output = state.withLock { state in
      guard let relay = state.relay else { return state.output }
      relay(bytes)
      return nil
    }
    output?.write(bytes)
    if let (texts, console) = expectation { texts.see(bytes, on: console) }
  }

  /// Writes text of Martlet's own, and waits for a slow reader; not on threads that others wait for.
  func writeInTime(_ bytes: [UInt8]) { state.withLock { $0.output }?.writeInTime(bytes) }
}

/// A serial device to which nothing is connected: says so once the guest sends something.
final class UnconnectedLine: CharacterBackend, Sendable {
  private let label = Mutex<String?>(nil)

  /// Lets the guest's first character be noted, under this name of the device.
  func watch(_ name: String) { label.withLock { $0 = name } }

  func write(_ bytes: [UInt8]) {
    guard let name = label.withLock({ $0.take() }) else { return }
    Log.note("\(name) sends, and is connected to nothing; give it a -serial of its own ('-serial help')")
  }
}
