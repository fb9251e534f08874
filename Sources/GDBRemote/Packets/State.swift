// qSupported, QStartNoAckMode, ?, and the stop replies.

extension Session {
  /// Features that are announced only to clients that announce them too.
  private static let mutualFeatures: Set<String> = ["multiprocess+"]

  /// `qSupported[:feature;…]`; the answer is made of what the rows of the packet table announce.
  func exchangeFeatures(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    _ = packet.skip(":")
    let isFirst = clientFeatures.isEmpty
    clientFeatures = Set(packet.text.split(separator: ";").map(String.init))
    if isFirst { keepFirstProcess() }
    var features = ["PacketSize=" + String(configuration.packetSize, radix: 16)]
    for row in PacketTable.rows where row.isAdopted(capabilities) {
      features += row.features.filter { !Self.mutualFeatures.contains($0) || clientFeatures.contains($0) }
    }
    if clientFeatures.contains("error-message+") { features.append("error-message+") }
    return .text(features.joined(separator: ";"))
  }

  func stopAcknowledging(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    acknowledges = false
    return .ok
  }

  func reportState(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    return try reportState()
  }

  /// The stop reply for the guest's state; a running guest is stopped first, and reports by `stopped`. Without a guest
  /// it is how it ended.
  func reportState() throws(TargetError) -> Reply {
    if phase == .detached || phase == .ended { return .payload(payload(of: ending)) }
    if isNonStop { return reportHaltedThreads() }
    isInterruptPending = false
    if let reason = target.haltReason { return .payload(report(reason)) }
    guard let resumable = capabilities.resumable else { throw .busy("the guest is running") }
    return try run { resumable.interrupt() }
  }

  /// Takes over that the guest has halted for `reason`.
  /// - Returns: The stop reply.
  func report(_ reason: StopReason) -> [UInt8] {
    switch reason {
    case .stopped(var stop):
      if !leftProcesses.isEmpty, leftProcesses.contains(stop.thread.process), let thread = threads.first {
        // In a process that is not the client's: to it the guest has just stopped.
        stop.thread = thread
        return report(.stopped(Stop(thread: stop.thread, signal: stop.signal)))
      }
      phase = .halted
      if stop.signal == .interrupt { isInterruptPending = false }
      nextFileCall = nil
      generalThread = ThreadSelector(stop.thread)
    case .exited, .terminated: leaveGuest(.ended, reason)
    }
    return payload(of: reason)
  }

  func payload(of reason: StopReason) -> [UInt8] {
    switch reason {
    case .stopped(let stop): payload(of: stop)
    case .exited(let status): [UInt8(ascii: "W")] + Hex.encode([status]) + processSuffix
    case .terminated(let signal): [UInt8(ascii: "X")] + Hex.encode([signal.rawValue]) + processSuffix
    }
  }

  private var processSuffix: [UInt8] {
    guard isMultiprocess else { return [] }
    return Array(";process:\(String(target.threads.first?.process ?? 1, radix: 16))".utf8)
  }

  private func payload(of stop: Stop) -> [UInt8] {
    var reply = [UInt8(ascii: "T")] + Hex.encode([stop.signal.rawValue])
    func append(_ name: String, _ value: some Sequence<UInt8>) {
      reply += Array(name.utf8) + [UInt8(ascii: ":")] + Array(value) + [UInt8(ascii: ";")]
    }
    for (number, value) in stop.registers {
      append(String(UInt(bitPattern: number), radix: 16), value.hex)
    }
    append("thread", text(of: stop.thread).utf8)
    for (name, value) in threadsInStop { append(name, value.utf8) }
    if let core = stop.core { append("core", String(UInt(bitPattern: core), radix: 16).utf8) }
    switch stop.cause {
    case .signal: break
    case .softwareBreakpoint: if clientFeatures.contains("swbreak+") { append("swbreak", []) }
    case .hardwareBreakpoint: if clientFeatures.contains("hwbreak+") { append("hwbreak", []) }
    case .watchpoint(let kind, let address): append(kind.name, String(address, radix: 16).utf8)
    case .replayLogBegin: append("replaylog", "begin".utf8)
    case .replayLogEnd: append("replaylog", "end".utf8)
    }
    return reply
  }
}

extension Stop.WatchpointKind {
  fileprivate var name: String {
    switch self {
    case .write: "watch"
    case .read: "rwatch"
    case .access: "awatch"
    }
  }
}
