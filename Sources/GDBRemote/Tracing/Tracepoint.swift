// Owns what a tracepoint is: where, when, and what is collected there.

/// A place in the guest's code, and what is to be collected each time it is come to. GDB manual, appendix section "Tracepoint
/// Packets".
public struct Tracepoint: Sendable, Equatable {
  public var number: Int
  public var address: UInt64
  public var isEnabled: Bool
  /// Instructions after a hit that ``stepActions`` are carried out behind; as GDB's `while-stepping`.
  public var stepCount: UInt64
  /// The hits after which tracing ends; 0: it goes on.
  public var passCount: UInt64
  /// It counts as hit if this is not 0.
  public internal(set) var condition: AgentExpression?
  public internal(set) var actions: [TraceAction] = []
  public internal(set) var stepActions: [TraceAction] = []
  /// Since tracing began.
  public internal(set) var hits: UInt64 = 0
  /// Bytes of its frames, those since overwritten too.
  public internal(set) var usage: UInt64 = 0

  /// The definition in the client's own words, for one that comes later.
  var texts = Texts()

  struct Texts: Sendable, Equatable {
    /// `X length,bytes`, or empty.
    var condition = ""
    var actions: [String] = []
    var stepActions: [String] = []
    /// `type:start:length:bytes`
    var sources: [String] = []
  }

  public init(
    number: Int, address: UInt64, isEnabled: Bool = true, stepCount: UInt64 = 0, passCount: UInt64 = 0,
    condition: AgentExpression? = nil, actions: [TraceAction] = [], stepActions: [TraceAction] = []
  ) {
    self.number = number
    self.address = address
    self.isEnabled = isEnabled
    self.stepCount = stepCount
    self.passCount = passCount
    self.condition = condition
    self.actions = actions
    self.stepActions = stepActions
  }

  /// The lines of a definition as `qTfP` gives them back.
  var lines: [String] {
    let place = "\(String(UInt(bitPattern: number), radix: 16)):\(String(address, radix: 16))"
    let condition = texts.condition.isEmpty ? "" : ":" + texts.condition
    let counts = "\(String(stepCount, radix: 16)):\(String(passCount, radix: 16))"
    return ["T\(place):\(isEnabled ? "E" : "D"):\(counts)\(condition)"] + texts.actions.map { "A\(place):\($0)" }
      + texts.stepActions.map { "S\(place):\($0)" } + texts.sources.map { "Z\(place):\($0)" }
  }
}

/// What is collected at a hit.
public enum TraceAction: Sendable, Equatable {
  /// By their numbers in the target description; those that do not exist are passed over.
  case registers([Int])
  /// Bytes from an address on, or from a register's value on.
  case memory(base: Int?, offset: UInt64, count: UInt64)
  /// What the expression traces.
  case expression(AgentExpression)
}

/// A variable that agent expressions read and write: GDB's `tvariable`.
public struct TraceVariable: Sendable, Equatable {
  public var number: Int
  public var name: [UInt8]
  public var initialValue: Int64

  var line: String {
    "\(String(UInt(bitPattern: number), radix: 16)):\(String(UInt64(bitPattern: initialValue), radix: 16)):0:"
      + String(decoding: Hex.encode(name), as: UTF8.self)
  }
}
