// Owns the question whether a store changes the very code that makes it.

import IR

extension VCPU {
  /// Whether a write changes the code of the block that makes it. Such a write is abandoned and made again by a block of
  /// one instruction, so that the instructions after it are always executed as they are in memory, however code is cut
  /// into blocks.
  func overwritesRunningBlock(_ physical: UInt64, _ size: Int) -> Bool {
    guard !isStepping, opSession == nil else { return false }
    return overwritesRunningBlock(at: physical, size)
      || space.aliases(of: physical, count: size).contains { overwritesRunningBlock(at: $0.address, $0.count) }
  }

  private func overwritesRunningBlock(at physical: UInt64, _ size: Int) -> Bool {
    let page = physical & ~0xFFF
    let pc: UInt64 = state.load(StateOffset.currentPC)
    let isRunning = { [self] (id: BlockID) in
      let block = code.blocks[id]
      return block.isValid && (block.key.flags ^ mode.flags) & ~codeFlags == 0 && block.contains(pc)
    }
    if code.blocks.hasCode(physical, count: size),
      code.blocks.overlapping(physical..<physical + UInt64(size)).contains(where: isRunning)
    {
      return true
    }
    guard !code.straddlers.isEmpty, physical & 0xFFF < 16 else { return false }
    return code.straddlers[page]?.contains(where: isRunning) ?? false
  }
}
