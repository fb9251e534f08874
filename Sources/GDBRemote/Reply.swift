/// What a packet handler answers.
enum Reply {
  /// Does a piece of work; nil: there is more.
  typealias Job = () throws(TargetError) -> Reply?

  case ok
  /// The empty packet.
  case unsupported
  case payload([UInt8])
  case failure(TargetError)
  /// The answer takes long: what the job comes to, piece by piece.
  case job(Job)
  /// Nothing now: a stop reply follows, or the packet has no answer.
  case none

  static func text(_ text: String) -> Reply { .payload(Array(text.utf8)) }
}
