// The common form to which expected texts and the listings of different disassemblers are brought.

/// Canonical form of one instruction in Intel syntax: operands separated by commas, numbers in decimal and reduced
/// modulo 2^`bits`, memory operands as registers in order, `*scale` behind the index, displacement last.
/// Without `sizes`, size words (`dword ptr`) are left out.
func canonical(_ text: String, bits: Int, sizes: Bool) -> String {
  var line = Substring(text.lowercased())
  if let comment = line.firstRange(of: "#") { line = line[..<comment.lowerBound] }
  if let symbol = line.firstRange(of: "<") { line = line[..<symbol.lowerBound] }
  var words = line.split(whereSeparator: \.isWhitespace)
  guard !words.isEmpty else { return "" }
  var mnemonic = String(words.removeFirst())
  if mnemonic == "lock", !words.isEmpty { mnemonic += " " + words.removeFirst() }
  var operands = words.joined(separator: " ").split(separator: ",").map {
    canonicalOperand($0, bits: bits, sizes: sizes)
  }
  if mnemonic == "xchg" { operands.sort() }
  let result = mnemonic + (operands.isEmpty ? "" : " " + operands.joined(separator: ","))
  return result == "xchg ax,ax" ? "nop" : result  // 66 90
}

private func canonicalOperand(_ operand: Substring, bits: Int, sizes: Bool) -> String {
  var operand = operand.drop { $0 == " " }
  while operand.last == " " { operand.removeLast() }
  let open = operand.firstIndex(of: "[")
  let absolute = operand.firstRange(of: ":")
  if open == nil && absolute == nil {
    guard let value = number(operand) else { return String(operand) }
    return String(UInt64(bitPattern: value) & (UInt64.max >> UInt64(64 - bits)))
  }
  // "gs:0x10" and "gs:[0x10]" are the same operand.
  let start = open ?? absolute!.upperBound
  var head = operand[..<start].split(separator: " ").filter { $0 != "ptr" }
  if !sizes { head.removeAll { $0.last != ":" } }
  let body = operand[start...].filter { $0 != " " && $0 != "[" && $0 != "]" }
  return head.joined(separator: " ") + "[" + canonicalAddress(Substring(body)) + "]"
}

private func canonicalAddress(_ text: Substring) -> String {
  var registers: [String] = []
  var displacement: Int64 = 0
  var rest = text
  while !rest.isEmpty {
    var negative = false
    while let sign = rest.first, sign == "+" || sign == "-" {
      if sign == "-" { negative.toggle() }
      rest.removeFirst()
    }
    let term = rest.prefix { $0 != "+" && $0 != "-" }
    rest = rest[term.endIndex...]
    let factors = term.split(separator: "*")
    if factors.count == 1, let value = number(term) {
      displacement &+= negative ? 0 &- value : value
    } else if factors.contains("riz") || factors.contains("eiz") {
      continue  // LLVM spells out an absent index.
    } else if factors.count == 2 {
      let scale = number(factors[0]) ?? number(factors[1]) ?? 0
      let register = number(factors[0]) == nil ? factors[0] : factors[1]
      registers.append(scale == 1 ? String(register) : "\(register)*\(scale)")
    } else {
      registers.append(String(term))
    }
  }
  let value = Int32(truncatingIfNeeded: displacement)
  if value != 0 || registers.isEmpty { registers.append(String(value)) }
  return registers.joined(separator: "+")
}

/// Decimal or `0x…`, with an optional sign; nil if it is something else.
private func number(_ text: Substring) -> Int64? {
  let negative = text.first == "-"
  let digits = negative ? text.dropFirst() : text
  guard let first = digits.first, first.isNumber else { return nil }
  let value = digits.hasPrefix("0x") ? UInt64(digits.dropFirst(2), radix: 16) : UInt64(digits)
  return value.map { negative ? 0 &- Int64(bitPattern: $0) : Int64(bitPattern: $0) }
}
