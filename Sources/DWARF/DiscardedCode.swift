// Owns the putting out of the way of what the linker has left of discarded functions.

@unsafe @preconcurrency import CDW
import Glibc

/// Linkers that leave out unused functions (`--gc-sections`) keep their line sequences and frame descriptions, at address 0.
/// Where the program's code begins there, as on many microcontrollers, they would cover what runs, and libdw, which sorts
/// rows by address, would mix them with it. They are moved to where no code is before libdw reads them.
enum DiscardedCode {
  /// From here on up there is no code.
  static func tombstone(addressSize: Int) -> UInt64 { addressSize == 4 ? 0xFFFF_0000 : 0xFFFF_FFFF_FFFF_0000 }

  static func move(in elf: OpaquePointer, addressSize: Int) {
    guard unsafe !mayHaveCodeAtZero(elf) else { return }
    let place = tombstone(addressSize: addressSize)
    unsafe forEachSection(elf) { section, name, _ in
      switch name {
      case ".debug_line":
        _ = unsafe elf_compress(section, 0, 0)
        unsafe moveSequences(elf_getdata(section, nil), elf, addressSize, to: place)
      case ".debug_frame":
        _ = unsafe elf_compress(section, 0, 0)
        unsafe moveFrames(elf_getdata(section, nil), elf, addressSize, to: place)
      default: break
      }
    }
  }

  static func forEachSection(_ elf: OpaquePointer, _ body: (OpaquePointer, String, GElf_Shdr) -> Void) {
    var strings = 0
    guard unsafe elf_getshdrstrndx(elf, &strings) == 0 else { return }
    var section = unsafe elf_nextscn(elf, nil)
    while let current = unsafe section {
      var header = GElf_Shdr()
      if unsafe gelf_getshdr(current, &header) != nil,
        let name = unsafe elf_strptr(elf, strings, Int(header.sh_name))
      {
        unsafe body(current, String(cString: name), header)
      }
      unsafe section = elf_nextscn(elf, current)
    }
  }

  /// Whether code at address 0 may be live. On Arm there are vectors.
  private static func mayHaveCodeAtZero(_ elf: OpaquePointer) -> Bool {
    var header = GElf_Ehdr()
    guard unsafe gelf_getehdr(elf, &header) != nil, Int(header.e_machine) != Int(EM_ARM) else { return false }
    var found = false
    unsafe forEachSection(elf) { _, _, section in
      if section.sh_addr == 0, section.sh_size > 0, section.sh_flags & UInt64(SHF_EXECINSTR) != 0 { found = true }
    }
    return found
  }

  private static func bytes(_ data: UnsafeMutablePointer<Elf_Data>?) -> UnsafeMutableRawBufferPointer? {
    guard let data = unsafe data, let start = unsafe data.pointee.d_buf else { return nil }
    return unsafe UnsafeMutableRawBufferPointer(start: start, count: data.pointee.d_size)
  }

  private static func write(
    _ value: UInt64, _ size: Int, at start: UnsafeMutableRawPointer, _ elf: OpaquePointer
  ) {
    let isBig = unsafe elf_getident(elf, nil).map { unsafe $0[Int(EI_DATA)] == CChar(ELFDATA2MSB) } ?? false
    for index in 0..<size {
      let place = isBig ? size - 1 - index : index
      unsafe start.storeBytes(
        of: UInt8(truncatingIfNeeded: value >> UInt64(8 * index)), toByteOffset: place, as: UInt8.self)
    }
  }

  /// The operation that begins a sequence, DW_LNE_set_address, with the address 0 (DWARF 5, 6.2.5.3).
  private static func moveSequences(
    _ data: UnsafeMutablePointer<Elf_Data>?, _ elf: OpaquePointer, _ size: Int, to place: UInt64
  ) {
    guard let bytes = unsafe bytes(data) else { return }
    let operation = [0, UInt8(1 + size), UInt8(DW_LNE_set_address)] + [UInt8](repeating: 0, count: size)
    var index = 0
    while index + operation.count <= bytes.count {
      if unsafe bytes[index] == 0, unsafe bytes[index..<index + operation.count].elementsEqual(operation) {
        unsafe write(place, size, at: bytes.baseAddress! + index + 3, elf)
        index += operation.count
      } else {
        index += 1
      }
    }
  }

  private static func moveFrames(
    _ data: UnsafeMutablePointer<Elf_Data>?, _ elf: OpaquePointer, _ size: Int, to place: UInt64
  ) {
    guard let bytes = unsafe bytes(data), let ident = unsafe elf_getident(elf, nil) else { return }
    var offset: Dwarf_Off = 0
    while true {
      var next: Dwarf_Off = 0
      var entry = unsafe Dwarf_CFI_Entry()
      let status = unsafe ident.withMemoryRebound(to: UInt8.self, capacity: Int(EI_NIDENT)) {
        unsafe dwarf_next_cfi($0, data!, false, offset, &next, &entry)
      }
      // A broken entry is left out, and the next one tried.
      guard status <= 0, next > offset, next <= UInt64(bytes.count) else { return }
      offset = next
      guard status == 0, unsafe entry.cie.CIE_id != UInt64.max, let start = unsafe entry.fde.start,
        let end = unsafe entry.fde.end, unsafe end - start >= size
      else { continue }
      if (0..<size).allSatisfy({ unsafe start[$0] == 0 }) {
        unsafe write(place, size, at: UnsafeMutableRawPointer(mutating: start), elf)
      }
    }
  }
}
