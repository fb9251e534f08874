// Owns the opening of the listening socket.

import Glibc
import NIOCore
import NIOPosix

struct Listener {
  private let group: MultiThreadedEventLoopGroup
  private let reception: Reception

  init(_ group: MultiThreadedEventLoopGroup, _ reception: Reception) {
    self.group = group
    self.reception = reception
  }

  func open(_ address: DebugServer.Address) throws(DebugServerError) -> [any Channel] {
    switch address {
    case .tcp(_, let port) where !(0...65535).contains(port):
      throw .cannotListen(address, reason: "ports go from 0 to 65535")
    case .tcp("localhost", let port): return try openLoopback(port)
    case .tcp(let host, let port): return [try openTCP(host, port)]
    case .unix(let path):
      return [
        try words(for: address) {
          do throws(SocketPath.Obstacle) { try SocketPath.clear(path) } catch {
            if error == .inUse { throw DebugServerError.addressInUse(address) }
            throw DebugServerError.cannotListen(address, reason: "\(error); choose another path with -gdb unix:PATH")
          }
          return try bootstrap(isTCP: false).bind(unixDomainSocketPath: path).wait()
        }
      ]
    }
  }

  /// The same port by IPv4 and IPv6, or by the one of them that the system has: clients take `localhost` for either.
  private func openLoopback(_ port: Int) throws(DebugServerError) -> [any Channel] {
    var refusal: DebugServerError?
    // A port that the system chooses for one family may be taken in the other.
    for _ in 0..<(port == 0 ? 16 : 1) {
      let first: any Channel
      do throws(DebugServerError) { first = try openTCP("127.0.0.1", port) } catch {
        if case .cannotListen = error, let only = try? openTCP("::1", port) { return [only] }
        throw error
      }
      do throws(DebugServerError) { return [first, try openTCP("::1", first.localAddress?.port ?? port)] } catch {
        guard case .addressInUse = error else { return [first] }
        // A socket that is closed already is what is wanted.
        try? first.close().wait()
        refusal = error
      }
    }
    throw refusal ?? .cannotListen(.tcp(host: "localhost", port: port), reason: "no port is free")
  }

  private func openTCP(_ host: String, _ port: Int) throws(DebugServerError) -> any Channel {
    try words(for: .tcp(host: host, port: port)) { try bootstrap(isTCP: true).bind(host: host, port: port).wait() }
  }

  /// What goes wrong in `body`, in words for the user.
  private func words(
    for address: DebugServer.Address, _ body: () throws -> any Channel
  ) throws(DebugServerError) -> any Channel {
    do { return try body() } catch let error as DebugServerError {
      throw error
    } catch let error as IOError where error.errnoCode == EADDRINUSE {
      throw .addressInUse(address)
    } catch let error as IOError {
      throw .cannotListen(address, reason: unsafe String(cString: strerror(error.errnoCode)))
    } catch {
      throw .cannotListen(address, reason: "\(error)")
    }
  }

  private func bootstrap(isTCP: Bool) -> ServerBootstrap {
    let bootstrap = ServerBootstrap(group: group)
      .childChannelInitializer { [reception] channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(ConnectionHandler(reception, channel))
        }
      }
    guard isTCP else { return bootstrap }
    return bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
  }
}
