// Owns guest code as who looks for callers reads it.

import GuestKit

/// Instructions in a guest's memory. Those that were read are kept.
final class GuestCode {
  let memory: GuestMemory
  private let guest: any Guest & Unwinding
  private var known: [UInt64: FrameInstruction?] = [:]

  init(_ guest: any Guest & Unwinding, _ memory: GuestMemory) {
    self.guest = guest
    self.memory = memory
  }

  func instruction(at pc: UInt64) -> FrameInstruction? {
    if let found = known[pc] { return found }
    let bytes = memory.read(pc, guest.longestInstruction)
    let found = guest.frameInstruction(bytes, pc: pc)
    known[pc] = .some(found)
    return found
  }

  /// Whether a call ends where `pc` begins.
  func followsCall(_ pc: UInt64) -> Bool {
    let unit = guest.instructionAlignment
    return stride(from: unit, through: UInt64(guest.longestInstruction), by: UInt64.Stride(unit)).contains { back in
      guard pc >= back, let instruction = instruction(at: pc &- back) else { return false }
      return instruction.flow == .call && UInt64(instruction.length) == back
    }
  }
}

extension GuestMemory: StackMemory {}
