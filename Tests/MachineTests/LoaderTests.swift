// Owns the tests of image formats: good files, each kind of broken one, and random corruption.

import Machine
import TestSupport
import Testing

@Suite struct LoaderTests {
  /// An ELF file with one segment (virtual 0xC0001000, physical 0x80001000, 8 bytes in the file, 16 in memory) and one
  /// symbol, `start`, written as the class and byte order say.
  static func elf(bits: Int, big: Bool, type: UInt64 = 2) -> [UInt8] {
    var file: [UInt8] = []
    func put(_ value: UInt64, _ count: Int) {
      let little = (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
      file += big ? little.reversed() : little
    }
    let word = bits / 8
    let header = bits == 64 ? 64 : 52
    let program = bits == 64 ? 56 : 32
    let section = bits == 64 ? 64 : 40
    let symbolSize = bits == 64 ? 24 : 16
    let code = header + program
    let symbols = code + 8
    let strings = symbols + 2 * symbolSize
    let sections = strings + 8
    file = [0x7F, 0x45, 0x4C, 0x46, bits == 64 ? 2 : 1, big ? 2 : 1, 1] + [UInt8](repeating: 0, count: 9)
    put(type, 2); put(243, 2); put(1, 4)
    put(0xC000_1004, word); put(UInt64(header), word); put(UInt64(sections), word)
    put(0, 4); put(UInt64(header), 2); put(UInt64(program), 2); put(1, 2); put(UInt64(section), 2); put(3, 2); put(0, 2)
    put(1, 4)
    if bits == 64 { put(5, 4) }
    put(UInt64(code), word); put(0xC000_1000, word); put(0x8000_1000, word); put(8, word); put(16, word)
    if bits == 32 { put(5, 4) }
    put(4, word)
    file += [1, 2, 3, 4, 5, 6, 7, 8]
    file += [UInt8](repeating: 0, count: symbolSize)
    put(1, 4)
    if bits == 64 { put(2, 1); put(0, 1); put(1, 2) }
    put(0xC000_1004, word); put(4, word)
    if bits == 32 { put(2, 1); put(0, 1); put(1, 2) }
    file += [0] + Array("start".utf8) + [0, 0]
    file += [UInt8](repeating: 0, count: section)
    for (kind, offset, size, link, entry) in [(2, symbols, 2 * symbolSize, 2, symbolSize), (3, strings, 8, 0, 0)] {
      put(0, 4); put(UInt64(kind), 4); put(0, word); put(0, word); put(UInt64(offset), word); put(UInt64(size), word)
      put(UInt64(link), 4); put(0, 4); put(0, word); put(UInt64(entry), word)
    }
    return file
  }

  static let hex = """
    :020000040800F2
    :0400100001020304E2
    :02001400050 6DF
    :040000050800010 0EE
    :00000001FF

    """

  func load(_ bytes: [UInt8], name: String = "x", address: UInt64? = nil, forceRaw: Bool = false) -> Image? {
    try? ImageReader.read(bytes, name: name, address: address, forceRaw: forceRaw)
  }

  func message(_ bytes: [UInt8], name: String = "x", address: UInt64? = nil) -> String {
    do throws(MachineError) {
      _ = try ImageReader.read(bytes, name: name, address: address, forceRaw: false)
      return "accepted"
    } catch { return "\(error)" }
  }

  @Test(arguments: [32, 64], [false, true])
  func elfIsReadInEitherClassAndOrder(bits: Int, big: Bool) throws {
    let image = try #require(load(Self.elf(bits: bits, big: big)))
    #expect(image.segments.count == 1)
    #expect(image.segments[0].address == 0x8000_1000)
    #expect(image.segments[0].bytes == [1, 2, 3, 4, 5, 6, 7, 8])
    #expect(image.segments[0].memorySize == 16)
    #expect(image.entry == 0x8000_1004)
    #expect(image.elf?.machine == 243)
    #expect(image.elf?.bits == bits)
    #expect(image.symbols == [Symbol(name: "start", address: 0xC000_1004, size: 4, rank: 2)])
  }

  @Test(arguments: [32, 64])
  func everyTruncationOfAnElfFileIsRefused(bits: Int) {
    let whole = Self.elf(bits: bits, big: false)
    for count in 4..<whole.count { #expect(message(Array(whole.prefix(count))).contains("x: ")) }
    for count in 4..<whole.count { #expect(load(Array(whole.prefix(count))) == nil) }
  }

  @Test func objectFilesAndCoresAreRefusedByName() {
    #expect(message(Self.elf(bits: 64, big: false, type: 1)).contains("relocatable object file; link it"))
    #expect(message(Self.elf(bits: 64, big: false, type: 4)).contains("core dump"))
  }

  /// Many program headers over the same bytes, or over the same memory, cost memory and time that no file is worth.
  @Test func segmentsWithoutEndAreRefused() {
    let whole = Self.elf(bits: 64, big: false)
    func file(fileSize: [UInt8], memorySize: [UInt8]) -> [UInt8] {
      var header = Array(whole[64..<120])
      header.replaceSubrange(8..<16, with: [UInt8](repeating: 0, count: 8))
      header.replaceSubrange(32..<40, with: fileSize)
      header.replaceSubrange(40..<48, with: memorySize)
      var file = whole
      file.replaceSubrange(32..<40, with: (0..<8).map { UInt8(truncatingIfNeeded: UInt64(whole.count) >> (8 * $0)) })
      file.replaceSubrange(56..<58, with: [0xFE, 0xFF])
      for _ in 0..<0xFFFE { file += header }
      return file
    }
    let size: [UInt8] = [0, 0, 4, 0, 0, 0, 0, 0]
    #expect(message(file(fileSize: size, memorySize: size)).contains("the same bytes over and over"))
    let clear: [UInt8] = [0, 0, 0, 8, 0, 0, 0, 0]
    #expect(
      message(file(fileSize: [0, 0, 0, 0, 0, 0, 0, 0], memorySize: clear)).contains("more than 4294967296 bytes"))
  }

  /// Only what holds the headers and no more; a linker puts it before the code of `-Ttext`.
  @Test(arguments: [32, 64])
  func segmentsOfHeadersAreMarked(bits: Int) throws {
    var file = Self.elf(bits: bits, big: false)
    #expect(load(file)?.segments.map(\.isHeaders) == [false])
    let (header, program) = bits == 64 ? (64, 56) : (52, 32)
    let offset = header + (bits == 64 ? 8 : 4)
    file.replaceSubrange(offset..<offset + 4, with: [0, 0, 0, 0])
    for place in bits == 64 ? [header + 32, header + 40] : [header + 16, header + 20] {
      file[place] = UInt8(header + program)
    }
    #expect(load(file)?.segments.map(\.isHeaders) == [true])
    for place in bits == 64 ? [header + 32, header + 40] : [header + 16, header + 20] { file[place] += 1 }
    #expect(load(file)?.segments.map(\.isHeaders) == [false])
  }

  @Test func sizesThatOverflowAreRefused() {
    var file = Self.elf(bits: 64, big: false)
    for index in 64 + 32..<64 + 48 { file[index] = 0xFF }
    #expect(message(file).contains("program header 0 wants 18446744073709551615 bytes"))
    file = Self.elf(bits: 64, big: false)
    for index in 64 + 40..<64 + 48 { file[index] = 0xFF }
    #expect(message(file).contains("more than any board has"))
    file = Self.elf(bits: 64, big: false)
    for index in 64 + 24..<64 + 32 { file[index] = 0xFF }
    #expect(message(file).contains("beyond the end of the address space"))
  }

  @Test func corruptionNeverCrashes() {
    var random = Mutations.random
    let sources = [
      Self.elf(bits: 64, big: false), Self.elf(bits: 32, big: true), Array(Self.hex.utf8),
      Array(UniversalHex.text.utf8),
      Self.uf2([(0x1000, [1, 2, 3], 0, 0), (0x1003, [4, 5], 0x2000, 7)]),
    ]
    for _ in 0..<Mutations.count(20_000) {
      var bytes = sources.randomElement(using: &random) ?? []
      Mutations.damage(&bytes, &random)
      _ = try? ImageReader.read(bytes, name: "x", address: 0x1000, forceRaw: false, boards: [0x9900])
    }
  }

  @Test func intelHexIsRead() throws {
    let image = try #require(load(Array(Self.hex.utf8)))
    #expect(image.segments.count == 1)
    #expect(image.segments[0].address == 0x0800_0010)
    #expect(image.segments[0].bytes == [1, 2, 3, 4, 5, 6])
    #expect(image.entry == 0x0800_0100)
  }

  @Test func segmentedIntelHexWrapsWithin64KiB() throws {
    let text = ":020000021000EC\n:02FFFF00AABB9B\n:0400000300123456 5D\n:00000001FF\n"
    let image = try #require(load(Array(text.utf8)))
    #expect(image.segments.map(\.address) == [0x1FFFF, 0x10000])
    #expect(image.entry == 0x120 + 0x3456)
  }

  @Test(arguments: [
    (":0400100001020304E3\n:00000001FF", "line 1: the checksum is 0xe3, it should be 0xe2"),
    (":0400100001020304E2\n", "end-of-file record"),
    (":0500100001020304E1\n:00000001FF", "announces 5 data bytes and has 4"),
    (":00000001FF\n:00000001FF", "line 2: there is data after"),
    (":04001000010203GGE2\n:00000001FF", "column 16 is not hexadecimal"),
    (":00000006FA\n:00000001FF", "record type 6 does not exist"),
    (":0000000AF6\n:00000001FF", "record type 10 does not exist"),
    (":0100000DAA48\n:00000001FF", "data of a board (type 13) before the record"),
    (":0100000400FB\n:00000001FF", "type 4 cannot have 1 data bytes"),
    (":00000001F\n", "9 hexadecimal digits are no whole record"),
    (":00000001FF\nhello", "line 2: there is data after"),
    ("\n:0400100001020304E2\nhello", "line 3: a record starts with ':'"),
  ])
  func brokenIntelHexIsRefused(text: String, expected: String) {
    let found = message(Array(text.utf8))
    #expect(found.contains(expected), "\(found)")
  }

  /// Blocks of these data at these addresses.
  static func uf2(_ blocks: [(address: UInt32, data: [UInt8], flags: UInt32, family: UInt32)]) -> [UInt8] {
    blocks.enumerated().flatMap { index, block in
      let words: [UInt32] = [
        0x0A32_4655, 0x9E5D_5157, block.flags, block.address, UInt32(block.data.count), UInt32(index),
        UInt32(blocks.count), block.family,
      ]
      let header = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * UInt32($0))) } }
      let padding = [UInt8](repeating: 0, count: max(0, 476 - block.data.count))
      return header + block.data + padding + [0x30, 0x6F, 0xB1, 0x0A]
    }
  }

  @Test func uf2IsRead() throws {
    let page = [UInt8](repeating: 7, count: 256)
    let file = Self.uf2([
      (0x1000, page, 0x2000, 5), (0x1100, page, 0x2000, 5), (0x1200, page, 1, 0), (0x2000, [1, 2], 0x2000, 5),
    ])
    let image = try #require(load(file))
    #expect(image.segments.map(\.address) == [0x1000, 0x2000])
    #expect(image.segments.map(\.bytes) == [page + page, [1, 2]])
    #expect(message(Array(file.dropLast())).contains("block 3: it has only 511 of its 512 bytes"))
    #expect(message(Self.uf2([(0xFFFF_FFFF, [1, 2], 0, 0)])).contains("beyond the end of the address space"))
    #expect(message(Self.uf2([(0, [1], 1, 0)])).contains("without anything for flash memory"))
    let families = Self.uf2([(0, [1], 0x2000, 5), (1, [1], 0x2000, 6)])
    #expect(message(families).contains("block 1: it is for another family"))
    for (place, text) in [(513, "block 1: its magic numbers"), (512 + 18, "block 1: it announces")] {
      var broken = file
      broken[place] = 0xEE
      #expect(message(broken).contains(text))
    }
  }

  @Test func rawBytesGoWhereTheUserSays() throws {
    #expect(try #require(load([1, 2, 3], address: 0x1000)).segments[0].address == 0x1000)
    #expect(message([1, 2, 3]).contains("needs an address"))
    #expect(message([], address: 0).contains("empty"))
    #expect(message([1, 2], address: .max).contains("end of the address space"))
    let forced = try #require(load(Self.elf(bits: 64, big: false), address: 0x1000, forceRaw: true))
    #expect(forced.elf == nil)
    #expect(forced.segments[0].bytes.count == Self.elf(bits: 64, big: false).count)
  }

  @Test func filesThatCannotBeReadAreNamed() {
    for (path, reason) in [("/nonexistent/a.elf", "No such file"), ("/tmp", "not a regular file")] {
      do throws(MachineError) {
        _ = try ImageReader.read(path: path, address: nil, forceRaw: false)
        Issue.record("\(path) was accepted")
      } catch { #expect("\(error)".contains("\(path): \(reason)")) }
    }
  }
}
