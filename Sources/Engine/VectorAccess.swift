// Owns memory accesses of 16 bytes by the slow path: two of 8, of which the first is made only if both can be.

import GuestKit
import HostKit
import IR

extension VCPU {
  /// - Returns: the lower 8 bytes.
  func loadVector(_ address: UInt64, _ request: SlowAccess) throws(AccessFailure) -> UInt64 {
    try checkVector(address, request, .read)
    let half = request.access.half
    let low = try read(address, half, .read)
    state.store(try read((address &+ 8) & addressMask, half, .read), at: StateOffset.upperData)
    return low
  }

  func storeVector(_ address: UInt64, _ low: UInt64, _ request: SlowAccess) throws(AccessFailure) -> UInt64 {
    try checkVector(address, request, .write)
    let high: UInt64 = state.load(StateOffset.upperData)
    let second = (address &+ 8) & addressMask
    for part in [address, (second &+ 7) & addressMask] { _ = try translate(part, 1, .write, request.access.space) }
    _ = try write(address, low, request.access.half)
    return try write(second, high, request.access.half)
  }

  private func checkVector(_ address: UInt64, _ request: SlowAccess, _ kind: AccessKind) throws(AccessFailure) {
    try checkAlignment(address, request.access, kind)
    let isWrite = kind == .write
    try watch(address, 16, following: request.following, reads: !isWrite, writes: isWrite)
  }
}

extension MemoryAccess {
  /// Of 8 bytes, in the same space.
  fileprivate var half: MemoryAccess { MemoryAccess(size: 8, space: space) }
}
