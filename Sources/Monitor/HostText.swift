// Owns host instructions as listings show them: places in the code cache, the state block and the spill slots by name.

import Bits
import Engine
import HostKit
import IR
import Machine

/// Writes host instructions of one piece of code.
struct HostText {
  private let engine: Engine
  /// The block that the code is of; nil for code that blocks share.
  private let block: BlockID?
  /// By register of the host: the names of bytes from there on.
  private var fields: [String: [(name: String, offset: Int)]] = [:]
  private let roles: [String: String]

  init(_ machine: Machine, block: BlockID?) {
    engine = machine.engine
    self.block = block
    roles = Dictionary(engine.host.roles.map { ($0.role, $0.hostRegister) }, uniquingKeysWith: { first, _ in first })
    let registers = machine.guest.registerFile.registers.map { ($0.aliases.first ?? $0.name, $0.offset) }
    if let state = roles["state"] { fields[state] = StateOffset.names + registers }
  }

  /// `$NAME=[rbp + …] spill=rsp …`
  var legend: String {
    engine.host.roles.map { $0.role == "state" ? "$NAME=[\($0.hostRegister) + …]" : "\($0.role)=\($0.hostRegister)" }
      .joined(separator: " ")
  }

  func text(_ line: HostLine) -> String {
    var text = Self.withoutSizes(line.text)
    if let open = text.firstIndex(of: "["), let close = text[open...].firstIndex(of: "]") {
      let inside = String(text[text.index(after: open)..<close])
      text.replaceSubrange(open...close, with: "[\(operand(inside, behind: line))]")
    }
    return named(text)
  }

  /// Sizes of memory operands are said where no register does.
  private static func withoutSizes(_ text: String) -> String {
    guard let size = text.firstRange(of: " ptr ") else { return text }
    let start = text[..<size.lowerBound].lastIndex(of: " ").map { text.index(after: $0) } ?? text.startIndex
    let mnemonic = text.prefix { $0 != " " }
    let operands = text[mnemonic.endIndex...].split(separator: ",")
    let others = operands.filter { !$0.contains("[") }.map { $0.drop { $0 == " " } }
    // `movsxd` is from 32 bits; the other extending moves say from how many.
    let extends = mnemonic.hasPrefix("movz") || mnemonic.hasPrefix("movs") && mnemonic != "movsxd"
    let isSaid = others.contains { $0.first?.isLetter == true } && !extends
    let word = isSaid || mnemonic == "movsd" || mnemonic == "movss" ? "" : text[start..<size.lowerBound] + " "
    return text.replacingCharacters(in: start..<size.upperBound, with: String(word))
  }

  /// `rbp + 0x30`, as it stands between brackets.
  private func operand(_ inside: String, behind line: HostLine) -> String {
    let parts = inside.split(separator: " ")
    guard parts.count == 3, parts[1] == "+" || parts[1] == "-", let magnitude = Self.number(parts[2]) else {
      return parts.count == 1 && roles["spill"] == inside ? "spill 0" : inside
    }
    let displacement = parts[1] == "+" ? magnitude : 0 &- magnitude
    let register = String(parts[0])
    if register == "rip" { return place(line.address &+ UInt64(line.bytes.count) &+ displacement) ?? inside }
    if register == roles["spill"], displacement & 7 == 0, displacement < 1 << 16 { return "spill \(displacement / 8)" }
    guard let field = fields[register]?.first(where: { UInt64($0.offset) == displacement }) else { return inside }
    return "$" + field.name
  }

  /// With the numbers named that are places in the code cache.
  private func named(_ text: String) -> String {
    guard let start = text.firstRange(of: "0x")?.lowerBound else { return text }
    let digits = text[start...].dropFirst(2).prefix { $0.isHexDigit }
    guard digits.count > 6, let number = UInt64(digits, radix: 16) else { return text }
    let isSmallNegative = number > .max - 1 << 32
    guard let place = isSmallNegative ? "-" + (0 &- number).hex0x() : place(number) else { return text }
    return text[..<start] + place + text[digits.endIndex...]
  }

  /// `+0x6d` in the same block, `#64`, `exit-stub`; nil outside of the code cache.
  private func place(_ address: UInt64) -> String? {
    switch engine.codePlace(address) {
    case .block(let id, let offset) where id == block: "+\(offset.hex0x())"
    case .block(let id, let offset): "#\(id)" + (offset == 0 ? "" : "+\(offset.hex0x())")
    case .shared(let name, let offset): name + (offset == 0 ? "" : "+\(offset.hex0x())")
    case nil: nil
    }
  }

  private static func number(_ text: Substring) -> UInt64? {
    text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
  }
}

extension String {
  fileprivate func replacingCharacters(in range: Range<String.Index>, with text: String) -> String {
    var copy = self
    copy.replaceSubrange(range, with: text)
    return copy
  }
}
