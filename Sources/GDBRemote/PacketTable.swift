/// One kind of packet: its name, what answers it, and when.
struct PacketRow: Sendable {
  enum Availability: Sendable {
    case halted
    /// Also while the client carries out a file call of the guest.
    case haltedOrFileCall
    case always
  }

  typealias Handler = @Sendable (Session, inout PacketReader) throws(TargetError) -> Reply

  /// With the separator that ends it, where it has one.
  let name: [UInt8]
  let when: Availability
  /// Announced in `qSupported` when the row is adopted.
  let features: [String]
  let isAdopted: @Sendable (Capabilities) -> Bool
  let handle: Handler

  /// A packet every target answers.
  init(
    _ name: String, _ handler: @escaping @Sendable (Session) -> (inout PacketReader) throws(TargetError) -> Reply,
    when: Availability = .halted, features: String...
  ) {
    self.name = Array(name.utf8)
    self.when = when
    self.features = features
    isAdopted = { _ in true }
    handle = { (session, packet) throws(TargetError) in try handler(session)(&packet) }
  }

  /// A packet for targets with `capability`, which the handler is given.
  init<Capability>(
    _ name: String, _ capability: KeyPath<Capabilities, Capability?> & Sendable,
    _ handler: @escaping @Sendable (Session) -> (Capability, inout PacketReader) throws(TargetError) -> Reply,
    when: Availability = .halted, features: String...
  ) {
    self.name = Array(name.utf8)
    self.when = when
    self.features = features
    isAdopted = { $0[keyPath: capability] != nil }
    handle = { (session, packet) throws(TargetError) in
      guard let adopted = session.capabilities[keyPath: capability] else { return .unsupported }
      return try handler(session)(adopted, &packet)
    }
  }

  /// Whether `payload` is such a packet. Names of one letter are prefixes; longer ones that bring no separator must be
  /// followed by one, or by the end.
  func matches(_ payload: [UInt8]) -> Bool {
    guard payload.starts(with: name) else { return false }
    guard name.count > 1, let last = name.last, Self.isLetter(last), payload.count > name.count else { return true }
    return !Self.isLetter(payload[name.count])
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    switch byte | 0x20 {
    case UInt8(ascii: "a")...UInt8(ascii: "z"): true
    default: false
    }
  }
}

/// All packets, one row each, and one more where a further capability widens a packet: it comes first. What is not here is
/// answered by the empty packet.
enum PacketTable {
  static func row(for payload: [UInt8], _ capabilities: Capabilities) -> PacketRow? {
    rows.first { $0.matches(payload) && $0.isAdopted(capabilities) }
  }

  static let rows: [PacketRow] = state + data + execution + threads + queries + tracing + lldb

  private static let state: [PacketRow] = [
    .init("qSupported", Session.exchangeFeatures, when: .always),
    .init("QStartNoAckMode", Session.stopAcknowledging, when: .always, features: "QStartNoAckMode+"),
    .init("QNonStop:", \.nonStop, Session.setNonStop, when: .always, features: "QNonStop+"),
    .init("QNonStop:", Session.stayAllStop, when: .always),
    .init("?", Session.reportState, when: .always),
    .init("!", \.resettable, Session.enterExtendedMode, when: .always),
    .init("D", Session.detach, when: .always),
    .init("k", \.resettable, Session.kill, when: .always),
    .init("R", \.resettable, Session.restart, when: .always),
    .init("vRun", \.resettable, Session.run, when: .always),
    .init("vKill;", \.resettable, Session.killProcess, when: .always),
    .init("vAttach;", \.resumable, Session.attach, when: .always),
    .init("qAttached", Session.isAttached, when: .always),
  ]

  private static let data: [PacketRow] = [
    .init("g", Session.readRegisters),
    .init("G", Session.writeRegisters),
    .init("p", Session.readRegister),
    .init("P", Session.writeRegister),
    .init("m", Session.readMemory, when: .haltedOrFileCall),
    .init("M", Session.writeMemory, when: .haltedOrFileCall),
    .init("X", Session.writeBinaryMemory, when: .haltedOrFileCall),
    .init("x", Session.readBinaryMemory, when: .haltedOrFileCall, features: "binary-upload+"),
    .init("qCRC:", Session.checksumMemory),
    .init("qSearch:memory:", Session.searchMemory),
    .init("vFlashErase:", \.flash, Session.eraseFlash),
    .init("vFlashWrite:", \.flash, Session.writeFlash),
    .init("vFlashDone", \.flash, Session.finishFlash),
    .init("qqemu.PhyMemMode", \.physicalMemory, Session.readMemoryMode, when: .always),
    .init("Qqemu.PhyMemMode:", \.physicalMemory, Session.setMemoryMode, when: .always),
  ]

  private static let execution: [PacketRow] = [
    .init(
      "Z", \.conditionalBreakpoints, Session.insertConditionalBreakpoint,
      features: "ConditionalBreakpoints+", "BreakpointCommands+"),
    .init("Z", \.breakpoints, Session.insertBreakpoint, features: "swbreak+", "hwbreak+"),
    .init("z", \.breakpoints, Session.removeBreakpoint),
    .init("c", \.resumable, Session.continueAt),
    .init("C", \.resumable, Session.continueWithSignal),
    .init("s", \.resumable, Session.stepAt),
    .init("S", \.resumable, Session.stepWithSignal),
    .init("vCont?", \.resumable, Session.listActions, when: .always, features: "vContSupported+"),
    .init("vCont;", \.resumable, Session.resumeThreads),
    .init("vStopped", \.nonStop, Session.sendNextStop, when: .always),
    .init("vCtrlC", \.resumable, Session.requestInterrupt, when: .always),
    .init("bc", \.reverse, Session.reverseContinue, features: "ReverseContinue+"),
    .init("bs", \.reverse, Session.reverseStep, features: "ReverseStep+"),
    .init("F", \.fileIO, Session.finishFileCall, when: .haltedOrFileCall),
  ]

  private static let threads: [PacketRow] = [
    .init("H", Session.chooseThread, when: .always, features: "multiprocess+"),
    .init("T", Session.isAlive, when: .always),
    .init("qC", Session.currentThread, when: .always),
    .init("qfThreadInfo", Session.listFirstThreads, when: .always),
    .init("qsThreadInfo", Session.listMoreThreads, when: .always),
    .init("qThreadExtraInfo,", \.threadNames, Session.describeThread, when: .always),
    .init("qXfer:threads:read:", Session.readThreads, when: .always, features: "qXfer:threads:read+"),
  ]

  private static let queries: [PacketRow] = [
    .init(
      "qXfer:features:read:", \.description, Session.readDescription, when: .always, features: "qXfer:features:read+"),
    .init(
      "qXfer:memory-map:read:", \.memoryMap, Session.readMemoryMap, when: .always,
      features: "qXfer:memory-map:read+"),
    .init(
      "qXfer:exec-file:read:", \.executable, Session.readExecutablePath, when: .always,
      features: "qXfer:exec-file:read+"),
    .init(
      "qXfer:osdata:read:", \.threadNames, Session.readOSData, when: .always, features: "qXfer:osdata:read+"),
    .init("qSymbol:", \.symbols, Session.lookUpSymbol, when: .always),
    .init("qRcmd,", \.monitor, Session.runCommand, when: .always),
  ]

  private static let tracing: [PacketRow] = [
    .init("QTinit", \.trace, Session.clearTrace),
    .init(
      "QTDP:", \.trace, Session.defineTracepoint,
      features: "ConditionalTracepoints+", "tracenz+", "InstallInTrace+"),
    .init("QTDPsrc:", \.trace, Session.keepTracepointSource, features: "TracepointSource+"),
    .init("QTDV:", \.trace, Session.defineTraceVariable),
    .init("QTro", \.trace, Session.defineReadOnlyMemory),
    .init("QTEnable:", \.trace, Session.enableTracepoint, when: .always, features: "EnableDisableTracepoints+"),
    .init("QTDisable:", \.trace, Session.disableTracepoint, when: .always),
    .init("QTStart", \.trace, Session.startTrace),
    .init("QTStop", \.trace, Session.stopTrace, when: .always),
    .init("QTBuffer:circular:", \.trace, Session.setTraceBufferForm, when: .always),
    .init("QTBuffer:size:", \.trace, Session.setTraceBufferSize, when: .always, features: "QTBuffer:size+"),
    .init("QTDisconnected:", \.trace, Session.setDisconnectedTrace, when: .always, features: "DisconnectedTracing+"),
    .init("QTNotes:", \.trace, Session.setTraceNotes, when: .always),
    .init("qTStatus", \.trace, Session.reportTrace, when: .always),
    .init("qTP:", \.trace, Session.reportTracepoint, when: .always),
    .init("qTfP", \.trace, Session.listTracepoints, when: .always),
    .init("qTsP", \.trace, Session.listMoreTraceLines, when: .always),
    .init("qTfV", \.trace, Session.listTraceVariables, when: .always),
    .init("qTsV", \.trace, Session.listMoreTraceLines, when: .always),
    .init("qTV:", \.trace, Session.readTraceVariable, when: .always),
    .init("QTFrame:", \.trace, Session.selectTraceFrame),
    .init(
      "qXfer:traceframe-info:read:", \.trace, Session.readTraceFrameInfo, features: "qXfer:traceframe-info:read+"),
    .init("qTBuffer:", \.trace, Session.readTraceBuffer),
    .init("Qbtrace:bts", \.branchTrace, Session.startBranchTrace, features: "Qbtrace:bts+"),
    .init("Qbtrace:off", \.branchTrace, Session.stopBranchTrace, features: "Qbtrace:off+"),
    .init("Qbtrace-conf:bts:size=", \.branchTrace, Session.setBranchTraceSize, features: "Qbtrace-conf:bts:size+"),
    .init("qXfer:btrace:read:", \.branchTrace, Session.readBranchTrace, features: "qXfer:btrace:read+"),
    .init("qXfer:btrace-conf:read:", \.branchTrace, Session.readBranchTraceForm, features: "qXfer:btrace-conf:read+"),
  ]

  private static let lldb: [PacketRow] = [
    .init("qHostInfo", \.host, Session.describeHost, when: .always),
    .init("qProcessInfo", \.host, Session.describeProcess, when: .always),
    .init("qMemoryRegionInfo:", \.memoryMap, Session.describeMemory, when: .always),
    .init("qWatchpointSupportInfo:", \.breakpoints, Session.countWatchpoints, when: .always),
    .init("QListThreadsInStopReply", \.host, Session.listThreadsInStops, when: .always),
    .init("jThreadsInfo", \.threadNames, Session.describeThreads),
  ]
}
