// Serves a machine to GDB and LLDB over a socket: owns the listening socket and the thread the sessions live on.

import GDBRemote
import Machine
import Monitor
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
    /// Port 0 lets the system choose. An empty host is `localhost`: this machine only, by IPv4 and IPv6.
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
    /// Carries out a line of GDB's `monitor …`, on a thread of its own, and returns what it prints after what `run` has
    /// been given. Without it the command is refused.
    public var monitor: (@Sendable (_ line: String, _ run: CommandRun) -> String)?
    /// What such commands may use.
    public var files = HostFiles.none
    /// Called on the server's thread when a client kills the guest that will not start it again (GDB's `target remote`).
    /// Without it the guest stays, reset and halted, as for others.
    public var onKill: (@Sendable () -> Void)?
    /// Called on the server's thread when a client has left the guest that could have started it again.
    public var onLeave: (@Sendable () -> Void)?
    /// Seconds a second client waits for the first one to leave before it is told to go away.
    public var patience = 0.5

    public init() {}
  }

  private struct Parts: Sendable {
    let group: MultiThreadedEventLoopGroup
    let commands: NIOThreadPool
    let loop: any EventLoop
    let listeners: [any Channel]
    let reception: Reception
    let address: Address
    let socketPath: SocketPath?
  }

  public let machine: Machine
  public let options: Options
  private let wanted: Address
  private let parts = Mutex<Parts?>(nil)
  private let attendance = Attendance()

  public init(_ machine: Machine, address: Address, options: Options = Options()) {
    self.machine = machine
    self.options = options
    if case .tcp("", let port) = address {
      wanted = .tcp(host: "localhost", port: port)
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
    let loop = group.any()
    let target = MachineTarget(machine, options: options, loop: loop, commands: commands)
    let reception = Reception(target, attendance, loop: loop, patience: options.patience)
    do throws(DebugServerError) {
      let listeners = try Listener(group, reception).open(wanted)
      var address = wanted
      if case .tcp(let host, _) = wanted {
        address = .tcp(host: host, port: listeners.first?.localAddress?.port ?? 0)
      }
      reception.listenToMachine()
      let socketPath: SocketPath? = if case .unix(let path) = wanted { SocketPath(bound: path) } else { nil }
      let made = Parts(
        group: group, commands: commands, loop: loop, listeners: listeners, reception: reception, address: address,
        socketPath: socketPath)
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
    for listener in parts.listeners { try? listener.close().wait() }
    parts.socketPath?.remove()
    Self.shutDown(parts.group, parts.commands)
  }

  /// Whether a client is attached that has started the guest itself (GDB's `run`), and may do so again after its end.
  public var mayRestart: Bool { attendance.hasStarted.load(ordering: .sequentiallyConsistent) }

  /// How a guest ends.
  public enum End: Sendable {
    case exited(Int32)
    /// By a signal, in GDB's numbering.
    case killed(UInt8)
  }

  /// Before the program ends: whoever lets the guest run hears how it ended, and everybody is sent what is on its way.
  /// Waits for that, and for monitor commands under way, but never longer than `seconds`.
  public func finish(_ end: End, within seconds: Double = 2) {
    guard let parts = parts.withLock({ $0 }) else { return }
    let reason: StopReason =
      switch end {
      case .exited(let code): .exited(UInt8(truncatingIfNeeded: code))
      case .killed(let signal): .terminated(Signal(rawValue: signal))
      }
    let isDone = Guarded(false)
    parts.commands.submit { [machine] _ in
      // What observers of the machine's last stop are still to be told comes before.
      machine.perform { _ in }
      parts.loop.execute { parts.reception.finish(reason).whenComplete { _ in isDone.change { $0 = true } } }
    }
    _ = isDone.wait(nanoseconds: UInt64(max(0, seconds) * 1e9)) { $0 ? true : nil }
    parts.socketPath?.remove()
  }

  private static func shutDown(_ group: MultiThreadedEventLoopGroup, _ commands: NIOThreadPool) {
    // Nothing can be done about threads that do not end.
    try? commands.syncShutdownGracefully()
    try? group.syncShutdownGracefully()
  }
}
