// Owns the Instrumentation Trace Macrocell: the ports that software writes to (ARMv7-M manual, C1.7).

import Bus
import GuestKit

struct TraceState: Codable, Sendable, Equatable {
  /// ITM_TER: a bit for each port.
  var enabled: UInt32 = 0
  /// ITM_TPR: a bit for every 8 ports that user mode may not use.
  var privileged: UInt32 = 0
  /// ITM_TCR
  var control: UInt32 = 0
}

extension SystemControl {
  /// Where what software writes to the stimulus ports goes. Connecting it switches the ports on, as the software of a
  /// debug probe does when it is told to show SWO.
  public func connect(trace: any TraceSink) {
    self.trace = trace
    enableTrace()
  }

  func enableTrace() {
    guard trace != nil, features.contains(.main) else { return }
    // ITMENA, and bus number 1.
    state.trace = TraceState(enabled: ~0, privileged: 0, control: 0x1_0001)
    state.debugControl |= 1 << 24
  }

  /// Of the Main Extension. A port reads as ready for more; the lock is there and open.
  static var traceRegisters: Registers {
    [
      Register("ITM_STIM", 0x000, reset: 1, count: 32).onRead { _, _ in 1 }.onWrite {
        $0.writeStimulus($2, size: 4, $1)
      },
      Register("ITM_TER", 0xE00).onRead { $0.state.trace.enabled }
        .onWrite { system, value in system.ifPrivileged { system.state.trace.enabled = value } },
      Register("ITM_TPR", 0xE40, [.field("PRIVMASK", 0..<4)]).onRead { $0.state.trace.privileged }
        .onWrite { system, value in system.ifPrivileged { system.state.trace.privileged = value } },
      Register(
        "ITM_TCR", 0xE80,
        [
          .field("ITMENA", 0), .unimplemented("TSENA", 1), .unimplemented("SYNCENA", 2), .unimplemented("TXENA", 3),
          .field("SWOENA", 4), .field("TSPRESCALE", 8..<10), .field("GTSFREQ", 10..<12), .field("TRACEBUSID", 16..<23),
        ]
      ).onRead { $0.state.trace.control }
        .onWrite { system, value in system.ifPrivileged { system.state.trace.control = value } },
      Register("ITM_LSR", 0xFB4, .readOnly).onRead { _ in 1 },
    ]
  }

  /// Unprivileged writes are ignored.
  private func ifPrivileged(_ write: () -> Void) {
    if core?.isPrivileged ?? true { write() }
  }

  /// - Parameter size: in bytes: it is part of what is sent.
  func writeStimulus(_ port: Int, size: Int, _ value: UInt32) {
    guard features.contains(.main) else { return }
    let isPermitted = state.trace.privileged >> UInt32(port / 8) & 1 == 0
    if core?.isPrivileged ?? true || isPermitted { send(port, size, value) }
  }

  private func send(_ port: Int, _ size: Int, _ value: UInt32) {
    guard state.trace.control & 1 != 0, state.trace.enabled >> UInt32(port) & 1 != 0,
      state.debugControl & 1 << 24 != 0
    else { return }
    guard let trace else {
      return unimplemented.once("what is sent to the ITM goes nowhere; --itm shows it", context)
    }
    trace.write(port: port, (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) })
  }
}
