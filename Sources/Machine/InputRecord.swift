// Owns the form of the file of `--record` and `--replay`: what the guest was given, and when.

/// One input a line: ticks, device path, bytes in hexadecimal; after a line that names the format.
public enum InputRecord {
  /// The first line, its end included.
  public static let header = format + "\n"
  private static let format = "martlet input 1"

  /// An input's line, its end included.
  public static func line(_ input: RecordedInput) -> String {
    let digits = input.bytes.map { byte in String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }.joined()
    return "\(input.ticks) \(input.device) \(digits)\n"
  }

  /// Reads a record.
  /// - Parameter name: of the file, for errors.
  /// - Returns: the inputs. A last line without its end is one that was being written as the program was killed: it is
  ///   left out.
  /// - Throws: ``MachineError/badInput(_:)`` naming the line that is of no record.
  public static func read(_ bytes: [UInt8], name: String) throws(MachineError) -> [RecordedInput] {
    var inputs: [RecordedInput] = []
    let whole = bytes.prefix((bytes.lastIndex(of: 0x0A) ?? -1) + 1)
    for (index, line) in whole.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast().enumerated() {
      if index == 0, line.elementsEqual(format.utf8) { continue }
      guard index > 0, let input = input(line) else {
        throw .badInput("\(name): line \(index + 1) is not of a file that --record wrote; record again")
      }
      inputs.append(input)
    }
    return inputs
  }

  private static func input(_ line: ArraySlice<UInt8>) -> RecordedInput? {
    let words = line.split(separator: 0x20, omittingEmptySubsequences: false)
    guard words.count == 3, let device = String(validating: words[1], as: UTF8.self),
      let ticks = UInt64(String(decoding: words[0], as: UTF8.self)), let bytes = decode(words[2])
    else { return nil }
    return RecordedInput(ticks: ticks, device: device, bytes: bytes)
  }

  private static func decode(_ digits: ArraySlice<UInt8>) -> [UInt8]? {
    guard digits.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    for index in stride(from: digits.startIndex, to: digits.endIndex, by: 2) {
      guard let high = digit(digits[index]), let low = digit(digits[index + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  private static func digit(_ character: UInt8) -> UInt8? {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}
