// Owns the ELF format: System V ABI, chapters 4 (object files) and 5 (program loading).

import Bits
import Bus

/// Reads the loadable segments, entry point and symbols of one ELF file of either class and byte order.
struct ELFReader {
  private let bytes: [UInt8]
  private let name: String
  private var is64 = false
  private var order = Endianness.little
  private var machine: UInt16 = 0
  /// EM_ARM
  private static var arm: UInt16 { 40 }
  /// Bytes of all segments: zeros are made for what they lack in the file.
  private static var mostMemory: UInt64 { 1 << 32 }
  /// Segments may show the same bytes of the file several times, and names the same text: so often on average.
  private static var mostRepeats: UInt64 { 16 }

  static func recognizes(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]) }

  init(_ bytes: [UInt8], name: String) {
    self.bytes = bytes
    self.name = name
  }

  /// A table of the file: offset, size of an entry, number of entries; checked to lie inside the file.
  private struct Table {
    var offset: UInt64
    var entrySize: UInt64
    var count: UInt64
    func entry(_ index: UInt64) -> UInt64 { offset + index * entrySize }
  }

  private struct Section {
    var type: UInt64
    var offset: UInt64
    var size: UInt64
    var link: UInt64
    var entrySize: UInt64
  }

  /// `x86-64` for 62, a number for a machine that is not met often.
  static func name(ofMachine number: UInt16) -> String {
    let names: [UInt16: String] = [
      3: "x86", 8: "MIPS", 20: "PowerPC", 21: "PowerPC64", 40: "Arm", 62: "x86-64", 183: "AArch64", 243: "RISC-V",
      258: "LoongArch",
    ]
    return names[number] ?? "machine \(number)"
  }

  consuming func read() throws(MachineError) -> Image {
    try readIdentification()
    var image = Image()
    machine = UInt16(try number(at: 18, 2, "machine"))
    image.elf = (machine, is64 ? 64 : 32, order)
    image.file = bytes
    switch try number(at: 16, 2, "type") {
    case 2, 3: break
    case 1: throw failure("it is a relocatable object file; link it and give the linked file")
    case 4: throw failure("it is a core dump; give the program's own ELF file")
    case let type: throw failure("its ELF type \(type) at offset 16 cannot be loaded; give an executable")
    }
    let entry = try word(at: 24, "entry point")
    let segments = try table(
      offsetAt: is64 ? 32 : 28, entrySizeAt: is64 ? 54 : 42, smallest: is64 ? 56 : 32, what: "program header")
    image.entry = entry
    // The file's own header, and the program headers if they follow it, as they do.
    let ownHeader: UInt64 = is64 ? 64 : 52
    let headers =
      segments.offset <= ownHeader ? max(ownHeader, segments.offset + segments.count * segments.entrySize) : ownHeader
    var (inFile, inMemory): (UInt64, UInt64) = (0, 0)
    for index in 0..<segments.count {
      let header = segments.entry(index)
      guard try number(at: header, 4, "program header \(index)") == 1 else { continue }
      guard let segment = try segment(header, index, entry, headers: headers, of: &image) else { continue }
      inFile += UInt64(segment.bytes.count)
      inMemory += segment.memorySize
      guard inFile / Self.mostRepeats <= UInt64(bytes.count) else {
        throw failure("its segments show the same bytes over and over: \(inFile) bytes out of \(bytes.count)")
      }
      guard inMemory <= Self.mostMemory else {
        throw failure("its segments want more than \(Self.mostMemory) bytes of memory")
      }
      image.segments.append(segment)
    }
    guard !image.segments.isEmpty else {
      throw failure("it has no PT_LOAD segment, so there is nothing to load; link it with a linker script")
    }
    image.symbols = try readSymbols()
    if machine == Self.arm { image.attributes = try readAttributes() }
    return image
  }

  private mutating func readIdentification() throws(MachineError) {
    let fileClass = try number(at: 4, 1, "class")
    let data = try number(at: 5, 1, "byte order")
    guard fileClass == 1 || fileClass == 2 else {
      throw failure("class \(fileClass) at offset 4 is neither 32 nor 64 bit")
    }
    guard data == 1 || data == 2 else {
      throw failure("byte order \(data) at offset 5 is neither little nor big endian")
    }
    is64 = fileClass == 2
    order = data == 2 ? .big : .little
  }

  /// - Returns: nil for a segment of no bytes.
  private func segment(
    _ header: UInt64, _ index: UInt64, _ entry: UInt64, headers: UInt64, of image: inout Image
  ) throws(MachineError) -> Image.Segment? {
    let what = "program header \(index)"
    let offset = try word(at: header + (is64 ? 8 : 4), what)
    let virtual = try word(at: header + (is64 ? 16 : 8), what)
    let physical = try word(at: header + (is64 ? 24 : 12), what)
    let fileSize = try word(at: header + (is64 ? 32 : 16), what)
    let memorySize = try word(at: header + (is64 ? 40 : 20), what)
    guard memorySize >= fileSize else {
      throw failure("\(what) has \(fileSize) bytes in the file but room for only \(memorySize) in memory")
    }
    guard memorySize > 0 else { return nil }
    guard memorySize <= Self.mostMemory else {
      throw failure("\(what) wants \(memorySize) bytes of memory, more than any board has")
    }
    let content = try slice(offset, fileSize, what)
    let range = AddressRange(base: physical, size: memorySize)
    guard !range.isCut, is64 || range.last <= 0xFFFF_FFFF else {
      throw failure("\(what) reaches beyond the end of the address space: \(memorySize) bytes at \(physical.hex0x())")
    }
    let isHeaders = memorySize == fileSize && offset < headers && fileSize <= headers - offset
    // The entry point is a virtual address, and a machine starts with translation off.
    if AddressRange(base: virtual, size: memorySize).contains(entry) { image.entry = physical &+ (entry - virtual) }
    return Image.Segment(address: physical, bytes: [UInt8](content), memorySize: memorySize, isHeaders: isHeaders)
  }

  // MARK: Symbols

  private func readSymbols() throws(MachineError) -> [Symbol] {
    let headers = try table(
      offsetAt: is64 ? 40 : 32, entrySizeAt: is64 ? 58 : 46, smallest: is64 ? 64 : 40, what: "section header")
    for index in 0..<headers.count {
      let table = try section(headers, index)
      guard table.type == 2 else { continue }
      guard table.link < headers.count else {
        throw failure("section \(index) (symbols) names section \(table.link) of \(headers.count) for its strings")
      }
      let strings = try section(headers, table.link)
      return try readSymbols(table, index, names: slice(strings.offset, strings.size, "section \(table.link)"))
    }
    return []
  }

  /// SHT_ARM_ATTRIBUTES
  private func readAttributes() throws(MachineError) -> BuildAttributes? {
    let headers = try table(offsetAt: 32, entrySizeAt: 46, smallest: 40, what: "section header")
    for index in 0..<headers.count {
      let table = try section(headers, index)
      guard table.type == 0x7000_0003 else { continue }
      return BuildAttributes(try slice(table.offset, table.size, "section \(index) (build attributes)"))
    }
    return nil
  }

  private func section(_ headers: Table, _ index: UInt64) throws(MachineError) -> Section {
    let base = headers.entry(index)
    let what = "section header \(index)"
    return Section(
      type: try number(at: base + 4, 4, what), offset: try word(at: base + (is64 ? 24 : 16), what),
      size: try word(at: base + (is64 ? 32 : 20), what), link: try number(at: base + (is64 ? 40 : 24), 4, what),
      entrySize: try word(at: base + (is64 ? 56 : 36), what))
  }

  private func readSymbols(
    _ table: Section, _ index: UInt64, names: ArraySlice<UInt8>
  ) throws(MachineError) -> [Symbol] {
    let what = "section \(index) (symbols)"
    let size: UInt64 = is64 ? 24 : 16
    guard table.entrySize == size else { throw failure("\(what) has entries of \(table.entrySize) bytes, not \(size)") }
    _ = try slice(table.offset, table.size, what)
    var symbols: [Symbol] = []
    symbols.reserveCapacity(Int(table.size / size))
    var named: UInt64 = 0
    for position in 0..<table.size / size {
      let base = table.offset + position * size
      let nameOffset = try number(at: base, 4, what)
      let info = try number(at: base + (is64 ? 4 : 12), 1, what)
      let home = try number(at: base + (is64 ? 6 : 14), 2, what)
      guard home != 0, isWorthKeeping(type: info & 15, section: home) else { continue }
      guard let label = text(names, nameOffset), !label.isEmpty, !label.hasPrefix(".L"), !isMappingSymbol(label) else {
        continue
      }
      named += UInt64(label.utf8.count)
      guard named / Self.mostRepeats <= UInt64(names.count) else {
        throw failure("\(what) have the same names over and over: more than \(named) bytes out of \(names.count)")
      }
      var address = try word(at: base + (is64 ? 8 : 4), what)
      // Bit 0 says that a function is of Thumb instructions (ELF for the Arm Architecture, 5.5.3).
      if machine == Self.arm, info & 15 == 2 || info & 15 == 10 { address &= ~1 }
      symbols.append(
        Symbol(
          name: label, address: address, size: try word(at: base + (is64 ? 16 : 8), what),
          rank: (info & 15 == 0 ? 4 : 0) + (info >> 4 == 1 ? 0 : info >> 4 == 2 ? 1 : 2), isData: info & 15 == 1))
    }
    return symbols
  }

  /// Whether a name only says what kind of code or data begins at it: `$a`, `$d`, `$t`, `$x`, perhaps with a suffix (ELF
  /// for the Arm Architecture, 5.5.5), or `$x` with the extensions in force (RISC-V psABI, "Mapping Symbol").
  private func isMappingSymbol(_ name: String) -> Bool {
    guard ["$a", "$d", "$t", "$x"].contains(where: name.hasPrefix) else { return false }
    let rest = name.dropFirst(2)
    return rest.isEmpty || rest.hasPrefix(".") || name.hasPrefix("$xrv")
  }

  /// Functions and objects anywhere; labels without a type only if they belong to a section (constants do not).
  private func isWorthKeeping(type: UInt64, section: UInt64) -> Bool {
    type == 1 || type == 2 || type == 10 || type == 0 && section < 0xFF00
  }

  private func text(_ table: ArraySlice<UInt8>, _ offset: UInt64) -> String? {
    guard offset < UInt64(table.count) else { return nil }
    let tail = table[(table.startIndex + Int(offset))...].prefix(4096)
    guard let end = tail.firstIndex(of: 0) else { return nil }
    return String(decoding: tail[..<end], as: UTF8.self)
  }

  // MARK: Bytes

  private func table(
    offsetAt: UInt64, entrySizeAt: UInt64, smallest: UInt64, what: String
  ) throws(MachineError) -> Table {
    let table = Table(
      offset: try word(at: offsetAt, "\(what) offset"), entrySize: try number(at: entrySizeAt, 2, "\(what) size"),
      count: try number(at: entrySizeAt + 2, 2, "\(what) count"))
    guard table.count > 0 else { return table }
    guard table.entrySize >= smallest else {
      throw failure("a \(what) of \(table.entrySize) bytes is too small, \(smallest) are needed")
    }
    _ = try slice(table.offset, table.count * table.entrySize, "the \(what) table")
    return table
  }

  private func slice(_ offset: UInt64, _ count: UInt64, _ what: String) throws(MachineError) -> ArraySlice<UInt8> {
    let size = UInt64(bytes.count)
    guard offset <= size, count <= size - offset else {
      throw failure(
        "\(what) needs \(count) bytes at offset \(offset.hex0x()), but the file has \(size); it may be truncated: copy or "
          + "build it again")
    }
    return bytes[Int(offset)..<Int(offset + count)]
  }

  private func word(at offset: UInt64, _ what: String) throws(MachineError) -> UInt64 {
    try number(at: offset, is64 ? 8 : 4, what)
  }

  private func number(at offset: UInt64, _ count: UInt64, _ what: String) throws(MachineError) -> UInt64 {
    order.number(try slice(offset, count, what))
  }

  private func failure(_ text: String) -> MachineError { .badInput("\(name): broken or unusable ELF file: \(text)") }
}
