// Capabilities of tracing: collecting at tracepoints, and the trace of branches.

/// A target that collects data at tracepoints while the guest runs on. It keeps a ``Trace``, puts the tracepoints that are
/// ``Trace/active`` in place, calls ``Trace/hit(_:in:)`` when a thread comes to one, and ``Trace/step(_:isLast:in:)`` after the
/// instructions that follow.
public protocol TraceTarget: Target {
  /// Has `body` look at the trace or change it, while the guest collects nothing. Puts in place afterwards what is active
  /// then. May come while the guest runs.
  func withTrace<Result: Sendable>(
    _ body: @escaping @Sendable (inout Trace) throws(TargetError) -> Result
  ) throws(TargetError) -> Result

  /// Microseconds, as of ``TraceContext/time``.
  var traceTime: UInt64 { get }

  /// Numbers and bytes of the registers of the `g` packet, in its order.
  var generalRegisters: [(number: Int, byteCount: Int)] { get }

  /// The register that a program counter is read from, with that value in it.
  func programCounterRegister(_ value: UInt64) -> (number: Int, bytes: [UInt8])

  var isBigEndian: Bool { get }
}

/// A target that keeps the stretches of code its threads go through.
public protocol BranchTraceTarget: Target {
  /// Begins to keep them, anew if it did so already.
  func startBranchTrace(of thread: ThreadID, size: Int) throws(TargetError)

  func stopBranchTrace(of thread: ThreadID) throws(TargetError)

  /// Whether it does; and for how many bytes' worth of blocks.
  func branchTraceSize(of thread: ThreadID) throws(TargetError) -> Int?

  /// See ``BranchTrace/read(_:at:)``.
  /// - Throws: `.invalid` if there is no trace of the thread.
  func readBranchTrace(of thread: ThreadID, _ part: BranchTrace.Part) throws(TargetError) -> [BranchTrace.Block]?
}
