// Owns the exit codes of `martlet`.

/// What the exit code says. With `--exit-code-from-guest` a guest that switches itself off gives its own code instead.
enum ExitCode: Int32, CaseIterable {
  /// The guest switched itself off without complaint, `--expect` saw its text, or the user quit.
  case success = 0
  /// The guest reported failure, or ended without printing the text of `--expect`.
  case guestFailure = 1
  /// A flag, a file or a devicetree cannot be used; the message says which, where, and what to do.
  case badInput = 2
  /// `--timeout` ran out.
  case timeout = 3
  /// The guest can do nothing sensible any more, such as raising the same exception for ever.
  case lockUp = 4
  /// A fault of Martlet or a limit of this host.
  case internalError = 5
  /// Output is lost: a disk is full, or nobody read it to the end.
  case outputFailed = 6
  /// `--max-instructions` have run.
  case instructionLimit = 7

  var meaning: String {
    switch self {
    case .success: "the guest switched itself off, the text of --expect was seen, or the user quit"
    case .guestFailure: "the guest reported failure, or ended before the text of --expect"
    case .badInput: "a flag, file or devicetree cannot be used"
    case .timeout: "--timeout ran out"
    case .lockUp: "the guest is locked up"
    case .internalError: "a fault of Martlet or a limit of this host"
    case .outputFailed: "output is lost: a disk is full, or nobody read it to the end"
    case .instructionLimit: "--max-instructions have run"
    }
  }
}

/// A reason to end with a message.
struct Failure: Error {
  var code: ExitCode
  var message: String

  /// Something the user gave cannot be used: what, where, what to do.
  static func usage(_ message: String) -> Failure { Failure(code: .badInput, message: message) }
}
