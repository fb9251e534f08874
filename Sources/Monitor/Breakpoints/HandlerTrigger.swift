// Owns breakpoints on exceptions and interrupts.

import Bits
import Engine
import GuestKit
import Machine

/// Waits for handlers to be entered, and stops before their first instruction.
final class HandlerTrigger: EventTrigger {
  weak var owner: Breakpoint?
  private let isInterrupt: Bool
  /// Nil for all of them.
  private let wanted: [ExceptionID]?
  private let name: String
  private let guest: any Guest

  /// - Parameter word: a name, a pattern of names or a number; nil: all exceptions, or interrupts.
  init(_ word: String?, isInterrupt: Bool, _ memory: DebugMemory) throws(MonitorError) {
    guest = memory.guest
    self.isInterrupt = isInterrupt
    guard let word else {
      (wanted, name) = (nil, "")
      return
    }
    let found = try Self.find(word, isInterrupt: isInterrupt, memory)
    wanted = found
    let guest = guest
    name = found.map { Self.describe($0, guest) }.joined(separator: ", ")
  }

  var kind: String { isInterrupt ? "interrupt" : "exception" }
  func place(_ memory: DebugMemory) -> String { name }
  var watches: [DebugWatch] { [.handlers] }

  func stops(_ vcpu: VCPU, at event: DebugEvent) -> String? {
    guard case .handler(let cause, let pc) = event, let owner else { return nil }
    let id = guest.exceptionID(cause)
    guard wanted?.contains(id) ?? (id.isInterrupt == isInterrupt) else { return nil }
    let origin = owner.machine.map { DebugMemory(machine: $0, vcpu: vcpu).symbolSuffix(pc) } ?? ""
    let number = id.isInterrupt && guest.exceptionName(cause).hasSuffix(String(id.number)) ? "" : " (\(id.number))"
    return owner.stops(vcpu, because: "\(guest.exceptionName(cause))\(number), from \(pc.hex0x())\(origin)")
  }

  // MARK: Names

  private static func describe(_ id: ExceptionID, _ guest: any Guest) -> String {
    let named = guest.namedCauses.first { guest.exceptionID($0) == id }.map { guest.exceptionName($0) + " " }
    return (named ?? "") + "(\(id.number))"
  }

  /// By number, by name, by the beginning of one name, or by a pattern of names.
  private static func find(
    _ word: String, isInterrupt: Bool, _ memory: DebugMemory
  ) throws(MonitorError) -> [ExceptionID] {
    let guest = memory.guest
    let named = guest.namedCauses.map { (name: guest.exceptionName($0), id: guest.exceptionID($0)) }
    if word.first?.isNumber == true {
      return [ExceptionID(number: try Expression.value(word, memory), isInterrupt: isInterrupt)]
    }
    let plain = plain(word)
    let exact = named.filter { Self.plain($0.name) == plain }
    if let first = exact.first { return [first.id] }
    if Glob.isPattern(word) {
      let found = named.filter { Glob(plain).matches(Self.plain($0.name)) }
      if !found.isEmpty { return found.map(\.id) }
    } else {
      let found = named.filter { Self.plain($0.name).hasPrefix(plain) }
      if found.count == 1 { return found.map(\.id) }
      if found.count > 1 { throw .ambiguous(word, found.map(\.name)) }
    }
    let list = named.map { "\($0.name) (\($0.id.isInterrupt ? "interrupt " : "")\($0.id.number))" }
    throw .refused(
      "no exception or interrupt is called '\(word)'; there are: \(list.joined(separator: ", ")); or give a number")
  }

  /// Without what people leave out or write otherwise.
  private static func plain(_ name: String) -> String {
    name.lowercased().filter { $0 != " " && $0 != "_" && $0 != "-" }
  }
}
