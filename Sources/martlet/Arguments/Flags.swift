// Owns the list of flags as people type them, and the rewriting of an argument vector for the parser.

/// A flag with one spelling: `word` after one or two dashes.
struct FlagWord {
  var word: String
  var takesValue = true
  /// May be given several times: all count.
  var isRepeatable = false

  /// Every flag that does something here.
  static let all: [FlagWord] =
    [
      "machine", "cpu", "smp", "m", "bios", "kernel", "initrd", "append", "dtb", "gdb", "monitor", "host", "timeout",
      "interrupts", "realtime", "timeline", "tiers", "record", "record-on-failure", "replay", "goto", "monitor-script",
      "end-script", "jitdump",
      "max-instructions", "itm", "svd", "export-svd", "pidfile", "threads", "dfilter", "M", "d", "D",
    ].map { FlagWord(word: $0) }
    + ["device", "drive", "sd", "serial", "chardev", "mon", "semihosting-config", "no-pass", "expect"].map {
      FlagWord(word: $0, isRepeatable: true)
    }
    + [
      "nographic", "semihosting", "no-reboot", "no-shutdown", "nodefaults", "exit-code-from-guest", "count-blocks",
      "dry-run", "perf-map", "rtt", "force", "record-images", "help", "version", "s", "S", "h",
    ].map { FlagWord(word: $0, takesValue: false) }

  /// Those that decide what the machine is, and so what a run comes to.
  private static let guests: Set = [
    "machine", "M", "cpu", "smp", "m", "bios", "kernel", "initrd", "append", "dtb", "device", "drive", "sd", "force",
    "semihosting", "semihosting-config", "no-reboot", "rtt", "itm", "max-instructions",
  ]

  /// Whether a word of a normalised vector is such a flag.
  static func isGuests(_ word: String) -> Bool {
    word.hasPrefix("-") && guests.contains(String(word.drop { $0 == "-" }))
  }

  /// Such flags of a normalised vector, with their values.
  static func guestWords(of words: [String]) -> [String] {
    var kept: [String] = []
    var index = 0
    while index < words.count {
      let bare = String(words[index].drop { $0 == "-" })
      let length = all.first { $0.word == bare }?.takesValue == true ? 2 : 1
      var flag = Array(words[index..<min(words.count, index + length)])
      if bare == "semihosting-config" {
        // Connections and folders of the host's are no part of the machine.
        let parts = flag[1].split(separator: ",").filter { !$0.hasPrefix("chardev=") && !$0.hasPrefix("root=") }
        flag[1] = parts.joined(separator: ",")
        if flag[1].isEmpty { flag[1] = "enable=on" }
      }
      if guests.contains(bare) { kept += flag }
      index += length
    }
    return kept
  }

  /// Flags whose value may be nothing.
  static let emptyValues: Set = ["append", "expect"]
  /// Two words for one flag.
  static let synonyms = ["M": "machine", "h": "help"]
}

/// An argument vector as the parser wants it, and what there is to say about the flags that it leaves out.
struct ArgumentVector {
  private(set) var words: [String] = []
  private(set) var notes: [String] = []
  private var given: [String: String] = [:]

  /// Rewrites single-dash long flags (`-machine virt`) as the parser wants them (`--machine virt`).
  ///
  /// - Throws: a usage failure for an unknown flag, naming it and its nearest neighbour, for a missing or empty value,
  ///   and for a word that belongs to no flag.
  init(_ typed: [String]) throws(Failure) {
    var index = 0
    while index < typed.count {
      let flag = typed[index]
      index += 1
      guard flag.hasPrefix("-"), flag.count > 1 else {
        throw .usage("'\(flag)' belongs to no flag; images are given with -bios, -kernel or -device loader,file=…")
      }
      let bare = String(flag.drop { $0 == "-" })
      let equals = bare.firstIndex(of: "=")
      let word = equals.map { String(bare[..<$0]) } ?? bare
      var value = equals.map { String(bare[bare.index(after: $0)...]) }
      let own = FlagWord.all.first { $0.word == word }
      let foreign = ForeignFlag.all[word]
      guard let takesValue = own?.takesValue ?? foreign?.takesValue else {
        let hint = Self.nearest(word).map { "; did you mean '-\($0)'?" } ?? ";"
        throw .usage("unknown flag '\(flag)'\(hint) see 'martlet -help'")
      }
      if takesValue, value == nil, index < typed.count {
        value = typed[index]
        index += 1
      }
      if let value, !takesValue { throw .usage("flag '-\(word)' takes no value; remove '=\(value)'") }
      if takesValue, value == nil { throw .usage("flag '\(flag)' needs a value; see 'martlet -help'") }
      if value == "", !FlagWord.emptyValues.contains(word) {
        throw .usage("flag '\(flag)' has an empty value; see 'martlet -help'")
      }
      if let own {
        add(own, value)
      } else if let note = try foreign?.note(word, value) {
        notes.append(note)
      }
    }
  }

  /// Of what can have one value only the last counts, so that scripts may add to a command line; it is said.
  private mutating func add(_ flag: FlagWord, _ value: String?) {
    let name = FlagWord.synonyms[flag.word] ?? flag.word
    if let value, !flag.isRepeatable, let other = given.updateValue(value, forKey: name), other != value {
      notes.append("-\(flag.word) is given twice: '\(value)' counts, not '\(other)'")
    }
    words.append((flag.word.count == 1 ? "-" : "--") + flag.word)
    if let value { words.append(value) }
  }

  /// The word of `candidates` that is nearest to `word`, if one is near.
  static func nearest(_ word: String, among candidates: [String] = FlagWord.all.map(\.word)) -> String? {
    let limit = max(1, word.count / 3)
    return candidates.filter { $0.count > 1 }.map { (distance: distance(word, $0), word: $0) }
      .filter { $0.distance <= limit }.min { ($0.distance, $0.word) < ($1.distance, $1.word) }?.word
  }

  /// Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other.
  private static func distance(_ first: String, _ second: String) -> Int {
    let a = Array(first.utf8)
    let b = Array(second.utf8)
    var rows = [Array(0...b.count)]
    for i in a.indices {
      var row = [i + 1]
      for j in b.indices {
        let replaced = rows[i][j] + (a[i] == b[j] ? 0 : 1)
        var best = min(replaced, rows[i][j + 1] + 1, row[j] + 1)
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, rows[i - 1][j - 1] + 1) }
        row.append(best)
      }
      rows.append(row)
    }
    return rows[a.count][b.count]
  }
}
