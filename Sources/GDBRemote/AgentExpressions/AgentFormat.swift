// Owns the formats by which agent expressions print.

/// A format as of C's `printf`, for integers, characters and strings.
struct AgentFormat: Sendable, Equatable {
  enum Piece: Sendable, Equatable {
    case text([UInt8])
    case argument(Argument)
  }

  struct Argument: Sendable, Equatable {
    var conversion = UInt8(ascii: "d")
    /// Bytes of the argument that count.
    var size = 4
    var width = 0
    /// The most characters of a string; the least digits of a number.
    var precision: Int?
    var isLeft = false
    var isZeroPadded = false
    var hasPrefix = false
    /// What stands before a number that is not negative: nothing, a blank or a plus.
    var sign: [UInt8] = []
  }

  let pieces: [Piece]

  var argumentCount: Int {
    pieces.count {
      if case .argument = $0 { true } else { false }
    }
  }

  private static let widest = 1024

  init(_ bytes: ArraySlice<UInt8>) throws(TargetError) {
    var pieces: [Piece] = []
    var text: [UInt8] = []
    var rest = bytes
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        text.append(byte == UInt8(ascii: "\\") ? Self.escaped(&rest) : byte)
        continue
      }
      if rest.first == byte {
        text.append(byte)
        rest = rest.dropFirst()
        continue
      }
      if !text.isEmpty { pieces.append(.text(text)) }
      text = []
      pieces.append(.argument(try Self.argument(&rest)))
    }
    if !text.isEmpty { pieces.append(.text(text)) }
    self.pieces = pieces
  }

  /// What a backslash and the characters behind it stand for; GDB sends formats as they were typed.
  private static func escaped(_ rest: inout ArraySlice<UInt8>) -> UInt8 {
    guard let letter = rest.popFirst() else { return UInt8(ascii: "\\") }
    switch letter {
    case UInt8(ascii: "a"): return 7
    case UInt8(ascii: "b"): return 8
    case UInt8(ascii: "t"): return 9
    case UInt8(ascii: "n"): return 10
    case UInt8(ascii: "v"): return 11
    case UInt8(ascii: "f"): return 12
    case UInt8(ascii: "r"): return 13
    case UInt8(ascii: "e"): return 27
    case UInt8(ascii: "0")...UInt8(ascii: "7"):
      var value = Int(letter & 7)
      for _ in 0..<2 {
        guard let digit = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(digit) else { break }
        value = value * 8 + Int(digit & 7)
        rest = rest.dropFirst()
      }
      return UInt8(truncatingIfNeeded: value)
    default: return letter
    }
  }

  private static func argument(_ rest: inout ArraySlice<UInt8>) throws(TargetError) -> Argument {
    func number() -> Int? {
      var value: Int?
      while let byte = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
        value = min((value ?? 0) * 10 + Int(byte - UInt8(ascii: "0")), widest)
        rest = rest.dropFirst()
      }
      return value
    }
    var argument = Argument()
    flags: while let flag = rest.first {
      switch flag {
      case UInt8(ascii: "-"): argument.isLeft = true
      case UInt8(ascii: "0"): argument.isZeroPadded = true
      case UInt8(ascii: "#"): argument.hasPrefix = true
      case UInt8(ascii: "+"), UInt8(ascii: " "): argument.sign = [flag]
      default: break flags
      }
      rest = rest.dropFirst()
    }
    argument.width = number() ?? 0
    if rest.first == UInt8(ascii: ".") {
      rest = rest.dropFirst()
      argument.precision = number() ?? 0
    }
    while let length = rest.first {
      switch length {
      case UInt8(ascii: "h"): argument.size = argument.size == 2 ? 1 : 2
      case UInt8(ascii: "l"), UInt8(ascii: "z"), UInt8(ascii: "j"), UInt8(ascii: "t"): argument.size = 8
      default:
        guard "diuoxXcsp".utf8.contains(length) else {
          throw .invalid("agent expression: no conversion '%\(Character(Unicode.Scalar(length)))'")
        }
        rest = rest.dropFirst()
        argument.conversion = length
        if length == UInt8(ascii: "p") { (argument.size, argument.hasPrefix) = (8, true) }
        return argument
      }
      rest = rest.dropFirst()
    }
    throw .invalid("agent expression: a conversion without an end")
  }

  /// The text with its arguments, the first of which comes first.
  func text(_ arguments: [UInt64], string: (UInt64) -> [UInt8]) -> String {
    var bytes: [UInt8] = []
    var next = 0
    for piece in pieces {
      switch piece {
      case .text(let text): bytes += text
      case .argument(let argument):
        bytes += argument.text(arguments[next], string)
        next += 1
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension AgentFormat.Argument {
  func text(_ value: UInt64, _ string: (UInt64) -> [UInt8]) -> [UInt8] {
    let shift = UInt64(64 - 8 * size)
    let unsigned = (value << shift) >> shift
    var (prefix, digits): ([UInt8], [UInt8])
    switch conversion {
    case UInt8(ascii: "c"): return padded([], [UInt8(truncatingIfNeeded: value)], zeros: false)
    case UInt8(ascii: "s"):
      let bytes = string(value)
      return padded([], precision.map { Array(bytes.prefix($0)) } ?? bytes, zeros: false)
    case UInt8(ascii: "d"), UInt8(ascii: "i"):
      let signed = Int64(bitPattern: value << shift) >> Int64(shift)
      (prefix, digits) = (signed < 0 ? [UInt8(ascii: "-")] : sign, Array(String(signed.magnitude).utf8))
    case UInt8(ascii: "u"): (prefix, digits) = ([], Array(String(unsigned).utf8))
    case UInt8(ascii: "o"):
      (prefix, digits) = (Array((hasPrefix ? "0" : "").utf8), Array(String(unsigned, radix: 8).utf8))
    default:
      let isUpper = conversion == UInt8(ascii: "X")
      (prefix, digits) = (
        Array((hasPrefix ? isUpper ? "0X" : "0x" : "").utf8),
        Array(String(unsigned, radix: 16, uppercase: isUpper).utf8)
      )
    }
    let missing = (precision ?? 0) - digits.count
    if missing > 0 { digits = [UInt8](repeating: UInt8(ascii: "0"), count: missing) + digits }
    return padded(prefix, digits, zeros: isZeroPadded && precision == nil)
  }

  private func padded(_ prefix: [UInt8], _ digits: [UInt8], zeros: Bool) -> [UInt8] {
    let count = max(0, width - prefix.count - digits.count)
    func fill(_ character: Unicode.Scalar) -> [UInt8] { [UInt8](repeating: UInt8(ascii: character), count: count) }
    if isLeft { return prefix + digits + fill(" ") }
    return zeros ? prefix + fill("0") + digits : fill(" ") + prefix + digits
  }
}
