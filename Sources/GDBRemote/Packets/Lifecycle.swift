// !, D, k, R, vRun, vKill, vAttach, qAttached: beginning and end of a debugging session.

extension Session {
  func enterExtendedMode(_ target: any Resettable, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    isExtended = true
    return .ok
  }

  /// `D[;process]`
  func detach(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    if packet.skip(";") {
      let process = try packet.number(UInt32.self)
      try packet.expectEnd()
      try checkProcess(process)
      if leaveProcess(process) { return .ok }
    }
    try packet.expectEnd()
    if phase == .halted || phase == .running { capabilities.resumable?.detach() }
    hasStartedGuest = false
    leftProcesses = []
    nonStop?.forget()
    leaveGuest(.detached)
    return .ok
  }

  /// `k`, which has no answer.
  func kill(_ target: any Resettable, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    kill(target)
    return .none
  }

  /// `vKill;process`
  func killProcess(_ target: any Resettable, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try checkProcess(try packet.number(UInt32.self))
    try packet.expectEnd()
    if separateProcesses != nil {
      throw TargetError(
        .notPermitted, "a cluster cannot be killed by itself: detach it, or reset the machine ('monitor system_reset')")
    }
    kill(target)
    return .ok
  }

  private func kill(_ target: any Resettable) {
    guard phase == .halted || phase == .running else { return }
    target.kill(mayRestart: isExtended)
    nonStop?.forget()
    leaveGuest(.ended, .terminated(.kill))
  }

  /// The client has nothing to do with the guest any more: it lists no threads until it attaches or starts it again.
  func leaveGuest(_ phase: Phase, _ ending: StopReason = .exited(0)) {
    self.phase = phase
    self.ending = ending
    dropPending()
  }

  /// Forgets what the client and the guest still wanted of each other.
  func dropPending() {
    isFileCallPending = false
    nextFileCall = nil
    isInterruptPending = false
  }

  /// `R XX`, which has no answer; the digits mean nothing.
  func restart(_ target: any Resettable, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try target.restart(arguments: [])
    dropPending()
    phase = .halted
    if isNonStop {
      try capabilities.nonStop?.setNonStop(true)
      nonStop = NonStopState()
    }
    return .none
  }

  /// `vRun;filename[;argument]…`, each in hexadecimal; answered by a stop reply.
  func run(_ target: any Resettable, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    var arguments: [String] = []
    if packet.skip(";") {
      repeat {
        guard let bytes = Hex.decode(packet.field(upTo: ";")) else { throw .invalid("malformed packet: argument") }
        arguments.append(String(decoding: bytes, as: UTF8.self))
      } while !packet.isAtEnd
    }
    try packet.expectEnd()
    try target.restart(arguments: arguments)
    hasStartedGuest = isExtended
    dropPending()
    phase = .halted
    leftProcesses = []
    keepFirstProcess()
    if isNonStop, let target = capabilities.nonStop { return try enterGuest(target, isAnswer: true) }
    return try reportState()
  }

  /// `vAttach;process`; stops the guest and is answered by a stop reply.
  func attach(_ target: any Resumable, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let process = try packet.number(UInt32.self)
    try checkProcess(process)
    try packet.expectEnd()
    if let reply = try takeUpProcess(process) { return reply }
    dropPending()
    if isNonStop, let target = capabilities.nonStop { return try enterGuest(target, isAnswer: false) }
    if phase != .running { phase = .halted }
    return try reportState()
  }

  /// `qAttached[:process]`; 1, so that a client that leaves detaches from the guest and does not kill it.
  func isAttached(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    .text("1")
  }
}
