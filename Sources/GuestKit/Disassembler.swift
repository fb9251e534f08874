// Owns how rows become assembly text: operand templates and aliases.

/// Another way to write some encodings of an instruction, for instance `ret` for a `jalr` with certain fields.
public struct InstructionAlias: Sendable {
  public let name: String
  /// Mnemonic (or name) of the instruction it stands for.
  public let original: String
  /// What fields must be: a number, or what another field is.
  public let conditions: [(field: PatternField, value: Int, other: PatternField?)]
  public let operands: String

  /// - Parameter conditions: for instance `d=0 s=t`.
  public init(_ name: String, of original: String, _ conditions: String, _ operands: String) {
    self.name = name
    self.original = original
    self.operands = operands
    self.conditions = conditions.split(separator: " ").map { item in
      let (name, rest) = (item.utf8.first.flatMap(PatternField.init(letter:)), item.dropFirst(2))
      let other = rest.utf8.first.flatMap(PatternField.init(letter:))
      guard let name, let value = other == nil ? Int(rest) : 0 else { preconditionFailure("alias: \(item)") }
      return (name, value, other)
    }
  }
}

extension DecodeTable where Translator: ~Copyable {
  /// Mnemonic and operand text of `instruction`: of the first alias that fits, else of its row.
  ///
  /// Each letter of the operand template is replaced by what `format` makes of it.
  public func text(
    of instruction: Instruction, aliases: [InstructionAlias], format: (UInt8, Instruction) -> String
  ) -> (mnemonic: String, operands: String) {
    let row = rows[instruction.row]
    let mnemonic = row.shown ?? row.name
    let alias = aliases.first { alias in
      (alias.original == mnemonic || alias.original == row.name)
        && alias.conditions.allSatisfy { instruction[$0.field] == ($0.other.map { instruction[$0] } ?? $0.value) }
    }
    var text = ""
    for character in (alias?.operands ?? row.operands).utf8 {
      let isLetter = (character | 0x20) >= UInt8(ascii: "a") && (character | 0x20) <= UInt8(ascii: "z")
      text += isLetter ? format(character, instruction) : String(UnicodeScalar(character))
    }
    return (alias?.name ?? mnemonic, text)
  }
}
