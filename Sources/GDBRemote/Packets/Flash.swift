// vFlashErase, vFlashWrite, vFlashDone: programming flash memory.

extension Session {
  /// `vFlashErase:address,length`
  func eraseFlash(_ flash: any FlashTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let (address, length) = try packet.addressAndLength()
    try packet.expectEnd()
    guard length > 0 else { return .ok }
    guard length - 1 <= UInt64.max - address else { throw .badAddress(.max) }
    try flash.eraseFlash(at: address, length: length)
    return .ok
  }

  /// `vFlashWrite:address:bytes`
  func writeFlash(_ flash: any FlashTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let address = try packet.number(UInt64.self)
    try packet.expect(":")
    let bytes = Array(packet.rest)
    guard !bytes.isEmpty else { return .ok }
    guard UInt64(bytes.count) - 1 <= UInt64.max - address else { throw .badAddress(.max) }
    try flash.writeFlash(bytes, at: address)
    return .ok
  }

  func finishFlash(_ flash: any FlashTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    try flash.flashDone()
    return .ok
  }
}
