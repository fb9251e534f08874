// c, C, s, S, vCont, vCtrlC: letting the guest run, and stopping it.

extension Session {
  /// `c [address]`
  func continueAt(_ target: any Resumable, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try resume(target, .continue, signal: nil, address: try startAddress(&packet))
  }

  /// `C signal[;address]`
  func continueWithSignal(_ target: any Resumable, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let signal = try signal(&packet)
    return try resume(target, .continue, signal: signal, address: try addressAfterSignal(&packet))
  }

  /// `s [address]`
  func stepAt(_ target: any Resumable, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try resume(target, .step, signal: nil, address: try startAddress(&packet))
  }

  /// `S signal[;address]`
  func stepWithSignal(_ target: any Resumable, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let signal = try signal(&packet)
    return try resume(target, .step, signal: signal, address: try addressAfterSignal(&packet))
  }

  func listActions(_ target: any Resumable, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    return .text("vCont;c;C;s;S;t;r")
  }

  /// `vCont;action[:thread-id];…`
  func resumeThreads(_ target: any Resumable, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    var entries: [ResumePlan.Entry] = []
    while !packet.isAtEnd {
      var field = PacketReader(Array(packet.field(upTo: ";")))
      entries.append(try entry(&field))
    }
    return try resume(target, ResumePlan(entries))
  }

  func requestInterrupt(_ target: any Resumable, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    send(.ok)
    interruptGuest()
    return .none
  }

  /// The session takes the guest for running before `start` is called, which may report the stop at once. An interrupt
  /// that came before is for this run.
  func run(_ start: () throws(TargetError) -> Void) throws(TargetError) -> Reply {
    guard !isNonStop else { throw .invalid("in non-stop mode threads go on by vCont") }
    phase = .running
    traceView.frame = nil
    do throws(TargetError) {
      try start()
    } catch {
      if phase == .running { phase = .halted }
      throw error
    }
    if isInterruptPending, phase == .running { capabilities.resumable?.interrupt() }
    return .none
  }

  private func resume(
    _ target: any Resumable, _ action: ResumePlan.Action, signal: Signal?, address: UInt64?
  ) throws(TargetError) -> Reply {
    guard !isNonStop else { throw .invalid("in non-stop mode threads go on by vCont") }
    var threads = continueThreads ?? ThreadSelector(process: .any, thread: .any)
    if threads.thread == .any {
      threads = action == .step || address != nil ? ThreadSelector(try selectedThread()) : .all
    }
    return try resume(target, ResumePlan([.init(action, signal: signal, threads: threads)], startAddress: address))
  }

  private func resume(_ target: any Resumable, _ plan: ResumePlan) throws(TargetError) -> Reply {
    if isNonStop, let target = capabilities.nonStop { return try resumeThreads(target, plan) }
    guard threads.contains(where: { plan.entry(for: $0) != nil }) else { throw .noSuchThread }
    isFileCallPending = false
    return try run { () throws(TargetError) in try target.resume(plan) }
  }

  /// `action[:thread-id]`
  private func entry(_ field: inout PacketReader) throws(TargetError) -> ResumePlan.Entry {
    var action = ResumePlan.Action.continue
    var signal: Signal?
    if field.skip("c") {
      action = .continue
    } else if field.skip("s") {
      action = .step
    } else if field.skip("C") {
      signal = try self.signal(&field)
    } else if field.skip("S") {
      action = .step
      signal = try self.signal(&field)
    } else if field.skip("r") {
      let start = try field.number(UInt64.self)
      try field.expect(",")
      let end = try field.number(UInt64.self)
      action = start < end ? .stepRange(start..<end) : .step
    } else {
      guard field.skip("t") else { throw .invalid("malformed packet: unknown action") }
      action = .halt
    }
    let threads = field.skip(":") ? try field.threadSelector() : .all
    try field.expectEnd()
    return .init(action, signal: signal, threads: threads)
  }

  private func signal(_ packet: inout PacketReader) throws(TargetError) -> Signal {
    Signal(rawValue: try packet.number(UInt8.self))
  }

  private func addressAfterSignal(_ packet: inout PacketReader) throws(TargetError) -> UInt64? {
    if packet.isAtEnd { return nil }
    try packet.expect(";")
    return try startAddress(&packet)
  }

  private func startAddress(_ packet: inout PacketReader) throws(TargetError) -> UInt64? {
    if packet.isAtEnd { return nil }
    let address = try packet.number(UInt64.self)
    try packet.expectEnd()
    return address
  }
}
