// Owns completion, derived from the command table and the machine: commands, registers, symbols, blocks, devices.

import Bits
import Machine

/// What may stand at the cursor.
public struct Completions: Sendable, Equatable {
  /// Where the word to be replaced starts, in UTF-8 bytes of the line.
  public var start: Int
  /// Whole words, sorted, each once.
  public var candidates: [String]
}

extension Monitor {
  /// Completes the word that ends at `cursor` (UTF-8 bytes from the start of the line). From any thread.
  public func completions(for line: String, cursor: Int) -> Completions {
    let text = String(decoding: line.utf8.prefix(cursor), as: UTF8.self)
    var words = text.split(separator: " ").map(String.init)
    let word = text.hasSuffix(" ") || words.isEmpty ? "" : words.removeLast()
    if let first = words.first, let name = (try? CommandTable.find([first]))?.0.standsFor { words[0] = name }
    var candidates: [String] = []
    for row in CommandTable.commands {
      let rowWords = row.words.map(String.init)
      if words.count < rowWords.count {
        if zip(rowWords, words).allSatisfy({ $0.hasPrefix($1) }) { candidates.append(rowWords[words.count]) }
      }
    }
    if words.isEmpty { candidates += CommandTable.commands.flatMap(\.aliases) }
    if let first = words.first, let slash = first.firstIndex(of: "/") { words[0] = String(first[..<slash]) }
    if !words.isEmpty, let (command, rest) = try? CommandTable.find(words) {
      candidates += ParameterMatch(command.parameters, rest, isOpen: true).open.flatMap {
        self.candidates($0.kind, word)
      }
    }
    let prefix = word
    let matching = Set(candidates.filter { $0.hasPrefix(prefix) }).sorted()
    return Completions(start: text.utf8.count - word.utf8.count, candidates: matching)
  }

  private func candidates(_ kind: Parameter.Kind, _ word: String) -> [String] {
    switch kind {
    case .words(let words): return words
    case .command: return CommandTable.commands.map(\.name)
    case .pass: return machine.perform { $0.engine.passes.map(\.name) }
    case .device:
      return machine.perform { machine in
        machine.devices.compactMap { $0.path.split(separator: "/").last.map(String.init) }
      }
    case .register:
      return machine.perform { machine in
        let file = machine.guest.registerFile
        let names = file.registers.filter { $0.group != "internal" }.flatMap { [$0.name] + $0.aliases }
        return word.hasPrefix("$") ? names.map { "$" + $0 } : names + Set(file.registers.map(\.group)) + ["all"]
      }
    case .text, .count: return []
    case .address, .number: return word.hasPrefix("$") ? candidates(.register, word) : symbols()
    case .watchable: return candidates(.address, word) + candidates(.device, word) + ["csr", "msr"]
    case .code, .place: return word.hasPrefix("$") ? candidates(.register, word) : symbols() + sourceFiles()
    case .block:
      guard !word.hasPrefix("$") else { return candidates(.register, word) }
      return symbols()
        + machine.perform { machine in
          machine.engine.store.valid.map { machine.engine.store[$0].key.pc.hex0x() }
        }
    }
  }

  /// With the colon before the line.
  private func sourceFiles() -> [String] {
    machine.perform { machine in
      machine.sources.allFiles.compactMap { $0.split(separator: "/").last.map { $0 + ":" } }
    }
  }

  private func symbols() -> [String] { machine.perform { $0.symbols.symbols.map(\.name).filter { !$0.contains(" ") } } }
}
