// Owns the description of a guest's registers, from which state offsets, pinning, GDB's target description, the
// monitor's dumps and snapshots are derived.

import IR

/// One guest register: architectural, or a piece of internal state that translated code touches.
public struct GuestRegister: Sendable {
  public let name: String
  public let aliases: [String]
  public let type: Type
  /// Bytes of the whole register, more than IR has values for if it is wider than `v128`.
  public let size: Int
  /// Lower is hotter; the host keeps the first few in host registers. Nil: always in memory.
  public let pinPriority: Int?
  /// The GDB feature it is shown in, for instance `org.gnu.gdb.riscv.cpu`; nil hides it from GDB.
  public let feature: String?
  /// Its number in GDB's protocol, if fixed by the architecture's documentation.
  public let gdbNumber: Int?
  /// GDB's type name: `int`, `data_ptr`, `code_ptr`, `ieee_double`…, or `vector`: lanes of any width.
  public let gdbType: String
  /// Monitor and GDB group: `general`, `float`, `csr`, `system`, `internal`.
  public let group: String
  /// What every architecture has, by LLDB's name (`generic`): `pc`, `sp`, `fp`, `ra`, `flags`, `arg1`…; nil: none of these.
  public let role: String?
  /// In DWARF's debugging information (the architecture's DWARF ABI); nil if it has none.
  public let dwarfNumber: Int?
  /// One of several stack pointers, of which the register that is called so shows one.
  public let isBankedStackPointer: Bool
  /// Byte offset in the vCPU's state block; assigned by ``RegisterFile``.
  public internal(set) var offset: Int = 0

  /// - Parameter size: in bytes, if not that of the type.
  public init(
    _ name: String, aliases: [String] = [], _ type: Type, size: Int? = nil, pin: Int? = nil, feature: String? = nil,
    gdbNumber: Int? = nil, gdbType: String = "int", group: String = "internal", role: String? = nil,
    dwarfNumber: Int? = nil, isBankedStackPointer: Bool = false
  ) {
    self.name = name
    self.aliases = aliases
    self.type = type
    self.size = size ?? type.bytes
    self.pinPriority = pin
    self.feature = feature
    self.gdbNumber = gdbNumber
    self.gdbType = gdbType
    self.group = group
    self.role = role
    self.dwarfNumber = dwarfNumber
    self.isBankedStackPointer = isBankedStackPointer
  }
}

/// A guest's registers with their places in the state block.
public struct RegisterFile: Sendable {
  public let registers: [GuestRegister]
  /// Bytes of a whole state block, header included.
  public let stateSize: Int
  /// Set by guests that have floating point.
  public var floatEnvironment: FloatEnvironment?

  /// Lays the registers out after the header, 8 bytes each, wider ones aligned to 16, in the order given.
  /// What is beside a narrower register in its 8 bytes stays 0: packed IR reads all of them.
  public init(_ list: [GuestRegister]) {
    var offset = StateOffset.registers
    registers = list.map { register in
      var register = register
      let unit = register.size > 8 ? 16 : 8
      offset = (offset + unit - 1) / unit * unit
      register.offset = offset
      offset += (register.size + 7) / 8 * 8
      return register
    }
    stateSize = (offset + 63) / 64 * 64
  }

  /// Register numbers in pinning order, hottest first.
  public var pinOrder: [Int] {
    registers.indices.filter { registers[$0].pinPriority != nil }
      .sorted { registers[$0].pinPriority! < registers[$1].pinPriority! }
  }

  /// Names the registers that hold sticky flags and rounding mode.
  public mutating func setFloatEnvironment(flags: Int, rounding: Int) {
    floatEnvironment = FloatEnvironment(flags: registers[flags].offset, rounding: registers[rounding].offset)
  }

  /// The number of the register called `name` (or by an alias).
  public func index(of name: some StringProtocol) -> Int? {
    registers.firstIndex { $0.name == name || $0.aliases.contains { $0 == name } }
  }
}
