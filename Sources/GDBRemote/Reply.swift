/// What a packet handler answers.
enum Reply {
  case ok
  /// The empty packet.
  case unsupported
  case payload([UInt8])
  case failure(TargetError)
  /// Nothing now: a stop reply follows, or the packet has no answer.
  case none

  static func text(_ text: String) -> Reply { .payload(Array(text.utf8)) }
}
