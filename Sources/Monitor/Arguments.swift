// Owns the arguments of one command: words given to its parameters, checked and evaluated before the command begins.

import Machine

/// What a command was given, by its parameters' names.
struct Arguments: Sendable {
  let command: Command
  /// After the `/` of the command's name.
  let format: String
  private let texts: [String: [String]]
  private var numbers: [String: UInt64] = [:]
  /// All that the parameter which is a place means; not empty if it was given.
  private(set) var places: [UInt64] = []
  /// The command was given `--json`.
  let wantsJSON: Bool

  /// - Throws: what is missing, does not fit, or is too much.
  init(_ command: Command, format: String, _ words: [String], wantsJSON: Bool) throws(MonitorError) {
    let match = ParameterMatch(command.parameters, words)
    if let (parameter, word) = match.unmet {
      guard let word, case .words(let choices) = parameter.kind else { throw .usage(command.synopsis) }
      throw .refused("'\(word)' is none of \(choices.joined(separator: ", ")); usage: \(command.synopsis)")
    }
    if let word = match.left.first {
      throw .refused("'\(word)' is a word too many for '\(command.name)'; usage: \(command.synopsis)")
    }
    self.command = command
    self.format = format
    texts = match.words
    self.wantsJSON = wantsJSON
  }

  /// The word of a parameter; nil if there is none.
  subscript(name: String) -> String? { texts[name]?.first }
  func all(_ name: String) -> [String] { texts[name] ?? [] }
  /// The value of a parameter that is an expression.
  func number(_ name: String) -> UInt64? { numbers[name] }
  func count(else other: Int) -> Int { numbers["COUNT"].map { Int($0) } ?? other }
  var address: UInt64? { numbers["ADDR"] }
  /// Where code is that the parameter which is a place means.
  /// - Throws: if that is at several places.
  func place(_ memory: DebugMemory) throws(MonitorError) -> UInt64? {
    try self["PLACE"].map { text throws(MonitorError) in try memory.one(of: places, text) }
  }
  var usage: MonitorError { .usage(command.synopsis) }

  /// With the values of all expressions, as the hart that `memory` shows has them.
  func evaluated(_ memory: DebugMemory) throws(MonitorError) -> Arguments {
    var result = self
    try result.evaluate(command.parameters, memory)
    return result
  }

  private mutating func evaluate(_ parameters: [Parameter], _ memory: DebugMemory) throws(MonitorError) {
    for parameter in parameters {
      try evaluate(parameter.following, memory)
      guard let text = self[parameter.name] else { continue }
      switch parameter.kind {
      case .number: numbers[parameter.name] = try Expression.value(text, memory)
      case .count:
        guard let value = try? Expression.value(text, memory), (1...UInt64(Int.max)).contains(value) else {
          throw .refused("'\(text)' is no count (1 or more)")
        }
        numbers[parameter.name] = value
      case .address: numbers[parameter.name] = try memory.address(of: text)
      case .code: numbers[parameter.name] = try memory.codeAddress(of: text)
      case .place:
        places = try memory.places(of: text, skipsPrologue: true)
        numbers[parameter.name] = places[0]
      case .words, .text, .watchable, .register, .block, .device, .pass, .command: break
      }
    }
  }
}

extension DebugMemory {
  /// A guest address: an expression, cut to the guest's address width.
  func address(of text: String) throws(MonitorError) -> UInt64 {
    let value = try Expression.value(text, self)
    return guest.addressBits == 32 ? value & 0xFFFF_FFFF : value
  }
}
