// qqemu.PhyMemMode, Qqemu.PhyMemMode: whether addresses of memory are virtual or physical.

extension Session {
  func readMemoryMode(
    _ target: any PhysicalMemoryTarget, _ packet: inout PacketReader
  ) throws(TargetError) -> Reply {
    try packet.expectEnd()
    return .text(target.usesPhysicalAddresses ? "1" : "0")
  }

  /// `Qqemu.PhyMemMode:0` or `:1`
  func setMemoryMode(
    _ target: any PhysicalMemoryTarget, _ packet: inout PacketReader
  ) throws(TargetError) -> Reply {
    let mode = try packet.number(UInt8.self)
    try packet.expectEnd()
    target.usesPhysicalAddresses = mode != 0
    return .ok
  }
}
