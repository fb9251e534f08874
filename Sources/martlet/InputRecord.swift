// Owns the file of `--record` and `--replay`: what the guest was given, and when.

import Glibc
import Machine

/// One input a line: ticks, device path, bytes in hexadecimal; after a line that names the format.
enum InputRecord {
  private static let header = "martlet input 1"

  static func save(_ inputs: [RecordedInput], to descriptor: Int32) {
    var text = header + "\n"
    for input in inputs {
      let digits = input.bytes.map { byte in String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }.joined()
      text += "\(input.ticks) \(input.device) \(digits)\n"
    }
    Descriptors.write(Array(text.utf8), to: descriptor)
  }

  static func load(_ path: String) throws(Failure) -> [RecordedInput] {
    let bytes: [UInt8]
    do throws(MachineError) { bytes = try HostFile.read(path) } catch { throw .usage("--replay: \(error)") }
    var inputs: [RecordedInput] = []
    for (index, line) in String(decoding: bytes, as: UTF8.self).split(separator: "\n").enumerated() {
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
