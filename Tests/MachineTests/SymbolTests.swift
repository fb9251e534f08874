// Owns the tests of symbols: which of a file's are kept, where they are, and by which names they are found.

import Machine
import Testing

@Suite struct SymbolTests {
  /// What a file says of a symbol. Types: 0 none, 1 object, 2 function; bindings: 0 local, 1 global, 2 weak.
  struct Entry {
    var name: String
    var value: UInt32
    var size: UInt32 = 0
    var type: UInt8 = 2
    var binding: UInt8 = 1
  }

  /// A 32-bit little-endian ELF file with one segment, for a machine (40 Arm, 243 RISC-V), with these symbols.
  static func symbols(machine: UInt16, _ entries: [Entry]) throws -> [Symbol] {
    var file: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 1, 1, 1] + [UInt8](repeating: 0, count: 9)
    func put(_ value: some FixedWidthInteger & UnsignedInteger) {
      for byte in 0..<value.bitWidth / 8 { file.append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
    }
    func put(words: UInt32...) { for word in words { put(word) } }
    let (code, table) = (UInt32(84), UInt32(88))
    let strings = table + 16 * UInt32(entries.count + 1)
    let text: [UInt8] = [0] + entries.flatMap { entry -> [UInt8] in Array(entry.name.utf8) + [0] }
    let sections = strings + UInt32(text.count)
    put(UInt16(2)); put(machine); put(words: 1, 0, 52, sections, 0)
    for half in [52, 32, 1, 40, 3, 0] as [UInt16] { put(half) }
    put(words: 1, code, 0, 0, 4, 4, 5, 4, 0xE7FE_E7FE)
    put(words: 0, 0, 0, 0)
    var name: UInt32 = 1
    for entry in entries {
      put(words: name, entry.value, entry.size)
      file += [entry.binding << 4 | entry.type, 0, 1, 0]
      name += UInt32(entry.name.utf8.count) + 1
    }
    file += text + [UInt8](repeating: 0, count: 40)
    put(words: 0, 2, 0, 0, table, strings - table, 2, 0, 4, 16)
    put(words: 0, 3, 0, 0, strings, UInt32(text.count), 0, 0, 1, 0)
    return try ImageReader.read(file, name: "x", address: nil, forceRaw: false).symbols
  }

  @Test func functionsOfThumbCodeAreWhereTheirInstructionsAre() throws {
    let entries = [
      Entry(name: "main", value: 0x10D, size: 8), Entry(name: "buffer", value: 0x2000_0001, size: 3, type: 1),
      Entry(name: "label", value: 0x11, type: 0, binding: 0),
    ]
    #expect(try Self.symbols(machine: 40, entries).map(\.address) == [0x10C, 0x2000_0001, 0x11])
    #expect(try Self.symbols(machine: 243, entries).map(\.address) == [0x10D, 0x2000_0001, 0x11])
  }

  @Test func onlyMappingSymbolsAreDropped() throws {
    let names = [
      "$a", "$t", "$d", "$x", "$t.1", "$d.realdata", "$xrv64gc_zba", "$xrv32i.2", ".Ltmp",
      "$e8Crossing8FirmwareV4mainyyF",
      "$s4main3runyyF", "$dollar", "$tick", "_ZN3foo3barEi",
    ]
    let kept = try Self.symbols(machine: 40, names.map { Entry(name: $0, value: 0x100) })
    #expect(
      kept.map(\.linkName) == ["$e8Crossing8FirmwareV4mainyyF", "$s4main3runyyF", "$dollar", "$tick", "_ZN3foo3barEi"])
    #expect(
      kept.map(\.name) == ["Crossing.Firmware.main() -> ()", "main.run() -> ()", "$dollar", "$tick", "foo::bar(int)"])
  }

  @Test(
    arguments: [
      ("$e8Crossing8FirmwareV4mainyyF", 1), ("Crossing.Firmware.main() -> ()", 1), ("Crossing.Firmware.main", 1),
      ("Crossing::Firmware::main", 1), ("Crossing.CommandLine.run", 2), ("Crossing.Board.send", 3),
      ("Crossing.light", 4),
      ("foo::bar", 5), ("foo::bar(int)", 5), ("reset", 6), ("main", nil), ("Crossing.Firmware", nil), ("", nil),
    ] as [(String, UInt64?)])
  func everyNameOfTheSourceIsUnderstood(name: String, address: UInt64?) {
    var table = SymbolTable()
    table.add([
      Symbol(name: "$e8Crossing8FirmwareV4mainyyF", address: 1, size: 1),
      Symbol(name: "$e8Crossing11CommandLineV3run33_A690D19A1FF996CFDD63D17F5D393515LLyyF", address: 2, size: 1),
      Symbol(name: "$e8Crossing5BoardO4sendyys5UInt8VFZ", address: 3, size: 1),
      Symbol(name: "$e8Crossing5lightAA12TrafficLightVvp", address: 4, size: 1),
      Symbol(name: "_ZN3foo3barEi", address: 5, size: 1), Symbol(name: "reset", address: 6, size: 1),
    ])
    #expect(table.named(name).map(\.address) == (address.map { [$0] } ?? []))
    #expect(table.describe(2) == "Crossing.CommandLine.run() -> ()")
  }

  @Test func oneNameAtSeveralAddressesIsNotOneOfThem() {
    var table = SymbolTable()
    table.add([
      Symbol(name: "init", address: 0x10, size: 4), Symbol(name: "init", address: 0x20, size: 4),
      Symbol(name: "init", address: 0x20, size: 4),
    ])
    #expect(table.named("init").map(\.address) == [0x10, 0x20])
  }

  /// Vector tables of firmware have many weak names for one handler.
  @Test func theBestOfSeveralSymbolsNamesAnAddress() throws {
    var table = SymbolTable()
    table.add(
      try Self.symbols(
        machine: 40,
        [
          Entry(name: "USART2_IRQHandler", value: 0x101, size: 4, binding: 2),
          Entry(name: "Default_Handler", value: 0x101, size: 4), Entry(name: "zzz", value: 0x100, type: 0, binding: 1),
          Entry(name: "outer", value: 0x201, size: 0x40), Entry(name: "part", value: 0x210, size: 2, type: 1),
        ]))
    #expect(table.describe(0x100) == "Default_Handler")
    #expect(table.describe(0x102) == "Default_Handler+0x2")
    #expect(table.describe(0x104) == nil)
    #expect(table.describe(0x211) == "part+0x1")
    #expect(table.describe(0x220) == "outer+0x20")
  }
}
