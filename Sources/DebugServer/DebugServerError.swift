// Owns what keeps a debug server from starting, in words for the user.

public enum DebugServerError: Error, Hashable, Sendable, CustomStringConvertible {
  case alreadyStarted
  /// Somebody else listens at the address.
  case addressInUse(DebugServer.Address)
  case cannotListen(DebugServer.Address, reason: String)

  public var description: String {
    switch self {
    case .alreadyStarted: "the debug server has already been started"
    case .addressInUse(.tcp(let host, let port)):
      "cannot wait for GDB: port \(port) of \(host) is in use; end the program that uses it, or choose another port with"
        + " -gdb tcp::PORT (0: any free one)"
    case .addressInUse(.unix(let path)):
      "cannot wait for GDB: another program listens at \(path); choose another path with -gdb unix:PATH"
    case .cannotListen(let address, let reason): "cannot wait for GDB at \(address): \(reason)"
    }
  }
}
