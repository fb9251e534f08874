// Owns a tracing experiment: its tracepoints, what they collect, and whether it runs.

/// Where a tracepoint is hit: a thread of the target, between two instructions.
public protocol TraceContext: AnyObject, AgentContext {
  /// Takes what is collected. Its content is the trace's business.
  var frame: TraceFrameWriter { get }
  /// Microseconds, from a start of the target's choice.
  var time: UInt64 { get }
  var programCounter: UInt64 { get }
  /// Appends a register in guest byte order to ``frame``.
  /// - Returns: false if there is none of that number.
  func appendRegister(_ number: Int) -> Bool
  /// Appends memory up to the first byte that cannot be read to ``frame``.
  func appendMemory(at address: UInt64, count: Int)
}

extension TraceContext {
  public func collect(_ address: UInt64, count: UInt64) {
    frame.addMemory(address, count) { appendMemory(at: address, count: $0) }
  }

  public func collect(variable number: Int, _ value: Int64) { frame.addVariable(number, value) }
}

/// Tracepoints, variables and frames. A target keeps one, has the client change it (``TraceTarget``), and tells it of hits.
///
/// All of what the client may define is bounded: ``tracepointLimit``, ``definitionLimit``, the sizes of frames and of the buffer,
/// the operations of the expressions of one hit.
public struct Trace: Sendable {
  public static let tracepointLimit = 256
  /// Characters of all definitions together.
  public static let definitionLimit = 1 << 20

  /// Why no more is collected.
  public enum End: Sendable, Equatable {
    case neverRun, full, disconnected
    case stopped
    /// Of a tracepoint's number.
    case passCount(Int)
    case failed(AgentFailure, Int)
    /// A hit had more to collect than a frame may hold.
    case overfull(Int)
  }

  public package(set) var tracepoints: [Tracepoint] = []
  public package(set) var variables: [TraceVariable] = []
  public package(set) var buffer = TraceBuffer()
  /// Holds the values of the variables.
  public var agent = AgentMachine()
  /// Nil while tracing runs.
  public package(set) var end: End? = .neverRun
  /// Whether tracing goes on when the client is gone.
  public package(set) var isDisconnected = false
  /// Memory that never changes: as good in each frame as now.
  var readOnly: [ClosedRange<UInt64>] = []
  /// Of the buffer from the next start on.
  package var capacity = TraceBuffer.defaultCapacity
  var startTime: UInt64 = 0
  var stopTime: UInt64 = 0
  var notes = Notes()
  /// Characters of what is defined.
  var definitionSize = 0

  struct Notes: Sendable, Equatable {
    var user: [UInt8] = []
    var notes: [UInt8] = []
    var stop: [UInt8] = []
  }

  public init() {}

  public var isRunning: Bool { end == nil }

  /// Indices of the tracepoints that are to be put in place: those that may come to be hit, enabled or not.
  public var active: Range<Int> { isRunning ? tracepoints.indices : 0..<0 }

  package mutating func start(at time: UInt64) {
    buffer = TraceBuffer(capacity: capacity, isCircular: buffer.isCircular)
    for index in tracepoints.indices { (tracepoints[index].hits, tracepoints[index].usage) = (0, 0) }
    (startTime, stopTime, end) = (time, 0, nil)
  }

  mutating func stop(_ reason: End, at time: UInt64) {
    guard isRunning else { return }
    (end, stopTime) = (reason, time)
  }

  /// The client is gone, and so is what it had selected.
  public mutating func clientLeft(at time: UInt64) {
    if !isDisconnected { stop(.disconnected, at: time) }
  }

  /// Counts so many characters of a definition.
  mutating func account(_ size: Int) throws(TargetError) {
    guard definitionSize + size <= Self.definitionLimit else {
      throw TargetError(.tooLarge, "more is defined for tracing than \(Self.definitionLimit) characters")
    }
    definitionSize += size
  }
}

// MARK: - Hits

extension Trace {
  /// A thread has come to the place of the tracepoint of an index.
  /// - Returns: the instructions behind which ``step(_:isLast:in:)`` is to be called, from the next on.
  public mutating func hit(_ index: Int, in context: some TraceContext) -> UInt64 {
    var context = context
    guard isRunning, tracepoints.indices.contains(index), tracepoints[index].isEnabled else { return 0 }
    let number = tracepoints[index].number
    var left = AgentMachine.limit
    if let condition = tracepoints[index].condition {
      do throws(AgentFailure) {
        guard try agent.evaluate(condition, in: &context, left: &left) != 0 else { return 0 }
      } catch {
        stop(.failed(error, number), at: context.time)
        return 0
      }
    }
    tracepoints[index].hits &+= 1
    collect(index, tracepoints[index].actions, &left, context)
    guard tracepoints[index].stepCount == 0 || !isRunning else { return tracepoints[index].stepCount }
    heedPassCount(index, context.time)
    return 0
  }

  /// An instruction behind a hit has been executed.
  public mutating func step(_ index: Int, isLast: Bool, in context: some TraceContext) {
    guard isRunning, tracepoints.indices.contains(index) else { return }
    var left = AgentMachine.limit
    collect(index, tracepoints[index].stepActions, &left, context)
    if isLast { heedPassCount(index, context.time) }
  }

  private mutating func heedPassCount(_ index: Int, _ time: UInt64) {
    let point = tracepoints[index]
    if point.passCount > 0, point.hits >= point.passCount { stop(.passCount(point.number), at: time) }
  }

  private mutating func collect(
    _ index: Int, _ actions: [TraceAction], _ left: inout Int, _ context: some TraceContext
  ) {
    let number = tracepoints[index].number
    let frame = context.frame
    frame.clear()
    for action in actions {
      switch action {
      case .registers(let numbers):
        for number in numbers { frame.addRegister(number) { context.appendRegister(number) } }
      case .memory(let base, let offset, let count):
        guard let base else {
          context.collect(offset, count: count)
          continue
        }
        if let start = context.register(base) { context.collect(start &+ offset, count: count) }
      case .expression(let expression):
        var context = context
        do throws(AgentFailure) {
          _ = try agent.evaluate(expression, in: &context, left: &left)
        } catch {
          // What a pointer leads to is not there each time; the rest is worth having.
          if case .memory = error { continue }
          stop(.failed(error, number), at: context.time)
        }
      }
    }
    if frame.isOverfull { stop(.overfull(number), at: context.time) }
    guard
      let size = buffer.append(
        tracepoint: number, programCounter: context.programCounter, words: frame.words)
    else { return stop(.full, at: context.time) }
    tracepoints[index].usage &+= UInt64(size)
  }
}
