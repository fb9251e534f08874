// Owns all outputs of a run: their making, and the wait at the end for those who have not read everything yet.

import Glibc
import Machine
import Synchronization

final class Outputs: Sendable {
  let gate = OutputGate()
  let standard: Output
  let standardError: Output
  private let verdict: Verdict
  private let all: Mutex<[Output]>

  init(_ verdict: Verdict) {
    self.verdict = verdict
    standard = Output(1, .file, name: "standard output", gate, verdict)
    standardError = Output(2, .file, name: "standard error", gate, verdict)
    all = Mutex([standard, standardError])
  }

  /// - Parameter isGuests: a slow reader holds the guest.
  func make(_ descriptor: Int32, _ peer: Output.Peer, name: String, isGuests: Bool = true) -> Output {
    let output = Output(descriptor, peer, name: name, isGuests ? gate : nil, verdict)
    all.withLock { $0.append(output) }
    return output
  }

  /// An output to a file, made anew.
  func file(_ path: String, of flag: String) throws(Failure) -> Output {
    make(try Descriptors.open(path, of: flag), .file, name: "\(flag): \(path)")
  }

  /// Ends an output whose reader is gone.
  func close(_ output: Output) {
    all.withLock { $0.removeAll { $0 === output } }
    output.close()
  }

  /// Nanoseconds without any reading after which somebody who wants the end is not kept waiting.
  private static let patience: UInt64 = 500_000_000

  /// Waits until all is written, however long readers take; or, once `isUrgent`, as long as they go on reading.
  ///
  /// - Parameter look: called again and again meanwhile.
  /// - Returns: what was not read.
  func settle(isUrgent: () -> Bool, look: () -> Void) -> [(name: String, count: Int)] {
    let slice = Self.patience / 20
    var last = Int.max
    var quiet: UInt64 = 0
    while true {
      let waiting = all.withLock { $0 }.filter { $0.count > 0 }
      guard let first = waiting.first else { return [] }
      let total = waiting.reduce(0) { $0 + $1.count }
      quiet = total < last ? 0 : quiet + slice
      last = total
      if quiet >= Self.patience, isUrgent() { return waiting.map { ($0.name, $0.count) } }
      look()
      first.settle(nanoseconds: slice)
    }
  }
}

/// Standard output before and without a run.
enum StandardOutput {
  /// Prints a text and the end of its line. A reader that has left, such as `head`, has read enough.
  static func show(_ text: String) throws(Failure) {
    let number = Descriptors.write(Array((text + "\n").utf8), to: 1)
    guard number != 0, number != EPIPE else { return }
    throw Failure(code: .outputFailed, message: "standard output: \(HostFile.reason(number))")
  }
}
