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

  func open(_ address: DebugServer.Address) throws(DebugServerError) -> any Channel {
    do {
      switch address {
      case .tcp(let host, let port):
        guard (0...65535).contains(port) else {
          throw DebugServerError.cannotListen(address, reason: "ports go from 0 to 65535")
        }
        return try bootstrap(isTCP: true).bind(host: host, port: port).wait()
      case .unix(let path):
        do {
          return try bootstrap(isTCP: false).bind(unixDomainSocketPath: path).wait()
        } catch let error as IOError where error.errnoCode == EADDRINUSE && isStale(path) {
          Self.remove(path)
          return try bootstrap(isTCP: false).bind(unixDomainSocketPath: path).wait()
        }
      }
    } catch let error as DebugServerError {
      throw error
    } catch let error as IOError where error.errnoCode == EADDRINUSE {
      throw .addressInUse(address)
    } catch let error as IOError {
      throw .cannotListen(address, reason: unsafe String(cString: strerror(error.errnoCode)))
    } catch {
      throw .cannotListen(address, reason: "\(error)")
    }
  }

  static func remove(_ path: String) { _ = unsafe unlink(path) }

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

  /// Whether the socket at `path` was left behind by a program that is gone.
  private func isStale(_ path: String) -> Bool {
    do {
      try ClientBootstrap(group: group).connect(unixDomainSocketPath: path).wait().close().wait()
      return false
    } catch let error as IOError {
      return error.errnoCode == ECONNREFUSED
    } catch {
      return false
    }
  }
}
