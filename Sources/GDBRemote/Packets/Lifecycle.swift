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

  /// Leaves one process of several. Returns false if the client has no other.
  private func leaveProcess(_ process: UInt32) -> Bool {
    guard let target = capabilities.multiprocess, let processes = separateProcesses, processes.contains(process),
      processes.count > 1
    else { return false }
    target.detach(process: process)
    leftProcesses.insert(process)
    if case .only(process)? = generalThread?.process { generalThread = nil }
    if case .only(process)? = continueThreads?.process { continueThreads = nil }
    return true
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
    leftProcesses = []
    dropPending()
    if isNonStop, let target = capabilities.nonStop { return try enterGuest(target, isAnswer: true) }
    phase = .halted
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

  /// Takes up one process of several.
  /// - Returns: The answer, if the client has another one already.
  private func takeUpProcess(_ process: UInt32) throws(TargetError) -> Reply? {
    guard let target = capabilities.multiprocess, isMultiprocess else { return nil }
    let all = Set(self.target.threads.map(\.process))
    guard all.count > 1 else { return nil }
    if phase == .detached || phase == .ended {
      keep(process, of: all, target)
      return nil
    }
    guard leftProcesses.remove(process) != nil else { throw .invalid("process \(process) is attached already") }
    target.attach(process: process)
    if isNonStop { return .ok }
    guard let first = threads.first(where: { $0.process == process }) else { throw .noSuchThread }
    return .payload(report(.stopped(Stop(thread: first))))
  }

  /// A client that has connected has the first process of several, and attaches to others: GDB finds out about the
  /// registers of a process only when it does.
  func keepFirstProcess() {
    guard let target = capabilities.multiprocess, let processes = separateProcesses,
      let first = self.target.threads.first
    else { return }
    keep(first.process, of: processes, target)
  }

  private func keep(_ process: UInt32, of all: Set<UInt32>, _ target: any MultiprocessTarget) {
    leftProcesses = all.subtracting([process])
    target.attach(process: process)
    for other in leftProcesses { target.detach(process: other) }
  }

  /// `qAttached[:process]`; 1, so that a client that leaves detaches from the guest and does not kill it.
  func isAttached(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    .text("1")
  }

  private func checkProcess(_ process: UInt32) throws(TargetError) {
    guard target.threads.contains(where: { $0.process == process }) else {
      throw TargetError(.noSuchThread, "no such process")
    }
  }
}
