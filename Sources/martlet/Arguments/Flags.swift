// Owns the list of flags as people type them, and the rewriting of an argument vector for the parser.

/// A flag with one spelling: `word` after one or two dashes.
struct FlagWord {
  var word: String
  var takesValue: Bool

  /// Every flag but the one-letter ones.
  static let all: [FlagWord] =
    [
      "machine", "cpu", "smp", "m", "bios", "kernel", "initrd", "append", "dtb", "device", "gdb", "serial", "monitor",
      "display", "semihosting-config", "icount", "accel", "name", "net", "nic", "vga", "parallel", "host", "timeout",
      "expect", "interrupts", "realtime", "no-pass", "tiers", "record", "replay", "monitor-script", "end-script",
      "jitdump",
      "max-instructions", "itm", "svd", "export-svd", "pidfile", "drive", "sd", "chardev", "mon", "rtc", "M", "d", "D",
    ].map { FlagWord(word: $0, takesValue: true) }
    + [
      "nographic", "semihosting", "no-reboot", "nodefaults", "no-user-config", "exit-code-from-guest", "count-blocks",
      "dry-run", "perf-map", "rtt", "force", "help", "version", "s", "S", "h",
    ].map { FlagWord(word: $0, takesValue: false) }
}

/// Rewrites single-dash long flags (`-machine virt`) as the parser wants them (`--machine virt`).
enum ArgumentVector {
  /// - Throws: a usage failure for an unknown flag, naming it and its nearest neighbour, for a missing value, and for a
  ///   word that belongs to no flag.
  static func normalize(_ words: [String]) throws(Failure) -> [String] {
    var result: [String] = []
    var index = 0
    while index < words.count {
      let typed = words[index]
      index += 1
      guard typed.hasPrefix("-"), typed.count > 1 else {
        throw .usage("'\(typed)' belongs to no flag; images are given with -bios, -kernel or -device loader,file=…")
      }
      let bare = String(typed.drop { $0 == "-" })
      let equals = bare.firstIndex(of: "=")
      let word = equals.map { String(bare[..<$0]) } ?? bare
      guard let flag = FlagWord.all.first(where: { $0.word == word }) else {
        let hint = nearest(word).map { "; did you mean '-\($0)'?" } ?? ";"
        throw .usage("unknown flag '\(typed)'\(hint) see 'martlet -help'")
      }
      result.append((word.count == 1 ? "-" : "--") + word)
      if let equals {
        guard flag.takesValue else { throw .usage("flag '-\(word)' takes no value; remove '\(bare[equals...])'") }
        result.append(String(bare[bare.index(after: equals)...]))
      } else if flag.takesValue {
        guard index < words.count else { throw .usage("flag '\(typed)' needs a value; see 'martlet -help'") }
        result.append(words[index])
        index += 1
      }
    }
    return result
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
