// m, M, X, x: memory, as the thread chosen by Hg sees it.

extension Session {
  /// `m address,length`
  func readMemory(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    .payload(Hex.encode(try memory(&packet, limit: configuration.packetSize / 2)))
  }

  /// `x address,length`; the reply is `b` and the bytes.
  func readBinaryMemory(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    .payload([UInt8(ascii: "b")] + (try memory(&packet, limit: configuration.packetSize / 2 - 1)))
  }

  /// `M address,length:digits`
  func writeMemory(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    let (address, length) = try packet.addressAndLength()
    try packet.expect(":")
    try write(try packet.hexBytes(), at: address, length: length)
    return .ok
  }

  /// `X address,length:bytes`
  func writeBinaryMemory(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    let (address, length) = try packet.addressAndLength()
    try packet.expect(":")
    try write(Array(packet.rest), at: address, length: length)
    return .ok
  }

  private func memory(_ packet: inout PacketReader, limit: Int) throws(TargetError) -> [UInt8] {
    let (address, length) = try packet.addressAndLength()
    try packet.expectEnd()
    guard length > 0 else { return [] }
    return try memory(at: address, length: length, limit: limit, thread: try selectedThread())
  }

  /// At least one and at most `limit` bytes of the `length` (not 0) wanted.
  func memory(at address: UInt64, length: UInt64, limit: Int, thread: ThreadID) throws(TargetError) -> [UInt8] {
    let last = min(length - 1, UInt64.max - address, UInt64(limit) - 1)
    let count = Int(last) + 1
    if let bytes = try traceMemory(at: address, count: count) { return bytes }
    let bytes = try target.readMemory(at: address, count: count, thread: thread)
    guard !bytes.isEmpty else { throw .badAddress(address) }
    return bytes.count > count ? Array(bytes.prefix(count)) : bytes
  }

  private func write(_ bytes: [UInt8], at address: UInt64, length: UInt64) throws(TargetError) {
    guard UInt64(bytes.count) == length else { throw .invalid("malformed packet: length and data disagree") }
    guard length > 0 else { return }
    guard length - 1 <= UInt64.max - address else { throw .badAddress(.max) }
    try checkNoTraceFrame()
    try target.writeMemory(bytes, at: address, thread: try selectedThread())
  }
}
