// Owns a vCPU's place in time and what it waits for: what snapshots keep of it beside its registers.

import GuestKit
import IR

/// The exception last taken, and how often it came again at once, with nothing retired between.
public struct RepeatedException: Codable, Sendable, Equatable {
  var pc = UInt64.max
  var retired = UInt64.max
  var count = 0
}

/// What load-reserved found, for store-conditional to find again. Translated code makes and uses it itself.
public struct Reservation: Codable, Sendable, Equatable {
  public var address: UInt64
  /// Bytes: 4 or 8.
  public var size: Int
  public var value: UInt64
}

/// The part of a vCPU's condition that is not in its registers.
public struct VCPUProgress: Codable, Sendable, Equatable {
  /// The vCPU's own time in instructions and other budgeted steps, up to the last entry of translated code.
  public var ticks: UInt64 = 0
  /// Instructions retired up to the last entry.
  public var retired: UInt64 = 0
  /// Waits for an interrupt.
  public var isWaiting = false
  /// Switched off, or not yet on (secondary harts some boards hold back).
  public var isHalted = false
  /// Whether the vCPU stands where interrupts may be taken and time slices end.
  public var mayInterrupt = true
  /// Something is to be looked at at the next interrupt point. Outlives leaving and entering translated code.
  var isKicked = false
  /// The vCPU has asked something of another one: at the next interrupt point its part of the round ends.
  var givesWay = false
  /// The instruction at PC is to run in a block of its own, since it writes into the block it was in.
  var runsNextAlone = false
  var repeatedException = RepeatedException()
  /// The count of the platform's timer at which the guest wants to be told; `.max` for never.
  var timer = UInt64.max
  /// The PC that a comparator of the guest's own has matched, until it is executed.
  var matchedInstruction: UInt64?
  /// The PC where a run stopped before an access that hits a watchpoint: the next run makes it.
  var passedWatchpoint: UInt64?
}

extension VCPU {
  public var ticks: UInt64 { progress.ticks }
  public var retired: UInt64 { progress.retired }
  public var isWaiting: Bool { progress.isWaiting }
  public var mayInterrupt: Bool { progress.mayInterrupt }
  public var isHalted: Bool {
    get { progress.isHalted }
    set { progress.isHalted = newValue }
  }

  /// See ``Reservation``.
  public var reservation: Reservation? {
    get {
      let size = Int(state.load(StateOffset.reservedSize, as: UInt32.self))
      guard size != 0 else { return nil }
      let value: UInt64 = state.load(StateOffset.reservedValue)
      return Reservation(
        address: state.load(StateOffset.reservedAddress), size: size,
        value: value & UInt64.max >> UInt64(64 - 8 * min(size, 8)))
    }
    set {
      state.store(newValue?.address ?? 0, at: StateOffset.reservedAddress)
      state.store(newValue?.value ?? 0, at: StateOffset.reservedValue)
      state.store(UInt32(truncatingIfNeeded: newValue?.size ?? 0), at: StateOffset.reservedSize)
    }
  }

  /// A copy of the whole state block, without the header's host addresses.
  public func saveRegisters() -> [UInt8] {
    unsafe [UInt8](
      UnsafeRawBufferPointer(start: state.base + StateOffset.registers, count: stateSize - StateOffset.registers))
  }

  /// Puts back what ``saveRegisters()`` returned.
  public func restoreRegisters(_ bytes: [UInt8]) {
    let size = stateSize - StateOffset.registers
    guard bytes.count == size else { return }
    unsafe UnsafeMutableRawBufferPointer(start: state.base + StateOffset.registers, count: size).copyBytes(from: bytes)
  }

  /// Forgets what was known of the vCPU, since its registers were set anew. Its time goes on.
  public func wasReset() {
    progress = VCPUProgress(ticks: ticks, retired: retired, isHalted: isHalted)
    reservation = nil
    isKnownLockedUp = false
    passedBreakpoint = nil
    opSession = nil
    renewTimer()
    windows.generation &+= 1
    flushTLB(TranslationFence())
  }
}
