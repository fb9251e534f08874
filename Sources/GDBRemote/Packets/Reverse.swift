// bc, bs: letting the guest run backwards.

extension Session {
  func reverseContinue(_ target: any ReverseTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    return try run { () throws(TargetError) in try target.reverseContinue() }
  }

  func reverseStep(_ target: any ReverseTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    let thread = try selectedThread()
    return try run { () throws(TargetError) in try target.reverseStep(thread) }
  }
}
