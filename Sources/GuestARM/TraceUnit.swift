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

  func readStimulus(_ offset: UInt64) -> UInt32 {
    guard features.contains(.main) else { return 0 }
    switch offset {
    // FIFOREADY
    case 0x000..<0x080: return 1
    case 0xE00: return state.trace.enabled
    case 0xE40: return state.trace.privileged
    case 0xE80: return state.trace.control
    // The lock is there and open (ITM_LSR).
    case 0xFB4: return 1
    default: return 0
    }
  }

  /// - Parameter size: in bytes: of a stimulus port it is part of what is sent.
  func writeStimulus(_ offset: UInt64, size: Int, _ value: UInt32) {
    guard features.contains(.main) else { return }
    let isPrivileged = core?.isPrivileged ?? true
    if offset < 0x80 {
      let port = Int(offset / 4)
      guard isPrivileged || state.trace.privileged >> UInt32(port / 8) & 1 == 0 else { return }
      return send(port, size, value)
    }
    guard isPrivileged else { return }
    switch offset {
    case 0xE00: state.trace.enabled = value
    case 0xE40: state.trace.privileged = value & 15
    case 0xE80:
      state.trace.control = value & 0x7F_0F1F
      if value & 0xE != 0 {
        unimplemented.once("ITM_TCR: time stamps and packets of the DWT are not implemented", context)
      }
    default: break
    }
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
