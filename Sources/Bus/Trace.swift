// Owns the way of instrumentation trace (Arm's ITM) from a device to the host.

/// Takes what software writes to the ports of a trace unit.
public protocol TraceSink: AnyObject {
  /// One write of 1, 2 or 4 bytes, the low one first.
  func write(port: Int, _ bytes: [UInt8])
}

/// A device that software writes trace to.
public protocol TraceSource: Device {
  /// Sends trace to `trace` from now on, over resets, and has it switched on as a debug probe would.
  func connect(trace: any TraceSink)
}
