// Owns the stack frames of exceptions (ARMv7-M manual, B1.5.7 and B1.5.8: PushStack() and PopStack()).

import GuestKit
import IR

extension Core {
  /// The registers of a frame, upwards; the return address and xPSR follow them.
  private static let stacked = [0, 1, 2, 3, 12, 14]
  private static let frameSize: UInt32 = 32

  /// Stacks the caller-saved registers, those of the floating-point unit too if the context has used it.
  ///
  /// - Returns: the fault of the stacking, if there is one; the stack pointer has moved all the same.
  func pushFrame(resume: UInt32, _ system: SystemControl) -> Cause? {
    let stack = self[r: ARMRegisters.sp]
    let hasFloat = hasFloatContext
    let size = hasFloat ? Self.frameSize + Self.floatFrameSize : Self.frameSize
    let aligns = hasFloat || system.state.configuration & 0x200 != 0
    let frame = (stack &- size) & (aligns ? ~7 : ~3)
    let realigned: UInt32 = aligns && stack & 4 != 0 ? 1 << 9 : 0
    let limit = stackLimit
    if frame < limit || stack < size && limit != 0 {
      self[r: ARMRegisters.sp] = limit
      return Cause(.usageFault, .stackOverflow)
    }
    self[r: ARMRegisters.sp] = frame
    let words = Self.stacked.map { self[r: $0] } + [resume, xpsr & ~(1 << 9) | realigned]
    for (index, word) in words.enumerated() {
      let address = frame &+ 4 * UInt32(index)
      guard system.permits(address, size: 4, .write, privileged: isPrivileged, self) else {
        return Cause(.memManage, .stackingAccess)
      }
      cpu.context.willTransfer(UInt64(address), size: 4, isWrite: true)
      guard cpu.context.writePhysical(UInt64(address), size: 4, UInt64(word)) else {
        return Cause(.busFault, .stackingBus)
      }
    }
    return hasFloat ? pushFloat(at: frame &+ Self.frameSize, system) : nil
  }

  /// What a frame holds.
  struct Frame {
    var words: [UInt32]
    /// The stack pointer once it is gone.
    var end: UInt32
    var status: UInt32 { words[7] }
    var resume: UInt32 { words[6] }
  }

  /// Reads the frame at `address`, with the rights of Thread mode if the return is to it. The floating-point part, if
  /// there is one, goes to the registers.
  func frame(at address: UInt32, toThread: Bool, hasFloat: Bool, _ system: SystemControl) -> Result<
    Frame, StackingFault
  > {
    let privileged = !toThread || self[.control] & 1 == 0
    var words: [UInt32] = []
    for index in 0..<UInt32(Self.stacked.count + 2) {
      let place = address &+ 4 * index
      guard system.permits(place, size: 4, .read, privileged: privileged, self) else {
        return .failure(StackingFault(cause: Cause(.memManage, .unstackingAccess)))
      }
      cpu.context.willTransfer(UInt64(place), size: 4, isWrite: false)
      guard let word = cpu.context.readPhysical(UInt64(place), size: 4) else {
        return .failure(StackingFault(cause: Cause(.busFault, .unstackingBus)))
      }
      words.append(UInt32(word))
    }
    let realigned = words[7] >> 9 & 1 != 0 && (hasFloat || system.state.configuration & 0x200 != 0)
    var end = address &+ Self.frameSize
    if hasFloat {
      if let cause = popFloat(at: end, privileged: privileged, system) {
        return .failure(StackingFault(cause: cause))
      }
      end &+= Self.floatFrameSize
    }
    return .success(Frame(words: words, end: end | (realigned ? 4 : 0)))
  }

  /// Takes the caller-saved registers, the flags and the PC from a frame.
  func restore(_ frame: Frame) {
    for (index, register) in Self.stacked.enumerated() { self[r: register] = frame.words[index] }
    xpsr = frame.status
    cpu.pc = UInt64(frame.resume & ~1 | (frame.status >> 24 & 1 ^ 1))
  }
}

/// A fault of reading a frame.
struct StackingFault: Error {
  var cause: Cause
}
