// Z, z: breakpoints and watchpoints.

extension Session {
  /// `Z type,address,kind`
  func insertBreakpoint(_ target: any BreakpointTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try target.insert(try breakpoint(&packet))
    return .ok
  }

  /// `z type,address,kind`
  func removeBreakpoint(_ target: any BreakpointTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try target.remove(try breakpoint(&packet))
    return .ok
  }

  private func breakpoint(_ packet: inout PacketReader) throws(TargetError) -> Breakpoint {
    let type = try packet.number(UInt8.self)
    guard let kind = Breakpoint.Kind(rawValue: type) else { throw .unsupported("unknown type of breakpoint") }
    try packet.expect(",")
    let (address, length) = try packet.addressAndLength()
    guard packet.isAtEnd else { throw .invalid("breakpoint conditions and commands are not supported") }
    switch kind {
    case .writeWatchpoint, .readWatchpoint, .accessWatchpoint:
      guard length > 0, length - 1 <= UInt64.max - address else { throw .badAddress(address) }
    case .software, .hardware: break
    }
    return Breakpoint(kind, at: address, length: length)
  }
}
