// Owns what a machine knows of the debuggers that look at it: whether there is one, and which exceptions it catches.

import Bus

extension Machine {
  /// A debugger's client came or went. What a CPU does only for its debugger (stop at its own breakpoint instructions,
  /// for one) it does from now on, or no more.
  public func setDebugger(isAttached: Bool) {
    perform { machine in
      for vcpu in machine.engine.vcpus { machine.debugUnit?.debuggerChanged(vcpu.state, isAttached: isAttached) }
    }
  }

  /// The words of vector catch that the guest knows; none if it has no such thing.
  public var catchWords: [String] { debugUnit?.catchWords ?? [] }

  /// Stops at the handlers of these exceptions, and no others.
  public func setCatches(_ words: [String]) {
    for vcpu in engine.vcpus { debugUnit?.setCatches(vcpu.state, words) }
  }

  public var catches: [String] { engine.vcpus.first.flatMap { debugUnit?.catches($0.state) } ?? [] }

  /// Sends instrumentation trace to `sink`. Returns whether the board has anything that makes it.
  public func connect(trace sink: any TraceSink) -> Bool {
    let sources = devices.compactMap { $0.device as? any TraceSource }
    for source in sources { source.connect(trace: sink) }
    return !sources.isEmpty
  }
}
