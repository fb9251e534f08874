// What agent expressions compute, print and refuse.

import GDBRemote
import TestSupport
import Testing

/// Register n holds n × 100; memory is an ascending run of bytes from 0x1000 on, and a text at 0x2000.
private final class Context: AgentContext {
  var shown = ""
  var collected: [(UInt64, UInt64)] = []

  func register(_ number: Int) -> UInt64? { number < 32 ? UInt64(number) * 100 : nil }

  func memory(at address: UInt64, size: Int) -> UInt64? {
    let text = Array("martlet\0".utf8)
    var value: UInt64 = 0
    for offset in (0..<size).reversed() {
      let place = address &+ UInt64(offset)
      switch place {
      case 0x1000..<0x1100: value = value << 8 | (place - 0x1000)
      case 0x2000..<0x2008: value = value << 8 | UInt64(text[Int(place - 0x2000)])
      default: return nil
      }
    }
    return value
  }

  func show(_ text: String) { shown += text }
  func collect(_ address: UInt64, count: UInt64) { collected.append((address, count)) }
}

private func evaluate(_ bytes: [UInt8], in context: Context = Context()) throws -> UInt64 {
  var machine = AgentMachine()
  machine.variables = [1: -5]
  var context = context
  return try machine.evaluate(try AgentExpression(bytes), in: &context)
}

@Suite struct AgentExpressionTests {
  /// Programs, by the operations' names in the manual.
  private static let values: [(String, [UInt8], UInt64)] = [
    ("const8 255, end", [0x22, 0xFF, 0x27], 255),
    ("const16 0x1234", [0x23, 0x12, 0x34], 0x1234),
    ("const32", [0x24, 0xFE, 0xDC, 0xBA, 0x98], 0xFEDC_BA98),
    ("const64", [0x25, 1, 2, 3, 4, 5, 6, 7, 8], 0x0102_0304_0506_0708),
    ("const8 255, ext 8", [0x22, 0xFF, 0x16, 8], .max),
    ("const16 0xff80, zero_ext 7", [0x23, 0xFF, 0x80, 0x2A, 7], 0),
    ("7 - 9", [0x22, 7, 0x22, 9, 0x03], UInt64(bitPattern: -2)),
    ("-7 / 2, signed", [0x22, 0xF9, 0x16, 8, 0x22, 2, 0x05], UInt64(bitPattern: -3)),
    ("-7 % 2, signed", [0x22, 0xF9, 0x16, 8, 0x22, 2, 0x07], UInt64(bitPattern: -1)),
    ("-8 >> 1, signed", [0x22, 0xF8, 0x16, 8, 0x22, 1, 0x0A], UInt64(bitPattern: -4)),
    ("1 << 64", [0x22, 1, 0x22, 64, 0x09], 0),
    ("-1 < 1, signed", [0x22, 0xFF, 0x16, 8, 0x22, 1, 0x14], 1),
    ("-1 < 1, unsigned", [0x22, 0xFF, 0x16, 8, 0x22, 1, 0x15], 0),
    ("!5", [0x22, 5, 0x0E], 0),
    ("~0", [0x22, 0, 0x12], .max),
    ("r10 + 1", [0x26, 0, 10, 0x22, 1, 0x02], 1001),
    ("ref32 0x1004", [0x23, 0x10, 0x04, 0x19], 0x0706_0504),
    ("dup, mul", [0x22, 12, 0x28, 0x04], 144),
    ("swap, sub", [0x22, 3, 0x22, 10, 0x2B, 0x03], 7),
    ("pick 1", [0x22, 3, 0x22, 4, 0x32, 1], 3),
    ("rot: 1 2 3 is 3 1 2", [0x22, 1, 0x22, 2, 0x22, 3, 0x33, 0x29], 1),
    ("if_goto over const8 1", [0x22, 9, 0x22, 1, 0x20, 0, 9, 0x22, 1, 0x27], 9),
    ("getv 1", [0x2C, 0, 1], UInt64(bitPattern: -5)),
    ("setv 2, add 1, getv 2", [0x22, 8, 0x2D, 0, 2, 0x29, 0x2C, 0, 2], 8),
    ("nothing", [0x27], 0),
    ("min / -1", [0x22, 1, 0x22, 63, 0x09, 0x22, 0xFF, 0x16, 8, 0x05], 1 << 63),
  ]

  @Test func valuesAreThoseOfTheManual() throws {
    for (name, bytes, value) in Self.values { #expect(try evaluate(bytes) == value, "\(name)") }
  }

  @Test func whatHasNoValueSaysWhy() {
    for (bytes, failure) in [
      ([0x22, 1, 0x22, 0, 0x06], .divisionByZero), ([0x22, 1, 0x22, 0, 0x07], .divisionByZero),
      ([0x26, 0, 40], .register(40)), ([0x23, 0x30, 0, 0x17], .memory(0x3000)), ([0x02], .stack),
      ([0x22, 1, 0x02], .stack),
      ([0x22, 1, 0x32, 4], .stack), ([0x21, 0, 0], .endless), ([0x22, 1, 0x21, 0, 0], .stack),
      ([0x2C, 0, 9], .variable(9)),
      ([0x33], .stack),
    ] as [([UInt8], AgentFailure)] {
      #expect(throws: failure) { try evaluate(bytes) }
    }
  }

  /// The first argument is on top of the others, and the channel and the function on top of it.
  @Test func printsFormats() throws {
    func shown(_ format: String, _ arguments: [UInt16]) throws -> String {
      let context = Context()
      let text = Array(format.utf8) + [0]
      var bytes: [UInt8] = []
      for argument in arguments.reversed() { bytes += [0x23, UInt8(argument >> 8), UInt8(argument & 0xFF)] }
      bytes += [0x22, 0, 0x22, 0, 0x34, UInt8(arguments.count), 0, UInt8(text.count)] + text
      _ = try evaluate(bytes, in: context)
      return context.shown
    }
    #expect(try shown("a=%d b=%u\n", [5, 6]) == "a=5 b=6\n")
    #expect(try shown("%5d|%-5d|%05d", [42, 42, 42]) == "   42|42   |00042")
    #expect(try shown("%x %#X %o %p %c", [0xBEEF, 0xBEEF, 8, 0x1000, 65]) == "beef 0XBEEF 10 0x1000 A")
    #expect(try shown("[%s] [%.3s] 100%%", [0x2000, 0x2000]) == "[martlet] [mar] 100%")
    #expect(try shown("%hd %hhd %ld", [0x8000, 0x80, 0x8000]) == "-32768 -128 32768")
    #expect(try shown("%s", [0x3000]) == "")
    #expect(try shown(#"a\n\t\\\"\101\0601\q"#, []) == "a\n\t\\\"A01q")
  }

  @Test func collectsMemory() throws {
    let context = Context()
    _ = try evaluate([0x23, 0x10, 0, 0x22, 8, 0x0C, 0x23, 0x20, 0, 0x22, 64, 0x2F], in: context)
    #expect(context.collected.map(\.0) == [0x1000, 0x2000])
    #expect(context.collected.map(\.1) == [8, 8])
  }

  /// Each turn of a loop prints, or looks at, as much as one operation can.
  @Test func textAndStringsCountAsOperations() throws {
    let context = Context()
    let format = [UInt8](repeating: 0x61, count: 4000) + [0]
    let prints = [0x22, 0, 0x22, 0, 0x34, 0, UInt8(format.count >> 8), UInt8(format.count & 0xFF)] + format
    #expect(throws: AgentFailure.endless) { try evaluate(prints + [0x21, 0, 0], in: context) }
    #expect(context.shown.utf8.count <= AgentMachine.limit + format.count)
    let looks: [UInt8] = [0x23, 0x20, 0, 0x22, 64, 0x2F, 0x21, 0, 0]
    #expect(throws: AgentFailure.endless) { try evaluate(looks, in: context) }
    #expect(context.collected.count <= AgentMachine.limit / 10)
  }

  @Test func anyBytesAreTakenOrRefused() {
    var random = SplitMix(seed: 17)
    var machine = AgentMachine()
    var taken = 0
    for _ in 0..<Mutations.count(20_000) {
      let bytes = (0..<Int.random(in: 0..<24, using: &random)).map { _ in UInt8.random(in: 0..<0x36, using: &random) }
      guard let expression = try? AgentExpression(bytes) else { continue }
      taken += 1
      var context = Context()
      _ = try? machine.evaluate(expression, in: &context)
    }
    #expect(taken > 20)
  }
}
