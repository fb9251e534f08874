// Owns one connection: bytes between its socket and its session.

import GDBRemote
import NIOCore

/// A client's connection. Everything in it happens on the server's event loop.
final class ConnectionHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private enum State {
    /// Another client is attached; what this one has sent so far is kept.
    case waiting([UInt8])
    case attached(Session)
    case refused
    /// Nothing more is answered; what was sent is on its way.
    case closing
    case closed
  }

  private static let waitingLimit = 1 << 16
  private static let refusal = "E.another debugger is attached to this machine"

  private let reception: Reception
  private let channel: any Channel
  private var state = State.waiting([])
  private var isReading = true
  /// The session's next slice of work is on the event loop's list.
  private var isWorkScheduled = false
  private let departure: EventLoopPromise<Void>

  init(_ reception: Reception, _ channel: any Channel) {
    self.reception = reception
    self.channel = channel
    departure = channel.eventLoop.makePromise()
  }

  var session: Session? {
    if case .attached(let session) = state { session } else { nil }
  }

  // MARK: From the reception

  /// The machine is this client's now.
  func attach(to target: MachineTarget) {
    guard case .waiting(let bytes) = state else { return }
    let session = Session(target: target) { [channel] bytes in
      channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }
    state = .attached(session)
    session.receive(bytes)
    goOn(session)
  }

  /// The machine is somebody else's: every packet is answered by an error that says so.
  func refuse() {
    guard case .waiting(let bytes) = state else { return }
    state = .refused
    answerRefused(bytes)
  }

  func close() {
    state = .closed
    channel.close(promise: nil)
  }

  /// How long a client has to hang up after the last packet.
  private static let farewell = TimeAmount.milliseconds(200)

  /// Sends what was written, then the end of the stream.
  /// - Returns: ready once the client has closed its side too, or had time to.
  func drain() -> EventLoopFuture<Void> {
    state = .closing
    setReading(true)
    let loop = channel.eventLoop
    let sent = loop.makePromise(of: Void.self)
    let done = loop.makePromise(of: Void.self)
    departure.futureResult.cascade(to: done)
    sent.futureResult.whenComplete { _ in loop.scheduleTask(in: Self.farewell) { done.succeed() } }
    channel.close(mode: .output, promise: sent)
    return done.futureResult
  }

  // MARK: From the socket

  func channelActive(context: ChannelHandlerContext) {
    reception.arrived(self)
  }

  func channelInactive(context: ChannelHandlerContext) {
    let last = session
    state = .closed
    reception.left(self, last)
  }

  func handlerRemoved(context: ChannelHandlerContext) { departure.succeed() }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data).readableBytesView
    switch state {
    case .attached(let session):
      session.receive(bytes)
      goOn(session)
    case .waiting(let earlier) where earlier.count + bytes.count <= Self.waitingLimit: state = .waiting(earlier + bytes)
    case .waiting: context.close(promise: nil)
    case .refused: answerRefused(bytes)
    case .closing, .closed: break
    }
  }

  /// A client that sends faster than it reads has to wait.
  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if let session { goOn(session) } else { setReading(channel.isWritable) }
  }

  /// Sees to what the session has left to do: others get their turn before, and the client takes what it was sent.
  private func goOn(_ session: Session) {
    reception.note(hasStarted: session.hasStartedGuest)
    setReading(channel.isWritable && !session.hasWork)
    guard session.hasWork, channel.isWritable, !isWorkScheduled else { return }
    isWorkScheduled = true
    // Not at once: the loop looks at its sockets only when no task is due.
    channel.eventLoop.assumeIsolated().scheduleTask(in: .microseconds(50)) { [self] in
      isWorkScheduled = false
      guard let session = self.session else { return }
      session.work()
      goOn(session)
    }
  }

  private func setReading(_ isWanted: Bool) {
    guard isWanted != isReading else { return }
    isReading = isWanted
    channel.setOption(.autoRead, value: isWanted).whenFailure { [channel] _ in channel.close(promise: nil) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  private func answerRefused(_ bytes: some Sequence<UInt8>) {
    let count = bytes.count { $0 == UInt8(ascii: "#") }
    guard count > 0 else { return }
    let payload = Array(Self.refusal.utf8)
    let answer = [UInt8(ascii: "+")] + PacketEncoder(runLengthEncoding: false).packet(payload)
    channel.writeAndFlush(ByteBuffer(bytes: (0..<count).flatMap { _ in answer }), promise: nil)
  }
}
