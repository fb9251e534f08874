// Owns the way by which debuggers read along what the guest prints.

import Bus

/// Reads what the guest prints, on the machine's thread, while an instruction or an event is under way.
public protocol ConsoleReader: AnyObject {
  /// - Parameter source: path of the device, or ``HostConsole/ownPath``.
  func printed(_ bytes: [UInt8], by source: String)
}

/// Those who read along.
public final class ConsoleTaps {
  private var readers: [any ConsoleReader] = []
  private var backends: [TappedBackend] = []

  public func add(_ reader: any ConsoleReader) { readers.append(reader) }
  public func remove(_ reader: any ConsoleReader) { readers.removeAll { $0 === reader } }

  func printed(_ bytes: [UInt8], by source: String) { for reader in readers { reader.printed(bytes, by: source) } }

  // MARK: The past

  func add(_ backend: TappedBackend) { backends.append(backend) }

  /// Bytes printed so far, by backend.
  var printed: [Int] { backends.map(\.printed) }

  /// The machine stands where so much was printed. What it prints again is not shown again.
  func restore(printed: [Int]) { for (backend, count) in zip(backends, printed) { backend.printed = count } }

  /// What was shown of a future that will not be is not waited for.
  func forgetShown() { for backend in backends { backend.shown = backend.printed } }
}

/// A device's connection to the host, with a tap.
final class TappedBackend: CharacterBackend {
  private let backend: any CharacterBackend
  private let path: String
  private unowned let taps: ConsoleTaps
  /// Bytes that the guest has printed, and of them those that the host has got.
  fileprivate(set) var printed = 0
  fileprivate(set) var shown = 0

  init(_ backend: any CharacterBackend, path: String, _ taps: ConsoleTaps) {
    self.backend = backend
    self.path = path
    self.taps = taps
    taps.add(self)
  }

  func write(_ bytes: [UInt8]) {
    printed += bytes.count
    guard printed > shown else { return }
    let news = bytes.suffix(printed - shown)
    shown = printed
    backend.write(Array(news))
    taps.printed(Array(news), by: path)
  }
}
