/// A target with commands of its own, typed at GDB as `monitor …`.
public protocol MonitorTarget: Target {
  /// Carries out one line. May come while the guest runs. The command may go on after the return: it ends with
  /// `finish` or `fail` of `output`, which must come, and until then the session answers no other packet.
  func runCommand(_ command: String, output: CommandOutput)
  /// The client wants the command to end soon.
  func cancelCommand()
}

extension MonitorTarget {
  public func cancelCommand() {}
}

/// Takes the output of one monitor command to the client. To be used where the session is used.
public final class CommandOutput {
  private weak var session: Session?

  init(_ session: Session) {
    self.session = session
  }

  /// Shows `text` at once; it brings its own line ends.
  public func write(_ text: String) {
    session?.writeCommandOutput(text)
  }

  public func finish() {
    end(.ok)
  }

  /// Ends the command as failed. A client that reads no messages in errors is shown the message as output first.
  public func fail(_ error: TargetError) {
    end(.failure(error))
  }

  private func end(_ reply: Reply) {
    session?.finishCommand(reply)
    session = nil
  }
}
