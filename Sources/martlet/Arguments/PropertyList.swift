// Owns the lists of properties that many values are: `first,key=value,flag`.

/// The properties of one value, each of which must be known.
struct PropertyList {
  /// What stands first without a key.
  let first: String
  private let flag: String
  private let text: String
  private var properties: [(key: String, value: String)] = []

  /// - Parameters:
  ///   - key: what the first word is the value of, if it may be written so too: `type` in `type=virt`.
  ///   - known: the keys that are understood.
  ///   - repeatable: those of them that may come several times.
  init(
    _ text: String, of flag: String, first key: String? = nil, known: [String], repeatable: Set<String> = []
  ) throws(Failure) {
    self.flag = flag
    self.text = text
    var words = text.split(separator: ",", omittingEmptySubsequences: false)[...]
    if let key, let word = words.first(where: { $0.hasPrefix(key + "=") }) {
      first = String(word.dropFirst(key.count + 1))
      words.removeAll { $0 == word }
    } else {
      first = String(words.removeFirst())
    }
    guard !first.isEmpty else { throw .usage("\(flag): '\(text)' lacks its first word") }
    for word in words {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let key = parts[0]
      guard known.contains(key) else {
        throw .usage("\(flag): '\(key)' in '\(text)' is not understood; there are: \(known.joined(separator: ", "))")
      }
      guard repeatable.contains(key) || self[key] == nil else {
        throw .usage("\(flag): '\(key)' is given twice in '\(text)'; give it once")
      }
      properties.append((key, parts.count > 1 ? parts[1] : "on"))
    }
  }

  subscript(key: String) -> String? { properties.first { $0.key == key }?.value }

  func isOn(_ key: String, otherwise: Bool) throws(Failure) -> Bool {
    guard let value = self[key] else { return otherwise }
    return try Value.isOn(value[...], of: "\(flag) \(key)")
  }
}
