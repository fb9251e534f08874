// Owns a hart as agent expressions and tracepoints see it.

import Bus
import Engine
import GDBRemote
import Machine

/// A hart between two instructions. Used on the machine's thread only.
final class HartContext: TraceContext {
  let frame = TraceFrameWriter()
  private let vcpu: VCPU
  private let clock: VirtualClock
  private let layout: RegisterLayout
  private let print: (String) -> Void
  private var guestMemory: GuestMemory

  init(_ vcpu: VCPU, _ machine: Machine, _ layout: RegisterLayout, show: @escaping (String) -> Void) {
    self.vcpu = vcpu
    self.layout = layout
    clock = machine.clock
    print = show
    guestMemory = GuestMemory(machine, vcpu)
  }

  /// Makes it see what the user lets debuggers see now.
  func refresh(_ machine: Machine) {
    if guestMemory.allowsDeviceReads != machine.allowsDeviceReads { guestMemory = GuestMemory(machine, vcpu) }
  }

  var time: UInt64 { vcpu.now &* clock.nanosecondsPerInstruction / 1000 }

  var programCounter: UInt64 { vcpu.state.pc }

  func register(_ number: Int) -> UInt64? { layout.value(number, vcpu.state) }

  func memory(at address: UInt64, size: Int) -> UInt64? { guestMemory.value(at: address, size: size) }

  func show(_ text: String) { print(text) }

  func appendRegister(_ number: Int) -> Bool {
    guard let size = layout.size(number) else { return false }
    if size <= 8, let value = layout.value(number, vcpu.state) {
      frame.append(layout.isBigEndian ? value.byteSwapped >> UInt64(64 - 8 * size) : value, size: size)
    } else {
      frame.append(layout.bytes(number, vcpu.state))
    }
    return true
  }

  func appendMemory(at address: UInt64, count: Int) {
    if count <= 8, count.nonzeroBitCount == 1, let value = guestMemory.value(at: address, size: count) {
      frame.append(value, size: count)
    } else {
      frame.append(guestMemory.read(address, count))
    }
  }
}
