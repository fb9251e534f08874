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
    case closed
  }

  private static let waitingLimit = 1 << 16
  private static let refusal = "E.another debugger is attached to this machine"

  private let reception: Reception
  private let channel: any Channel
  private var state = State.waiting([])

  init(_ reception: Reception, _ channel: any Channel) {
    self.reception = reception
    self.channel = channel
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

  // MARK: From the socket

  func channelActive(context: ChannelHandlerContext) {
    reception.arrived(self)
  }

  func channelInactive(context: ChannelHandlerContext) {
    let last = session
    state = .closed
    reception.left(self, last)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data).readableBytesView
    switch state {
    case .attached(let session): session.receive(bytes)
    case .waiting(let earlier) where earlier.count + bytes.count <= Self.waitingLimit: state = .waiting(earlier + bytes)
    case .waiting: context.close(promise: nil)
    case .refused: answerRefused(bytes)
    case .closed: break
    }
  }

  /// A client that sends faster than it reads has to wait.
  func channelWritabilityChanged(context: ChannelHandlerContext) {
    channel.setOption(.autoRead, value: channel.isWritable).whenFailure { [channel] _ in channel.close(promise: nil) }
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
