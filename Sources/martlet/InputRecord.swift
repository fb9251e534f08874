// Owns the form of the file of `--record` and `--replay`: what the guest was given, and when.

import Machine

/// One input a line: ticks, device path, bytes in hexadecimal; after a line that names the format.
enum InputRecord {
  static let header = "martlet input 1"

  static func line(_ input: RecordedInput) -> String {
    let digits = input.bytes.map { byte in String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }.joined()
    return "\(input.ticks) \(input.device) \(digits)\n"
  }

  /// - Returns: the inputs. A last line without its end is one that was being written as the program was killed: it is
  ///   left out.
  static func load(_ path: String) throws(Failure) -> [RecordedInput] {
    let bytes: [UInt8]
    do throws(MachineError) { bytes = try HostFile.read(path) } catch { throw .usage("--replay: \(error)") }
    var inputs: [RecordedInput] = []
    let whole = bytes.prefix((bytes.lastIndex(of: 0x0A) ?? -1) + 1)
    for (index, line) in String(decoding: whole, as: UTF8.self).split(separator: "\n").enumerated() {
      if index == 0, line == header { continue }
      let words = line.split(separator: " ", omittingEmptySubsequences: false)
      guard index > 0, words.count == 3, let ticks = UInt64(words[0]), let bytes = decode(words[2]) else {
        throw .usage("--replay: \(path): line \(index + 1) is not of a file that --record wrote; record again")
      }
      inputs.append(RecordedInput(ticks: ticks, device: String(words[1]), bytes: bytes))
    }
    return inputs
  }

  private static func decode(_ text: Substring) -> [UInt8]? {
    let digits = text.map(\.hexDigitValue)
    guard digits.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = digits[index], let low = digits[index + 1] else { return nil }
      bytes.append(UInt8(high << 4 | low))
    }
    return bytes
  }
}
