// Owns the connecting of serial devices and monitors to their ports.

import DebugServer
import Glibc
import Machine

/// Connects ports to who sends and receives there.
final class Connections {
  private let loop: EventLoop
  private let outputs: Outputs
  private var socketPaths: [SocketPath] = []

  init(_ loop: EventLoop, _ outputs: Outputs) {
    self.loop = loop
    self.outputs = outputs
  }

  /// Removes what listening leaves in the file system.
  func end() {
    for path in socketPaths { path.remove() }
    socketPaths.removeAll()
  }

  /// Connects a serial line. Ports that wait for a peer hold the start of the machine up.
  ///
  /// - Parameters:
  ///   - label: how messages call it.
  ///   - input: receives what the peer sends.
  /// - Returns: a condition that holds while a peer is still waited for.
  func connect(
    _ line: SerialLine, to port: Port, flag: String, label: String, input: @escaping ([UInt8]) -> Void
  ) throws(Failure) -> () -> Bool {
    switch port {
    case .terminal, .none: return { false }
    case .file(let path): line.connect(try outputs.file(path, of: flag))
    case .pipe(let path):
      let hasPair = unsafe access(path + ".in", F_OK) == 0
      let read = try Descriptors.pipe(hasPair ? path + ".in" : path, of: flag)
      let write = hasPair ? try Descriptors.pipe(path + ".out", of: flag) : read
      line.connect(outputs.make(write, .file, name: "\(flag): \(path)", isGuests: line.isGuests))
      loop.watch(read) { input(Descriptors.read(read)) }
    case .pty:
      let (master, path) = try Descriptors.pty(of: flag)
      Log.note("\(label) is at \(path)")
      line.connect(outputs.make(master, .pseudoTerminal(path: path), name: "\(flag): \(path)", isGuests: line.isGuests))
      loop.watch(master) { [loop] in
        let bytes = Descriptors.read(master)
        if bytes.isEmpty { loop.rest(master, seconds: 0.1) } else { input(bytes) }
      }
    case .tcp(let host, let port, let listens, let waits):
      let socket = try Descriptors.tcp(host, port, listens: listens, of: flag)
      return attach(line, socket, listens, waits, "\(label) at \(host):\(port)", input)
    case .unix(let path, let listens, let waits):
      let socket = try Descriptors.unix(path, listens: listens, of: flag)
      if listens, let made = SocketPath(bound: path) { socketPaths.append(made) }
      return attach(line, socket, listens, waits, "\(label) at \(path)", input)
    }
    return { false }
  }

  private func attach(
    _ line: SerialLine, _ socket: Int32, _ listens: Bool, _ waits: Bool, _ label: String,
    _ input: @escaping ([UInt8]) -> Void
  ) -> () -> Bool {
    guard listens else {
      serve(line, socket, label, input)
      return { false }
    }
    let peers = Peers()
    loop.watch(socket) { [self] in
      let peer = accept(socket, nil, nil)
      guard peer >= 0 else { return }
      guard peers.current < 0 else {
        close(peer)
        return
      }
      peers.current = peer
      serve(line, peer, label) { bytes in
        if bytes.isEmpty { peers.current = -1 }
        input(bytes)
      }
    }
    if waits { Log.note("waiting for a connection to \(label)") }
    return { waits && peers.current < 0 }
  }

  private final class Peers {
    var current: Int32 = -1
  }

  /// - Parameter input: also told of the end, by no bytes.
  private func serve(
    _ line: SerialLine, _ socket: Int32, _ label: String, _ input: @escaping ([UInt8]) -> Void
  ) {
    let output = outputs.make(socket, .program, name: label, isGuests: line.isGuests)
    line.connect(output)
    loop.watch(socket) { [self] in
      let bytes = Descriptors.read(socket)
      if bytes.isEmpty {
        line.connect(nil)
        loop.forget(socket)
        outputs.close(output)
      }
      input(bytes)
    }
  }
}
