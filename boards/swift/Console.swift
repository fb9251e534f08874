// Owns the serial console: text out, lines of commands in.

enum Console {
  static func write(_ text: StaticString) {
    text.withUTF8Buffer { bytes in
      for index in 0..<bytes.count {
        if bytes[index] == 0x0A { Board.send(0x0D) }
        Board.send(bytes[index])
      }
    }
  }

  static func write(_ number: UInt32) {
    if number >= 10 { write(number / 10) }
    Board.send(UInt8(truncatingIfNeeded: number % 10) + 0x30)
  }

  static func write(_ phase: Phase) {
    switch phase {
    case .red: write("red")
    case .redAmber: write("red and amber")
    case .green: write("green")
    case .amber: write("amber")
    }
  }
}

/// Where Swift's own `print`, and the messages of its run-time checks, send their characters.
@c(putchar)
func putCharacter(_ character: Int32) -> Int32 {
  Board.send(UInt8(truncatingIfNeeded: character))
  return character
}

/// A line that is being typed.
struct CommandLine {
  private var bytes = InlineArray<32, UInt8>(repeating: 0)
  private var count = 0

  /// Takes one character; runs the command at the end of the line.
  mutating func receive(_ byte: UInt8) {
    switch byte {
    case 0x0D, 0x0A:
      Console.write("\n")
      if count > 0 { run() }
      count = 0
      Console.write("> ")
    case 0x08, 0x7F:
      if count > 0 {
        count -= 1
        Console.write("\u{8} \u{8}")
      }
    default:
      guard count < bytes.count else { return }
      bytes[count] = byte
      count += 1
      Board.send(byte)
    }
  }

  private func run() {
    if matches("phase") {
      Console.write(light.phase)
      Console.write(" for another ")
      Console.write(light.remaining)
      Console.write(" ticks\n")
    } else if matches("ticks") {
      Console.write(ticks)
      Console.write("\n")
    } else if matches("walk") {
      light.request()
      Console.write("please wait\n")
    } else if matches("quit") {
      Console.write("bye\n")
      Board.powerOff()
    } else {
      Console.write("commands: phase, ticks, walk, quit\n")
    }
  }

  private func matches(_ word: StaticString) -> Bool {
    guard word.utf8CodeUnitCount == count else { return false }
    for index in 0..<count where word.utf8Start[index] != bytes[index] { return false }
    return true
  }
}
