// Owns breakpoints on what the guest prints.

import Engine
import Machine

/// Waits for text that fits a regular expression, a line at a time, and stops at the next point where interrupts are taken.
final class ConsoleTrigger: EventTrigger, ConsoleReader {
  weak var owner: Breakpoint?
  private let regex: Regex<AnyRegexOutput>
  private let source: String
  /// By device, the line that is not complete yet, and whether it has been hit already.
  private var lines: [String: (bytes: [UInt8], isHit: Bool)] = [:]
  /// Lines that have been hit since anybody was told.
  private var found: [String] = []
  private weak var machine: Machine?

  /// Bytes of a line that are looked at; of a longer one, its last.
  private static let longestLine = 512
  private static let mostFound = 64

  /// - Parameter text: a regular expression as Swift has them, perhaps between slashes.
  init(_ text: String) throws(MonitorError) {
    let isQuoted = text.count >= 2 && text.hasPrefix("/") && text.hasSuffix("/")
    source = isQuoted ? String(text.dropFirst().dropLast()) : text
    guard !source.isEmpty else { throw .refused("the regular expression is empty") }
    do { regex = try Regex(source) } catch { throw .refused("'\(source)' is no regular expression: \(error)") }
  }

  var kind: String { "console" }
  func place(_ memory: DebugMemory) -> String { "/\(source)/" }
  var watches: [DebugWatch] { [.output] }

  func arm(_ machine: Machine) {
    self.machine = machine
    lines.removeAll()
    machine.taps.add(self)
    for watch in watches { machine.engine.insert(watch, self) }
  }

  func disarm(_ machine: Machine) {
    machine.taps.remove(self)
    machine.engine.remove(self)
    found.removeAll()
  }

  func printed(_ bytes: [UInt8], by source: String) {
    for piece in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      if piece.offset > 0 { lines[source] = ([], false) }
      guard !piece.element.isEmpty else { continue }
      var line = lines[source] ?? ([], false)
      for byte in piece.element where byte != UInt8(ascii: "\r") { line.bytes.append(byte) }
      if line.bytes.count > Self.longestLine { line.bytes.removeFirst(line.bytes.count - Self.longestLine) }
      if !line.isHit {
        let text = String(decoding: line.bytes, as: UTF8.self)
        line.isHit = (try? regex.firstMatch(in: text)) != nil
        if line.isHit { note(text) }
      }
      lines[source] = line
    }
  }

  private func note(_ line: String) {
    if found.count < Self.mostFound { found.append(line) }
    machine?.engine.debug.events.noteOutput()
    machine?.engine.kick()
  }

  func stops(_ vcpu: VCPU, at event: DebugEvent) -> String? {
    guard case .output = event, let owner else { return nil }
    let lines = found
    found.removeAll()
    var reason: String?
    for line in lines {
      let text = owner.stops(vcpu, because: "the console shows '\(line)'")
      reason = reason ?? text
    }
    return reason
  }
}
