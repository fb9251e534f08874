/// Serves a machine to GDB and LLDB over a socket: owns the listening socket and the thread the sessions live on.
import GDBRemote
import Machine
import NIOCore
import NIOPosix
import Synchronization

/// A server for the GDB remote protocol, for one machine.
///
/// All sessions live on one event-loop thread, which reaches the machine through `Machine.perform`; the machine's thread
/// never waits for it. The machine must have been started, and must not be shut down before ``stop()``.
public final class DebugServer: Sendable {
  /// Where clients connect.
  public enum Address: Hashable, Sendable, CustomStringConvertible {
    /// Port 0 lets the system choose; an empty host is this machine only.
    case tcp(host: String, port: Int)
    case unix(path: String)

    /// As GDB's `target remote` takes it.
    public var description: String {
      switch self {
      case .tcp(let host, let port): "\(host):\(port)"
      case .unix(let path): path
      }
    }
  }

  /// What becomes of the guest when a client vanishes without detaching.
  public enum DropPolicy: Sendable {
    /// It stays as it was, running or halted.
    case keep
    case resume
    case halt
  }

  public struct Options: Sendable {
    public var onDrop = DropPolicy.keep
    /// Carries out a line of GDB's `monitor …`, on a thread of its own, and returns what it prints. Without it the
    /// command is refused.
    public var monitor: (@Sendable (_ line: String) -> String)?
    /// Called on the server's thread when a client kills the guest. Without it a kill is a detach.
    public var onKill: (@Sendable () -> Void)?
    /// Seconds a second client waits for the first one to leave before it is told to go away.
    public var patience = 0.5

    public init() {}
  }

  private struct Parts: Sendable {
    let group: MultiThreadedEventLoopGroup
    let commands: NIOThreadPool
    let listener: any Channel
    let reception: Reception
    let address: Address
  }

  public let machine: Machine
  public let options: Options
  private let wanted: Address
  private let parts = Mutex<Parts?>(nil)

  public init(_ machine: Machine, address: Address, options: Options = Options()) {
    self.machine = machine
    self.options = options
    if case .tcp("", let port) = address {
      wanted = .tcp(host: "127.0.0.1", port: port)
    } else {
      wanted = address
    }
  }

  /// The address served, with the port the system chose; nil while the server is stopped.
  public var address: Address? { parts.withLock { $0?.address } }

  /// The TCP port served.
  public var port: Int? {
    guard case .tcp(_, let port) = address else { return nil }
    return port
  }

  /// Begins to serve. Returns once clients can connect.
  public func start() throws(DebugServerError) {
    guard address == nil else { throw .alreadyStarted }
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let commands = NIOThreadPool(numberOfThreads: 1)
    commands.start()
    let target = MachineTarget(machine, options: options, loop: group.any(), commands: commands)
    let reception = Reception(target, loop: group.any(), patience: options.patience)
    do throws(DebugServerError) {
      let listener = try Listener(group, reception).open(wanted)
      var address = wanted
      if case .tcp(let host, _) = wanted {
        address = .tcp(host: host, port: listener.localAddress?.port ?? 0)
      }
      reception.listenToMachine()
      let made = Parts(group: group, commands: commands, listener: listener, reception: reception, address: address)
      parts.withLock { $0 = made }
    } catch {
      Self.shutDown(group, commands)
      throw error
    }
  }

  /// Closes all connections; the guest stays as it is, without the clients' breakpoints. Not from the server's thread.
  public func stop() {
    let parts = parts.withLock { parts in
      defer { parts = nil }
      return parts
    }
    guard let parts else { return }
    parts.reception.close()
    // A socket that is closed already is what is wanted.
    try? parts.listener.close().wait()
    if case .unix(let path) = parts.address { Listener.remove(path) }
    Self.shutDown(parts.group, parts.commands)
  }

  private static func shutDown(_ group: MultiThreadedEventLoopGroup, _ commands: NIOThreadPool) {
    // Nothing can be done about threads that do not end.
    try? commands.syncShutdownGracefully()
    try? group.syncShutdownGracefully()
  }
}
