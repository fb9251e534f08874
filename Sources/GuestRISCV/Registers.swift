// Owns the register list: what a RISC-V hart's state block holds, and how debuggers see it.

import GuestKit
import IR

/// The register list of a RISC-V CPU model, and register numbers.
public enum RISCVRegisters {
  @inlinable public static func x(_ number: Int) -> Int { number }
  /// The number of `f0`, before the other floating-point registers.
  @inlinable public static func f(_ number: Int) -> Int { 33 + number }
  /// Its slot in the state block is unused: the header holds the PC.
  @inlinable public static var pc: Int { 32 }

  /// x registers in the order of their share of register operands in compiled code.
  private static let hottest = [
    15, 14, 10, 13, 2, 8, 11, 12, 9, 1, 16, 17, 6, 28, 29, 18, 19, 5, 30, 31, 20, 21, 7, 22, 23, 24, 25, 26, 27, 4, 3,
  ]

  /// f registers likewise: fa5–fa0, ft0–ft7, fa6, fa7, fs0, fs1, ft8–ft11, fs2–fs11, as compilers take them.
  private static let hottestFloat = [
    15, 14, 13, 12, 11, 10, 0, 1, 2, 3, 4, 5, 8, 9, 6, 7, 16, 17, 18, 19, 28, 29, 30, 31, 20, 21, 22, 23, 24, 25, 26,
    27,
  ]

  private static let roles = [1: "ra", 2: "sp", 8: "fp"]

  /// - Parameter xlen: 32 or 64.
  public static func make(xlen: Int, _ extensions: Extensions) -> RegisterFile {
    let word: Type = xlen == 64 ? .i64 : .i32
    let features = HartFeatures(xlen: xlen, extensions)
    var list: [GuestRegister] = []
    for number in 0..<32 {
      var aliases = [RISCVGuest.integerNames[number]]
      if number == 8 { aliases.append("fp") }
      let gdbType = number == 1 ? "code_ptr" : [2, 3, 4, 8].contains(number) ? "data_ptr" : "int"
      list.append(
        GuestRegister(
          "x\(number)", aliases: aliases, word, pin: hottest.firstIndex(of: number),
          feature: "org.gnu.gdb.riscv.cpu", gdbNumber: number, gdbType: gdbType, group: "general",
          role: roles[number] ?? ((10...17).contains(number) ? "arg\(number - 9)" : nil), dwarfNumber: number))
    }
    list.append(
      GuestRegister(
        "pc", word, feature: "org.gnu.gdb.riscv.cpu", gdbNumber: 32, gdbType: "code_ptr", group: "general",
        role: "pc"))
    let hasFloat = extensions.contains(.f)
    for number in 0..<32 {
      list.append(
        GuestRegister(
          "f\(number)", aliases: [RISCVGuest.floatNames[number]], .f64,
          pin: hasFloat ? hottestFloat.firstIndex(of: number) : nil, feature: hasFloat ? "org.gnu.gdb.riscv.fpu" : nil,
          gdbNumber: hasFloat ? 33 + number : nil,
          gdbType: "ieee_double", group: hasFloat ? "float" : "internal", dwarfNumber: hasFloat ? 32 + number : nil))
    }
    let shown = CSR.rows.filter { features.isSuperset(of: $0.needs) }
    for slot in Slot.allCases {
      if slot == .priv {
        list.append(
          GuestRegister("priv", word, feature: "org.gnu.gdb.riscv.virtual", gdbNumber: 65 + 4096, group: "system"))
      } else if let row = shown.first(where: { $0.name == "\(slot)" }) {
        list.append(csr(row, word))
      } else {
        list.append(GuestRegister("\(slot)", .i64))
      }
    }
    for row in shown where !list.contains(where: { $0.name == row.name }) { list.append(csr(row, word)) }
    var file = RegisterFile(list)
    if hasFloat { file.setFloatEnvironment(flags: Slot.fflags.register, rounding: Slot.frm.register) }
    return file
  }

  private static func csr(_ row: CSR, _ type: Type) -> GuestRegister {
    GuestRegister(
      row.name, type, feature: row.number < 4 ? "org.gnu.gdb.riscv.fpu" : "org.gnu.gdb.riscv.csr",
      gdbNumber: 65 + row.number, group: "csr", dwarfNumber: 4096 + row.number)
  }
}

/// A state register outside x, f and pc. Those named like a CSR hold its value; the rest is internal. The raw value is
/// the distance from ``Hart/firstSlot``.
enum Slot: Int, CaseIterable, Sendable {
  /// The privilege mode.
  case priv
  case fflags, frm
  /// Without SD, UXL and SXL, which follow from the rest.
  case mstatus
  case misa, mhartid, medeleg, mideleg, mie, mtvec, mcounteren, mcountinhibit, menvcfg, mscratch, mepc, mcause, mtval
  /// The bits of `mip` that software wrote.
  case softwarePending
  /// The bits of `mip` that interrupt lines hold up.
  case linePending
  case stvec, scounteren, senvcfg, sscratch, sepc, scause, stval, satp
  /// `mcycle` and `minstret` less the retired count; the plain value while the counter is inhibited.
  case cycleBase, instretBase
  /// `pmpcfg` bytes of entries 0–7 and 8–15.
  case pmpConfigurationLow, pmpConfigurationHigh
  case pmpaddr0, pmpaddr1, pmpaddr2, pmpaddr3, pmpaddr4, pmpaddr5, pmpaddr6, pmpaddr7
  case pmpaddr8, pmpaddr9, pmpaddr10, pmpaddr11, pmpaddr12, pmpaddr13, pmpaddr14, pmpaddr15
  /// ``PMPSummary``
  case pmpSummary
  /// The longest stretch of addresses, the second of which is behind it, in which supervisor and user mode may do everything
  /// and no PMP entry begins or ends.
  case pmpOpenStart, pmpOpenEnd
  /// ``HartFeatures``
  case features

  /// The register number.
  var register: Int { Hart.firstSlot + rawValue }
  /// The byte offset in the state block; ``RegisterFile`` gives each register 8 bytes.
  var offset: Int { StateOffset.registers + 8 * register }
}

extension RISCVGuest {
  /// The CSR that a register shows.
  private func csr(_ register: Int) -> CSR? {
    guard register >= Hart.firstSlot, let number = registerFile.registers[register].gdbNumber else { return nil }
    return CSR.row(number - 65)
  }

  public func readRegister(_ cpu: VCPUState, _ register: Int) -> UInt64 {
    if register == RISCVRegisters.pc { return cpu.pc }
    let hart = Hart(cpu)
    if let row = csr(register) { return row.read(hart) & hart.mask }
    let description = registerFile.registers[register]
    return cpu.load(description.offset, as: UInt64.self) & description.type.mask
  }

  public func writeRegister(_ cpu: VCPUState, _ register: Int, _ value: UInt64) {
    let hart = Hart(cpu)
    let description = registerFile.registers[register]
    let value = value & description.type.mask
    if register == RISCVRegisters.pc {
      cpu.pc = value & ~1
    } else if let row = csr(register) {
      row.write?(hart, value)
    } else if register == Slot.priv.register {
      if let mode = Privilege(rawValue: value), hart.implements(mode) { hart.privilege = mode }
    } else if register != RISCVRegisters.x(0) {
      cpu.store(value, at: description.offset)
    }
  }

  public func reset(_ cpu: VCPUState, number: Int, pc: UInt64) {
    for register in registerFile.registers { cpu.store(UInt64(0), at: register.offset) }
    let hart = Hart(cpu)
    let features = HartFeatures(xlen: xlen, extensions)
    hart[.features] = features.rawValue
    hart.privilege = .machine
    hart[.mhartid] = UInt64(number)
    hart[.misa] = extensions.misa(xlen: xlen)
    if !features.contains(.user) { hart[.mstatus] = Status.mppMask.rawValue }
    hart.summarizePMP()
    cpu.pc = pc & hart.mask & ~1
  }
}

extension RISCVGuest: DevicetreeBoot {
  /// OpenSBI's `fw_dynamic_info` (include/sbi/fw_dynamic.h): magic, version 2, next address, next mode (S), options,
  /// boot hart, each of the register width.
  public func bootParameters(entry: UInt64) -> [UInt8] {
    [0x4942_534F, 2, entry, 1, 0, 0].flatMap { byteOrder.bytes($0, count: xlen / 8) }
  }

  /// a0 the hart's number, a1 the devicetree, a2 the parameters of OpenSBI's dynamic firmware.
  public func passBootParameters(_ cpu: VCPUState, number: Int, devicetree: UInt64, parameters: UInt64) {
    writeRegister(cpu, RISCVRegisters.x(10), UInt64(number))
    writeRegister(cpu, RISCVRegisters.x(11), devicetree)
    writeRegister(cpu, RISCVRegisters.x(12), parameters)
  }
}

extension HartFeatures {
  init(xlen: Int, _ extensions: Extensions) {
    self = xlen == 64 ? .rv64 : .rv32
    if extensions.contains(.user) { insert(.user) }
    if extensions.contains(.supervisor) { insert([.supervisor, .user]) }
    if extensions.contains(.f) { insert(.float) }
    if extensions.contains(.c) { insert(.compressed) }
    if extensions.contains(.zicntr) { insert(.counters) }
  }
}

extension Extensions {
  /// `misa` (Privileged Architecture, 3.1.1).
  func misa(xlen: Int) -> UInt64 {
    let letters: [(Extensions, Character)] = [
      (.a, "A"), (.c, "C"), (.d, "D"), (.f, "F"), (.m, "M"), (.supervisor, "S"), (.user, "U"),
    ]
    var value = xlen == 64 ? UInt64(2) << 62 : 1 << 30
    for letter in letters.filter({ contains($0.0) }).map(\.1) + ["I"] {
      value |= 1 << UInt64(letter.asciiValue! - 65)
    }
    return value
  }
}
