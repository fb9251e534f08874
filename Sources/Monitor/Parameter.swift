// Owns what a command takes: a declaration that usage, completion and the reading of arguments are derived from.

/// An argument, or several, of a command.
struct Parameter: Sendable {
  enum Kind: Sendable {
    /// Any 64-bit value, of an expression.
    case number
    /// 1 or more.
    case count
    /// A value cut to the guest's addresses.
    case address
    /// Where an instruction is, see ``DebugMemory/places(of:skipsPrologue:)``.
    case code
    /// The same, behind the prologue of a function, and perhaps at several places.
    case place
    /// An address, or a register of a device.
    case watchable
    /// One of these.
    case words([String])
    /// Names that the command looks up itself.
    case text, register, block, device, pass, command
  }
  enum Extent: Sendable {
    case one
    /// All words that are left, as one; up to one that a later parameter names.
    case rest
    /// All words that are left, each for itself.
    case many
  }

  let name: String
  let kind: Kind
  private(set) var isOptional = false
  private(set) var extent = Extent.one
  /// What stands behind it, if it stands there.
  private(set) var following: [Parameter] = []

  init(_ name: String, _ kind: Kind) {
    self.name = name
    self.kind = kind
  }

  static func number(_ name: String) -> Parameter { Parameter(name, .number) }
  static var count: Parameter { Parameter("COUNT", .count) }
  static var address: Parameter { Parameter("ADDR", .address) }
  static func code(_ name: String = "ADDR") -> Parameter { Parameter(name, .code) }
  static var place: Parameter { Parameter("PLACE", .place) }
  static func words(_ name: String, _ words: String...) -> Parameter { Parameter(name, .words(words)) }
  static func text(_ name: String) -> Parameter { Parameter(name, .text) }
  static func block(_ name: String = "ADDR|#BLOCK") -> Parameter { Parameter(name, .block) }

  private func with(_ change: (inout Parameter) -> Void) -> Parameter {
    var copy = self
    change(&copy)
    return copy
  }
  var optional: Parameter { with { $0.isOptional = true } }
  var rest: Parameter { with { $0.extent = .rest } }
  var many: Parameter { with { $0.extent = .many } }
  func then(_ parameters: Parameter...) -> Parameter { with { $0.following = parameters } }

  /// As `help` shows it: `[before|after [PASS]]`.
  var usage: String {
    let label = if case .words(let words) = kind { words.joined(separator: "|") } else { name }
    let text = ([label + (extent == .many ? "…" : "")] + following.map(\.usage)).joined(separator: " ")
    return isOptional ? "[\(text)]" : text
  }

  func fits(_ word: String) -> Bool {
    if case .words(let words) = kind { words.contains(word) } else { true }
  }

  fileprivate func names(_ word: String) -> Bool {
    if case .words(let words) = kind { words.contains(word) } else { false }
  }
}

/// Gives words to parameters, from left to right.
struct ParameterMatch {
  /// Words by parameter's name.
  private(set) var words: [String: [String]] = [:]
  /// Those that the next word might be for.
  private(set) var open: [Parameter] = []
  /// A parameter that must have a word and has none, or one that does not fit.
  private(set) var unmet: (parameter: Parameter, word: String?)?
  /// Words that nothing takes.
  private(set) var left: ArraySlice<String>

  /// Whether one more word is to come.
  private let isOpen: Bool

  init(_ parameters: [Parameter], _ words: [String], isOpen: Bool = false) {
    left = words[...]
    self.isOpen = isOpen
    match(parameters[...], before: [])
  }

  /// - Parameter outer: what comes behind them.
  private mutating func match(_ parameters: ArraySlice<Parameter>, before outer: [Parameter]) {
    for (index, parameter) in zip(parameters.indices, parameters) {
      let later = parameters[(index + 1)...] + outer
      guard let word = left.first else {
        if unmet == nil {
          open.append(parameter)
          if !parameter.isOptional { unmet = (parameter, nil) }
        }
        continue
      }
      if parameter.isOptional {
        let mandatory = later.count { !$0.isOptional }
        guard parameter.fits(word), left.count + (isOpen ? 1 : 0) > mandatory,
          !later.contains(where: { $0.names(word) })
        else { continue }
      }
      guard parameter.fits(word) else {
        unmet = unmet ?? (parameter, word)
        return
      }
      switch parameter.extent {
      case .one: take([word], for: parameter)
      case .rest:
        let words = left.prefix { word in !later.contains { $0.names(word) } }
        take([words.joined(separator: " ")], count: words.count, for: parameter)
      case .many: take(Array(left), for: parameter)
      }
      if parameter.extent != .one { open.append(parameter) }
      match(parameter.following[...], before: Array(later))
    }
  }

  private mutating func take(_ taken: [String], count: Int? = nil, for parameter: Parameter) {
    words[parameter.name, default: []] += taken
    left = left.dropFirst(count ?? taken.count)
  }
}
