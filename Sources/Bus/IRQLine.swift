// Interrupt wires between devices, interrupt controllers and CPUs.

/// Something with numbered interrupt inputs: an interrupt controller or a CPU.
public protocol IRQSink: AnyObject {
  /// The level of input `line` changed.
  func setLevel(_ line: Int, _ level: Bool)
}

/// A CPU with an input for events that end its waiting (Arm's RXEV, for WFE).
public protocol EventInput: AnyObject {
  func signalEvent()
}

/// A level-sensitive wire with one driver and any number of sinks.
public final class IRQLine {
  public let name: String
  public private(set) var level = false
  private var outputs: [(Bool) -> Void] = []

  public init(name: String) { self.name = name }

  /// Connects the wire to input `line` of a sink.
  public func connect(_ sink: any IRQSink, line: Int) { outputs.append { sink.setLevel(line, $0) } }

  /// Connects the wire to a closure that is told of each change.
  public func connect(_ output: @escaping (Bool) -> Void) { outputs.append(output) }

  /// Drives the wire; sinks hear of changes only.
  public func set(_ newLevel: Bool) {
    guard newLevel != level else { return }
    level = newLevel
    for output in outputs { output(newLevel) }
  }

  /// Sets the level as a snapshot recorded it, without telling the sinks: their state is restored by itself.
  public func restore(level: Bool) { self.level = level }
}
