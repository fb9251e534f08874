// Z, z: breakpoints and watchpoints, with conditions and commands.

extension Session {
  /// `Z type,address,kind`
  func insertBreakpoint(_ target: any BreakpointTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let breakpoint = try breakpoint(&packet)
    guard packet.isAtEnd else { throw .invalid("breakpoint conditions and commands are not supported") }
    try target.insert(breakpoint)
    return .ok
  }

  /// `Z type,address,kind[;conditions][;cmds:persist,commands]`
  func insertConditionalBreakpoint(
    _ target: any ConditionalBreakpointTarget, _ packet: inout PacketReader
  ) throws(TargetError) -> Reply {
    let breakpoint = try breakpoint(&packet)
    let program = try breakpointProgram(&packet)
    if breakpoint.kind.isForCode {
      try target.insert(breakpoint, program)
    } else {
      guard program.isEmpty else { throw .invalid("conditions and commands are for breakpoints on code only") }
      try target.insert(breakpoint)
    }
    return .ok
  }

  /// `z type,address,kind`
  func removeBreakpoint(_ target: any BreakpointTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let breakpoint = try breakpoint(&packet)
    try packet.expectEnd()
    try target.remove(breakpoint)
    return .ok
  }

  private func breakpoint(_ packet: inout PacketReader) throws(TargetError) -> Breakpoint {
    let type = try packet.number(UInt8.self)
    guard let kind = Breakpoint.Kind(rawValue: type) else { throw .unsupported("unknown type of breakpoint") }
    try packet.expect(",")
    let (address, length) = try packet.addressAndLength()
    if !kind.isForCode {
      guard length > 0, length - 1 <= UInt64.max - address else { throw .badAddress(address) }
    }
    var breakpoint = Breakpoint(kind, at: address, length: length)
    if kind.isForCode, separateProcesses != nil { breakpoint.process = try selectedThread().process }
    return breakpoint
  }

  private func breakpointProgram(_ packet: inout PacketReader) throws(TargetError) -> BreakpointProgram {
    var program = BreakpointProgram()
    while packet.skip(";") {
      if packet.skip("c") {
        for character in "mds:".unicodeScalars { try packet.expect(character) }
        program.persists = try packet.number(UInt8.self) != 0
        try packet.expect(",")
        program.commands += try agentExpressions(&packet)
      } else {
        program.conditions += try agentExpressions(&packet)
      }
    }
    try packet.expectEnd()
    return program
  }

  /// One or more of `X length,bytes`, the bytes in hexadecimal.
  private func agentExpressions(_ packet: inout PacketReader) throws(TargetError) -> [AgentExpression] {
    var expressions: [AgentExpression] = []
    repeat {
      expressions.append(try agentExpression(&packet))
      _ = packet.skip(",")
    } while packet.rest.first == UInt8(ascii: "X")
    return expressions
  }

  /// `X length,bytes`
  func agentExpression(_ packet: inout PacketReader) throws(TargetError) -> AgentExpression {
    try packet.expect("X")
    let count = try packet.number(UInt16.self)
    try packet.expect(",")
    return try AgentExpression(try packet.hexBytes(count: Int(count)))
  }
}
