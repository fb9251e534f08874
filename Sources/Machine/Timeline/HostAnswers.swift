// Owns what the host's files answered to a guest, for when the guest asks again in a past that is run again.

import Glibc

/// What came of a call of the host's for a file.
struct HostAnswer: Codable, Equatable, Sendable {
  var value = 0
  /// Its `errno`, if it failed.
  var failure: Int32 = 0
  /// What was read.
  var bytes: [UInt8] = []
}

/// The answers so far, in their order.
final class HostAnswers {
  private var known: [HostAnswer] = []
  /// How many were given before those that are known.
  private var first = 0
  /// How many the guest has got, where it stands now.
  var position = 0
  /// They are to be known later; else none is.
  var isKept = false
  /// Bytes that they take, about.
  private(set) var bytes = 0

  /// The answer to the next call: what it was, or, if it has never been made, what the host says now.
  func next(_ ask: () -> HostAnswer) -> HostAnswer {
    if position - first < known.count {
      position += 1
      return known[position - first - 1]
    }
    let answer = ask()
    if isKept {
      known.append(answer)
      position += 1
      bytes += Self.size(answer)
    }
    return answer
  }

  /// Those that were given, after so many.
  func known(from count: Int) -> [HostAnswer] { Array(known.dropFirst(max(0, count - first))) }

  /// Takes over what was known elsewhere; so many were given before.
  func take(_ answers: [HostAnswer], after count: Int) {
    (known, first, position) = (answers, count, count)
    bytes = answers.reduce(0) { $0 + Self.size($1) }
  }

  /// Nobody will go back behind this many.
  func forget(before position: Int) {
    let count = min(max(0, position - first), known.count)
    bytes -= known.prefix(count).reduce(0) { $0 + Self.size($1) }
    known.removeFirst(count)
    first += count
  }

  /// What would follow does not any more.
  func forgetFuture() {
    let count = first + known.count - position
    bytes -= known.suffix(count).reduce(0) { $0 + Self.size($1) }
    known.removeLast(count)
  }

  private static func size(_ answer: HostAnswer) -> Int { answer.bytes.count + 48 }
}
