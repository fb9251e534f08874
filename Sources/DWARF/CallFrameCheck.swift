// Owns the check that call frame information is modest: libdw makes room for every register number that it names, and
// for every state that it remembers, so a broken one could ask for all memory there is.

@unsafe @preconcurrency import CDW

/// Walks call frame instructions (DWARF 5, 6.4.2) without carrying them out.
struct CallFrameCheck {
  /// The highest register number: RISC-V's CSRs end at 8191.
  private static var mostRegisters: UInt64 { 8192 }
  private static var mostStates: Int { 64 }
  private let addressSize: Int
  /// In pointers to code, the encoding of a CIE by the offset of its entry.
  private var encodings: [UInt64: UInt8] = [:]
  private var augmented: Set<UInt64> = []

  private init(addressSize: Int) { self.addressSize = addressSize }

  /// Whether there are `.debug_frame` and `.eh_frame`, and they are modest.
  static func sections(of elf: OpaquePointer, addressSize: Int) -> (frames: Bool, exceptions: Bool) {
    var modest: [String: Bool] = [:]
    unsafe DiscardedCode.forEachSection(elf) { section, name, _ in
      guard name == ".debug_frame" || name == ".eh_frame", unsafe elf_compress(section, 0, 0) >= -1,
        let data = unsafe elf_getdata(section, nil),
        unsafe data.pointee.d_buf != nil
      else { return }
      var check = CallFrameCheck(addressSize: addressSize)
      let passes = unsafe check.passes(data, in: elf, isExceptionTable: name == ".eh_frame")
      modest[name] = passes && modest[name] ?? true
    }
    return (modest[".debug_frame"] ?? false, modest[".eh_frame"] ?? false)
  }

  /// Those entries that libdw refuses are left out.
  private mutating func passes(_ data: UnsafeMutablePointer<Elf_Data>, in elf: OpaquePointer, isExceptionTable: Bool)
    -> Bool
  {
    guard let ident = unsafe elf_getident(elf, nil) else { return true }
    let size = UInt64(unsafe data.pointee.d_size)
    var offset: Dwarf_Off = 0
    while true {
      var next: Dwarf_Off = 0
      var entry = unsafe Dwarf_CFI_Entry()
      let status = unsafe ident.withMemoryRebound(to: UInt8.self, capacity: Int(EI_NIDENT)) {
        unsafe dwarf_next_cfi($0, data, isExceptionTable, offset, &next, &entry)
      }
      guard status <= 0, next > offset, next <= size else { return true }
      if status == 0, unsafe !passes(entry, at: offset) { return false }
      offset = next
    }
  }

  private mutating func passes(_ entry: Dwarf_CFI_Entry, at offset: UInt64) -> Bool {
    if unsafe entry.CIE_id == UInt64.max {
      let cie = unsafe entry.cie
      let text = unsafe cie.augmentation.map { unsafe String(cString: $0) } ?? ""
      if text.hasPrefix("z") { augmented.insert(offset) }
      encodings[offset] = unsafe Self.encoding(cie, text)
      guard unsafe cie.return_address_register < Self.mostRegisters else { return false }
      return unsafe passes(from: cie.initial_instructions, to: cie.initial_instructions_end)
    }
    let fde = unsafe entry.fde
    guard let start = unsafe fde.start, let end = unsafe fde.end else { return true }
    var reader = unsafe Reader(start, end)
    let encoding = encodings[unsafe fde.CIE_pointer] ?? 0
    // Where the code begins, and its length, which is encoded alike.
    for _ in 0..<2 { reader.skipPointer(encoding, addressSize) }
    if augmented.contains(unsafe fde.CIE_pointer) { reader.skip(reader.number()) }
    return passes(&reader)
  }

  /// How pointers to code are encoded: what stands for `R` in the augmentation (LSB, "DWARF Extensions").
  private static func encoding(_ cie: Dwarf_CIE, _ augmentation: String) -> UInt8 {
    guard augmentation.hasPrefix("z"), let data = unsafe cie.augmentation_data else { return 0 }
    var reader = unsafe Reader(data, data + cie.augmentation_data_size)
    for letter in augmentation.dropFirst() {
      switch letter {
      case "R": return reader.byte()
      case "L": _ = reader.byte()
      case "P": reader.skipPointer(reader.byte(), 8)
      default: break
      }
    }
    return 0
  }

  private func passes(from start: UnsafePointer<UInt8>?, to end: UnsafePointer<UInt8>?) -> Bool {
    guard let start = unsafe start, let end = unsafe end else { return true }
    var reader = unsafe Reader(start, end)
    return passes(&reader)
  }

  private func passes(_ reader: inout Reader) -> Bool {
    var states = 0
    while !reader.isAtEnd {
      let operation = reader.byte()
      switch Int(operation) {
      case 0x80...0xBF: _ = reader.number()
      case 0x40...0x7F, 0xC0...0xFF: break
      case Int(DW_CFA_set_loc): reader.skip(UInt64(addressSize))
      case Int(DW_CFA_advance_loc1): reader.skip(1)
      case Int(DW_CFA_advance_loc2): reader.skip(2)
      case Int(DW_CFA_advance_loc4): reader.skip(4)
      case Int(DW_CFA_MIPS_advance_loc8): reader.skip(8)
      case Int(DW_CFA_offset_extended), Int(DW_CFA_offset_extended_sf), Int(DW_CFA_val_offset),
        Int(DW_CFA_val_offset_sf), Int(DW_CFA_def_cfa), Int(DW_CFA_def_cfa_sf):
        guard reader.number() < Self.mostRegisters else { return false }
        _ = reader.number()
      case Int(DW_CFA_restore_extended), Int(DW_CFA_undefined), Int(DW_CFA_same_value), Int(DW_CFA_def_cfa_register):
        guard reader.number() < Self.mostRegisters else { return false }
      case Int(DW_CFA_register):
        guard reader.number() < Self.mostRegisters, reader.number() < Self.mostRegisters else { return false }
      case Int(DW_CFA_def_cfa_offset), Int(DW_CFA_def_cfa_offset_sf), Int(DW_CFA_GNU_args_size): _ = reader.number()
      case Int(DW_CFA_def_cfa_expression): reader.skip(reader.number())
      case Int(DW_CFA_expression), Int(DW_CFA_val_expression):
        guard reader.number() < Self.mostRegisters else { return false }
        reader.skip(reader.number())
      case Int(DW_CFA_remember_state):
        states += 1
        guard states <= Self.mostStates else { return false }
      case Int(DW_CFA_restore_state): states -= 1
      case Int(DW_CFA_nop), Int(DW_CFA_GNU_window_save): break
      // libdw stops here, too.
      default: return true
      }
    }
    return true
  }
}

/// Bytes up to an end; behind it there are zeros.
@safe private struct Reader {
  private var next: UnsafePointer<UInt8>
  private var left: Int

  init(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) {
    unsafe next = start
    unsafe left = max(0, end - start)
  }

  var isAtEnd: Bool { left == 0 }

  mutating func byte() -> UInt8 {
    guard left > 0 else { return 0 }
    defer { skip(1) }
    return unsafe next.pointee
  }

  mutating func skip(_ count: UInt64) {
    let count = min(left, Int(clamping: count))
    unsafe next += count
    left -= count
  }

  /// A number in LEB128 (DWARF 5, 7.6), its sign left out.
  mutating func number() -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while !isAtEnd {
      let byte = byte()
      value |= UInt64(byte & 0x7F) << shift
      // libdw takes longer ones too; they are no register numbers.
      if shift >= 63, byte & 0x7F != 0 { value = .max }
      shift += 7
      if byte & 0x80 == 0 { break }
    }
    return value
  }

  mutating func skipPointer(_ encoding: UInt8, _ addressSize: Int) {
    switch encoding & 0xF {
    case 1, 9: _ = number()
    case 2, 10: skip(2)
    case 3, 11: skip(4)
    case 4, 12: skip(8)
    default: skip(UInt64(addressSize))
    }
  }
}
