// g, G, p, P: registers of the thread chosen by Hg.

extension Session {
  func readRegisters(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    if let frame = traceView.frame { return .payload(registers(of: frame).flatMap(\.hex)) }
    return .payload(try target.readRegisters(of: try selectedHaltedThread()).flatMap(\.hex))
  }

  func writeRegisters(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    let bytes = try packet.hexBytes()
    try checkNoTraceFrame()
    try target.writeRegisters(bytes, of: try selectedHaltedThread())
    return .ok
  }

  /// `p n`
  func readRegister(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    let number = try packet.number(UInt32.self)
    try packet.expectEnd()
    let value = try target.readRegister(Int(number), of: try selectedHaltedThread())
    return .payload((traceView.frame.map { register(Int(number), of: $0, live: value) } ?? value).hex)
  }

  /// `P n=value`
  func writeRegister(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    let number = try packet.number(UInt32.self)
    try packet.expect("=")
    let bytes = try packet.hexBytes()
    guard !bytes.isEmpty else { throw .invalid("malformed packet: register value expected") }
    try checkNoTraceFrame()
    try target.writeRegister(Int(number), bytes, of: try selectedHaltedThread())
    return .ok
  }
}
