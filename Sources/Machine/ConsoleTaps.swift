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

  public func add(_ reader: any ConsoleReader) { readers.append(reader) }
  public func remove(_ reader: any ConsoleReader) { readers.removeAll { $0 === reader } }

  func printed(_ bytes: [UInt8], by source: String) { for reader in readers { reader.printed(bytes, by: source) } }
}

/// A device's connection to the host, with a tap.
final class TappedBackend: CharacterBackend {
  private let backend: any CharacterBackend
  private let path: String
  private let taps: ConsoleTaps

  init(_ backend: any CharacterBackend, path: String, _ taps: ConsoleTaps) {
    self.backend = backend
    self.path = path
    self.taps = taps
  }

  func write(_ bytes: [UInt8]) {
    backend.write(bytes)
    taps.printed(bytes, by: path)
  }
}
