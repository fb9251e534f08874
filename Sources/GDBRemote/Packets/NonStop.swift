// QNonStop, vStopped, %Stop: threads that run and halt each for itself (GDB manual, sections "Remote Non-Stop" and
// "Notification Packets").

/// What a session knows of non-stop mode.
struct NonStopState {
  /// Stops that the client has not acknowledged, one a thread. It has been sent the first of them.
  var stops: [StopReason] = []
  /// Stops of threads that were halted when the client came, to be announced when it is done with the first.
  var laterStops: [StopReason] = []

  mutating func add(_ reason: StopReason) {
    if case .stopped(let stop) = reason, contains(stop.thread) { return }
    stops.append(reason)
  }

  mutating func forget() { self = NonStopState() }

  /// Whether the client may not know that `thread` has halted.
  func contains(_ thread: ThreadID) -> Bool {
    (stops + laterStops).contains { if case .stopped(let stop) = $0 { stop.thread == thread } else { false } }
  }
}

extension Session {
  /// `QNonStop:1` or `0`, for a target that can.
  func setNonStop(_ target: any NonStopTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let isOn = packet.skip("1")
    if !isOn { try packet.expect("0") }
    try packet.expectEnd()
    if isOn != isNonStop {
      if phase == .halted || phase == .running {
        try target.setNonStop(isOn)
        phase = .halted
      }
      dropPending()
      nonStop = isOn ? NonStopState() : nil
    }
    return .ok
  }

  /// `QNonStop:0`, for one that cannot.
  func stayAllStop(_ packet: inout PacketReader) throws(TargetError) -> Reply {
    guard packet.skip("0"), packet.isAtEnd else { throw .invalid("the target has no non-stop mode") }
    return .ok
  }

  /// `vStopped`: the client has the stop that it was sent, and wants the next.
  func sendNextStop(_ target: any NonStopTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    try packet.expectEnd()
    if nonStop?.stops.isEmpty == false { nonStop?.stops.removeFirst() }
    return firstStop
  }

  /// `?`: one of the threads that are halted. `vStopped` could bring the others, but GDB 13 fails when it has more than one
  /// stop to deal with while it connects.
  func reportHaltedThreads() -> Reply {
    let stops = haltedThreads
    nonStop?.stops = Array(stops.prefix(1))
    nonStop?.laterStops = Array(stops.dropFirst())
    return firstStop
  }

  /// The client goes on with `payload` after its `?`.
  func announceLaterStops(behind payload: [UInt8]) {
    guard let stops = nonStop?.laterStops, !stops.isEmpty, payload != Array("?".utf8),
      payload != Array("vStopped".utf8)
    else { return }
    nonStop?.laterStops.removeAll()
    for reason in stops { notify(of: reason) }
  }

  private var firstStop: Reply { nonStop?.stops.first.map { .payload(payload(of: $0)) } ?? .ok }

  private var haltedThreads: [StopReason] {
    guard let target = capabilities.nonStop else { return [] }
    return threads.compactMap { target.stop(of: $0).map(StopReason.stopped) }
  }

  /// A thread has halted, or the guest has ended.
  func notify(of reason: StopReason) {
    guard phase == .halted else { return }
    switch reason {
    case .stopped(let stop): if leftProcesses.contains(stop.thread.process) { return }
    case .exited, .terminated: leaveGuest(.ended, reason)
    }
    let isFirst = nonStop?.stops.isEmpty == true
    nonStop?.add(reason)
    if isFirst { sendNotification(Array("Stop:".utf8) + payload(of: reason)) }
  }

  /// The client has taken up or started the guest, in non-stop mode.
  /// - Parameter isAnswer: the packet is answered by the stop of the first thread.
  func enterGuest(_ target: any NonStopTarget, isAnswer: Bool) throws(TargetError) -> Reply {
    phase = .halted
    nonStop = NonStopState()
    try target.setNonStop(true)
    var stops = haltedThreads
    if isAnswer, !stops.isEmpty {
      let first = stops.removeFirst()
      if case .stopped(let stop) = first { generalThread = ThreadSelector(stop.thread) }
      send(.payload(payload(of: first)))
    } else {
      send(.ok)
    }
    for reason in stops { notify(of: reason) }
    return .none
  }

  /// Lets threads go on and halts others, as `plan` says. What the client does not know to be halted stays so.
  func resumeThreads(_ target: any NonStopTarget, _ plan: ResumePlan) throws(TargetError) -> Reply {
    let named = threads.compactMap { thread in
      plan.entries.first { $0.threads.matches(thread) }.map { (thread: thread, entry: $0) }
    }
    guard !named.isEmpty else { throw .noSuchThread }
    let entries = named.filter { nonStop?.contains($0.thread) == false }.map { thread, entry in
      ResumePlan.Entry(entry.action, signal: entry.signal, threads: ThreadSelector(thread))
    }
    if !entries.isEmpty {
      traceView.frame = nil
      try target.resume(ResumePlan(entries))
    }
    return .ok
  }

  /// The thread chosen by `Hg`, whose registers are meant.
  func selectedHaltedThread() throws(TargetError) -> ThreadID {
    let thread = try selectedThread()
    if isNonStop, let target = capabilities.nonStop, target.stop(of: thread) == nil {
      throw .busy("the thread is running")
    }
    return thread
  }
}
