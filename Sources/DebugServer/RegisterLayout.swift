// Owns the guest's registers as GDB sees them: numbers, widths, the `g` packet, the description in XML.

import GDBRemote
import GuestKit
import IR
import Machine

struct RegisterLayout: Sendable {
  struct Entry: Sendable {
    /// In GDB's protocol.
    let number: Int
    /// In the guest's register file.
    let register: Int
    let name: String
    /// In bytes.
    let size: Int
    let type: String
    let group: String
    let feature: String
    /// LLDB's attributes, which GDB passes over: another name, what the register is for, its number in DWARF.
    let hints: String
    /// GDB's inferior calls, and `return`, put it back.
    let isRestored: Bool
  }

  /// Groups of registers that calls use. Others are the system's, which calls leave alone.
  private static let restoredGroups = ["general", "float", "vector"]

  private let guest: any Guest
  /// By GDB number, ascending.
  let entries: [Entry]
  /// The same for what is looked up often, by number; those that do not exist have no bytes.
  private let slots: [(register: Int, size: Int)]
  let isBigEndian: Bool
  /// Those of the `g` packet; GDB asks for the others one by one.
  let general: ArraySlice<Entry>
  let programCounter: Entry?
  let stackPointer: Entry?
  let document: String

  init(_ guest: any Guest) {
    self.guest = guest
    let shown = guest.registerFile.registers.enumerated().filter { $0.element.feature != nil }
    var taken = Set(shown.compactMap(\.element.gdbNumber))
    var next = (taken.max() ?? -1) + 1
    var seen: Set<Int> = []
    var entries: [Entry] = []
    for (index, register) in shown {
      let number = register.gdbNumber ?? next
      if register.gdbNumber == nil {
        taken.insert(next)
        next += 1
      }
      guard seen.insert(number).inserted else { continue }
      entries.append(
        Entry(
          number: number, register: index, name: register.name, size: register.size,
          type: register.gdbType == "vector" ? "vector\(register.size)" : register.gdbType,
          group: register.group, feature: register.feature ?? "", hints: Self.hints(register),
          // GDB tells by comparison which of the stack pointers is in use: it has to change both together.
          isRestored: Self.restoredGroups.contains(register.group) || register.isBankedStackPointer))
    }
    entries.sort { $0.number < $1.number }
    self.entries = entries
    var slots = [(register: Int, size: Int)](repeating: (0, 0), count: (entries.last?.number ?? -1) + 1)
    for entry in entries { slots[entry.number] = (entry.register, entry.size) }
    self.slots = slots
    isBigEndian = guest.byteOrder == .big
    general = entries.prefix { $0.group == "general" }
    programCounter = entries.first { $0.register == guest.programCounter }
    stackPointer = entries.first { $0.register == guest.stackPointer }
    document = Self.document(entries, architecture: guest.debuggerArchitecture)
  }

  private static func hints(_ register: GuestRegister) -> String {
    var text = register.aliases.first.map { " altname=\"\($0)\"" } ?? ""
    if let role = register.role { text += " generic=\"\(role)\"" }
    if let number = register.dwarfNumber { text += " dwarf_regnum=\"\(number)\" ehframe_regnum=\"\(number)\"" }
    return text
  }

  func entry(_ number: Int) throws(TargetError) -> Entry {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].number < number { low = middle + 1 } else { high = middle }
    }
    guard low < entries.count, entries[low].number == number else { throw .invalid("no register \(number)") }
    return entries[low]
  }

  func read(_ entry: Entry, _ state: VCPUState) -> RegisterValue {
    .bytes(ordered(guest.registerBytes(state, entry.register)))
  }

  /// What a thread has in a register: a task that does not run may have it saved, or not.
  func read(_ entry: Entry, of subject: TaskThreads.Subject, _ machine: Machine) -> RegisterValue {
    switch subject.registers {
    case .cpu(let hart): return read(entry, machine.engine.vcpus[hart].state)
    case .saved(let context):
      guard let bytes = machine.savedRegister(entry.register, of: context) else { fallthrough }
      return .bytes(ordered(bytes))
    case .unknown: return .unavailable(byteCount: entry.size)
    }
  }

  /// A register's value as a number; nil if there is none of this number, or it is wider than 64 bits.
  func value(_ number: Int, _ state: VCPUState) -> UInt64? {
    guard slots.indices.contains(number), 1...8 ~= slots[number].size else { return nil }
    return guest.readRegister(state, slots[number].register)
  }

  /// A register's bytes in the guest's order; none if there is no such register.
  func bytes(_ number: Int, _ state: VCPUState) -> [UInt8] {
    size(number) == nil ? [] : ordered(guest.registerBytes(state, slots[number].register))
  }

  /// Bytes of a register; nil if there is none of this number.
  func size(_ number: Int) -> Int? {
    guard slots.indices.contains(number), slots[number].size > 0 else { return nil }
    return slots[number].size
  }

  /// What a client sends for a register, padded or cut as it likes within 8 bytes or the register's: the lowest byte first.
  func bytes(_ bytes: [UInt8], _ entry: Entry) throws(TargetError) -> [UInt8] {
    guard bytes.count <= max(8, entry.size) else {
      throw .invalid("\(bytes.count) bytes are too many for \(entry.name)")
    }
    return ordered(bytes)
  }

  /// From the guest's order to the lowest byte first, and back.
  func ordered(_ bytes: [UInt8]) -> [UInt8] { isBigEndian ? bytes.reversed() : bytes }
}

// MARK: - Target description

extension RegisterLayout {
  /// GDB manual, appendix "Target Descriptions". Without an OS ABI GDB would take the guest for a Linux process, and on
  /// RISC-V step by breakpoints where it thinks the next instruction is, which fails at traps and their returns.
  private static func document(_ entries: [Entry], architecture: String) -> String {
    var text = """
      <?xml version="1.0"?>
      <!DOCTYPE target SYSTEM "gdb-target.dtd">
      <target version="1.0">
      <architecture>\(architecture)</architecture>
      <osabi>none</osabi>

      """
    var features: [String] = []
    for entry in entries where !features.contains(entry.feature) { features.append(entry.feature) }
    for feature in features {
      text += "<feature name=\"\(feature)\">\n"
      let vectors = entries.filter { $0.feature == feature && $0.type == "vector\($0.size)" }
      for size in Set(vectors.map(\.size)).sorted() { text += vectorType(size) }
      for entry in entries where entry.feature == feature {
        let restored = entry.isRestored ? "" : " save-restore=\"no\""
        text += "<reg name=\"\(entry.name)\" bitsize=\"\(entry.size * 8)\" regnum=\"\(entry.number)\""
        text += " type=\"\(entry.type)\" group=\"\(entry.group)\"\(restored)\(entry.hints)/>\n"
      }
      text += "</feature>\n"
    }
    return text + "</target>\n"
  }

  /// Lanes of each width, and the union of them that is the type of vector registers of `size` bytes.
  private static func vectorType(_ size: Int) -> String {
    let lanes = [("b", 8), ("h", 16), ("w", 32), ("d", 64)].filter { size * 8 % $0.1 == 0 }
    let types = lanes.map { "<vector id=\"v\(size)\($0.0)\" type=\"uint\($0.1)\" count=\"\(size * 8 / $0.1)\"/>\n" }
    let fields = lanes.map { "<field name=\"\($0.0)\" type=\"v\(size)\($0.0)\"/>\n" }
    return types.joined() + "<union id=\"vector\(size)\">\n" + fields.joined() + "</union>\n"
  }
}
