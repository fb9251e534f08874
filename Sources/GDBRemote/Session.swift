/// One client's conversation with one target: bytes in through `receive`, bytes out through the closure given at the
/// start. It does no input or output of its own and knows no threads: whoever owns it makes all calls one after the
/// other, those of `stopped` and `CommandOutput` included. None may come from within the output closure.
///
/// What takes long, and answers to a client that sends without reading, are done in slices: as long as ``hasWork`` holds
/// the owner calls ``work()``, at best when the client has taken what was sent, and reads no more from it meanwhile.
///
/// The session holds its target; a target that wants to report stops holds its session weakly.
public final class Session {
  public struct Configuration: Sendable {
    /// The largest payload accepted, in bytes; announced as `PacketSize`. Replies keep to it too.
    public var packetSize: Int
    public var runLengthEncoding: Bool
    /// The most bytes one `qCRC` or `qSearch:memory` goes through.
    public var scanLimit: UInt64
    /// About how many bytes are answered, taken in or gone through before others get their turn.
    public var sliceSize = 1 << 18

    public init(packetSize: Int = 0x20000, runLengthEncoding: Bool = false, scanLimit: UInt64 = 1 << 28) {
      self.packetSize = max(packetSize, 512)
      self.runLengthEncoding = runLengthEncoding
      self.scanLimit = scanLimit
    }
  }

  /// What the client believes of the guest.
  public enum Phase: Equatable, Sendable {
    case halted, running
    /// The client has left it.
    case detached
    /// It has exited or was killed.
    case ended
  }

  public let target: any Target
  public let configuration: Configuration
  public internal(set) var phase = Phase.halted
  /// Set by `!`: the session is to outlive the guest.
  public internal(set) var isExtended = false
  /// The client, in extended mode, has started the guest itself (`vRun`), and may do so again after its end.
  public internal(set) var hasStartedGuest = false

  let capabilities: Capabilities
  /// Features the client announced in `qSupported`.
  var clientFeatures: Set<String> = []
  var acknowledges = true
  /// LLDB wants all threads named in each stop reply.
  var listsThreadsInStops = false
  /// Threads chosen by `Hg` and `Hc`.
  var generalThread: ThreadSelector?
  var continueThreads: ThreadSelector?
  var unlistedThreads: ArraySlice<ThreadID> = []
  /// The client carries out a file call of the guest, or still does though the guest waits for it no more.
  var isFileCallPending = false
  /// What the guest asks for in place of the call under way.
  var nextFileCall: FileCall?
  /// A 0x03 that no stop has answered yet.
  var isInterruptPending = false
  /// Processes that the client has left while it stayed with others.
  var leftProcesses: Set<UInt32> = []
  /// In non-stop mode.
  var nonStop: NonStopState?
  /// What the client looks at of tracing.
  var traceView = TraceView()
  /// How the guest ended, for a client that asks.
  var ending = StopReason.exited(0)

  private let output: ([UInt8]) -> Void
  private var inbox: [UInt8] = []
  /// How much of the inbox has been taken.
  private var taken = 0
  private var job: Reply.Job?
  private var outbox: [UInt8] = []
  private var decoder: PacketDecoder
  private let encoder: PacketEncoder
  private var lastFrame: [UInt8] = []
  private var repeatsLeft = 0
  private var isCommandPending = false
  /// A packet that came while it was: GDB sends one only if its user did not want to wait for the end. The command shows
  /// nothing more, is to end, and then the packet is answered.
  private var waitingPacket: [UInt8]?
  private var delayedStop: StopReason?

  /// - Parameter output: takes bytes for the client, always whole packets.
  public init(target: any Target, configuration: Configuration = .init(), output: @escaping ([UInt8]) -> Void) {
    self.target = target
    self.configuration = configuration
    self.output = output
    capabilities = Capabilities(of: target)
    decoder = PacketDecoder(maximumSize: configuration.packetSize)
    encoder = PacketEncoder(runLengthEncoding: configuration.runLengthEncoding)
  }

  /// Takes bytes from the client, in portions of any size, and answers what they complete, or a slice of that. Nothing
  /// a client can send is an error here: what makes no sense is answered as the protocol provides, or ignored.
  public func receive(_ bytes: some Sequence<UInt8>) {
    inbox += bytes
    work()
  }

  /// Whether some of what has come is not answered yet.
  public var hasWork: Bool { job != nil || waitingPacket == nil && taken < inbox.count }

  /// Answers the next slice of what has come.
  public func work() {
    var effort = 0
    while hasWork, effort < configuration.sliceSize {
      let before = outbox.count
      if let job {
        carryOut(job)
        effort += Self.pieceSize
      } else {
        effort += 1
        taken += 1
        if let event = decoder.decode(inbox[taken - 1]) { handle(event) }
      }
      effort += outbox.count - before
    }
    if taken == inbox.count {
      inbox.removeAll(keepingCapacity: true)
      taken = 0
    }
    flush()
  }

  private func carryOut(_ job: Reply.Job) {
    do throws(TargetError) {
      guard let reply = try job() else { return }
      self.job = nil
      send(reply)
    } catch {
      self.job = nil
      send(.failure(error))
    }
  }

  /// Whether threads run and halt each for itself, as the client has asked for.
  public var isNonStop: Bool { nonStop != nil }

  /// The guest has halted, or in non-stop mode one of its threads. Told to the client if it believes the guest running,
  /// ignored otherwise.
  public func stopped(_ reason: StopReason) {
    if isNonStop {
      notify(of: reason)
      return flush()
    }
    guard phase == .running else { return }
    if isCommandPending {
      delayedStop = reason
      return
    }
    send(.payload(report(reason)))
    flush()
  }

  /// Shows text on the client's console; possible only while the guest runs, dropped otherwise.
  public func showConsole(_ text: String) {
    guard phase == .running, !isCommandPending, !isFileCallPending else { return }
    sendConsole(text)
    flush()
  }

  /// Passes a file call of the running guest to the client. A call that the client still carries out is given up: the
  /// new one follows once the client has answered, and that answer is dropped.
  /// - Throws: `.busy` if the client waits for no guest; `.unsupported` if the target is no `FileIOTarget`.
  public func request(_ call: FileCall) throws(TargetError) {
    guard capabilities.fileIO != nil else { throw .unsupported("the target takes no file calls") }
    guard phase == .running, !isCommandPending else { throw .busy("the client waits for no call") }
    if isFileCallPending {
      nextFileCall = call
      return
    }
    isFileCallPending = true
    send(.payload(call.payload))
    flush()
  }

  private func handle(_ event: PacketDecoder.Event) {
    switch event {
    case .packet(let payload):
      if acknowledges { outbox.append(UInt8(ascii: "+")) }
      guard isCommandPending else {
        send(answer(payload))
        return announceLaterStops(behind: payload)
      }
      waitingPacket = payload
      capabilities.monitor?.cancelCommand()
    case .interrupt:
      interruptGuest()
    case .acknowledged:
      repeatsLeft = 0
    case .rejected:
      guard acknowledges, repeatsLeft > 0 else { return }
      repeatsLeft -= 1
      outbox += lastFrame
    case .damaged where acknowledges:
      outbox.append(UInt8(ascii: "-"))
    case .damaged:
      send(.failure(TargetError(.inputOutput, "packet with a wrong checksum")))
    case .tooLong:
      if acknowledges { outbox.append(UInt8(ascii: "+")) }
      send(.failure(TargetError(.tooLarge, "packet longer than PacketSize")))
    }
  }

  private func answer(_ payload: [UInt8]) -> Reply {
    guard let row = PacketTable.row(for: payload, capabilities) else { return .unsupported }
    do throws(TargetError) {
      try checkPhase(allows: row.when)
      var reader = PacketReader(payload)
      reader.drop(row.name.count)
      return try row.handle(self, &reader)
    } catch {
      return error.kind == .unsupported ? .unsupported : .failure(error)
    }
  }

  private func checkPhase(allows when: PacketRow.Availability) throws(TargetError) {
    switch (when, phase) {
    case (.always, _), (_, .halted): return
    case (.haltedOrFileCall, .running) where isFileCallPending: return
    case (_, .running): throw .busy("the guest is running")
    case (_, .detached), (_, .ended): throw TargetError(.noSuchThread, "no guest is attached")
    }
  }

  /// Stops the guest, or has its next run stopped: the client may have sent this before it heard of a stop, and let the
  /// guest run on without telling its user.
  func interruptGuest() {
    if isCommandPending {
      capabilities.monitor?.cancelCommand()
      return
    }
    guard phase == .running || phase == .halted else { return }
    if isNonStop {
      capabilities.resumable?.interrupt()
      return
    }
    isInterruptPending = true
    if phase == .running { capabilities.resumable?.interrupt() }
  }
}

// MARK: - Output

extension Session {
  func send(_ reply: Reply) {
    switch reply {
    case .ok: sendPacket(Array("OK".utf8))
    case .unsupported: sendPacket([])
    case .payload(let payload): sendPacket(payload)
    case .failure(let error): sendPacket(describe(error))
    case .job(let job): self.job = job
    case .none: break
    }
  }

  private func sendPacket(_ payload: [UInt8]) {
    let start = outbox.count
    encoder.append(payload, to: &outbox)
    if acknowledges {
      lastFrame = Array(outbox[start...])
      repeatsLeft = 3
    }
  }

  /// Notifications are not acknowledged, nor repeated.
  func sendNotification(_ payload: [UInt8]) { outbox += encoder.notification(payload) }

  private func describe(_ error: TargetError) -> [UInt8] {
    guard clientFeatures.contains("error-message+") else {
      return [UInt8(ascii: "E")] + Hex.encode([error.kind.rawValue])
    }
    return Array("E.".utf8) + error.message.utf8.map { (32..<127).contains($0) ? $0 : UInt8(ascii: "?") }
  }

  private func sendConsole(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let part = rest.prefix(configuration.packetSize / 2 - 1)
      sendPacket([UInt8(ascii: "O")] + Hex.encode(part))
      rest = rest.dropFirst(part.count)
    }
  }

  private func flush() {
    guard !outbox.isEmpty else { return }
    let bytes = outbox
    outbox = []
    output(bytes)
  }
}

// MARK: - Monitor commands

extension Session {
  func runCommand(_ monitor: any MonitorTarget, _ packet: inout PacketReader) throws(TargetError) -> Reply {
    let line = try packet.hexBytes()
    isCommandPending = true
    monitor.runCommand(String(decoding: line, as: UTF8.self), output: CommandOutput(self))
    return .none
  }

  func writeCommandOutput(_ text: String) {
    guard waitingPacket == nil else { return }
    sendConsole(text)
    flush()
  }

  func finishCommand(_ reply: Reply) {
    isCommandPending = false
    if let packet = waitingPacket {
      waitingPacket = nil
      send(answer(packet))
    } else {
      if case .failure(let error) = reply, !clientFeatures.contains("error-message+") {
        sendConsole(error.message + "\n")
      }
      send(reply)
    }
    if let reason = delayedStop, !isCommandPending {
      delayedStop = nil
      stopped(reason)
    }
    work()
  }
}
