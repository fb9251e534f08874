// Owns how somebody follows what a vCPU executes, instruction by instruction.

import GuestKit
import IR

/// Follows a vCPU, which then executes each instruction in a block of its own. Told as a debugger on the machine's thread.
public protocol InstructionFollower: AnyObject {
  /// The vCPU is about to execute the instruction at its PC; `next` is the address behind it. It comes again for the same
  /// instruction if something held that up, with nothing retired in between.
  func willExecute(_ vcpu: VCPU, next: UInt64)
}

extension VCPU {
  /// Tells the follower of the block of one instruction that is about to be entered.
  func tellFollower(of id: BlockID) {
    guard let follower else { return }
    let block = code.blocks[id]
    guard block.secondPage < TranslationBlock.unreachablePage else {
      return follower.willExecute(self, next: block.lastPC &+ 1)
    }
    // A block knows its bytes in the first page alone.
    let first = Int(0x1000 - block.key.physicalPC & 0xFFF)
    let bytes = (0..<16).compactMap { offset in
      let place = offset < first ? block.key.physicalPC &+ UInt64(offset) : block.secondPage &+ UInt64(offset - first)
      return space.peek(place, size: 1).map { UInt8(truncatingIfNeeded: $0) }
    }
    follower.willExecute(self, next: block.key.pc &+ UInt64(guest.disassemble(bytes, pc: block.key.pc).length))
  }
}
