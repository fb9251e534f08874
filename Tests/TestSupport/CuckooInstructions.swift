// Owns the Cuckoo's instructions: a decoder of its own, since they have up to 15 bytes, and what each translates to.

import GuestKit
import IR

/// What an instruction does, by its opcode byte, and how many bytes of operands follow: register numbers, then an immediate.
public enum CuckooOperation: UInt8, CaseIterable {
  case nop = 0x01
  /// An immediate of 32 or 64 bits to a register.
  case set = 0x10, setWide
  /// `r[d] = memory[r[s]]` of 1, 2 or 4 bytes (a third operand), sign-extended behind the prefix; the reverse; those of
  /// `w`, `f0` and `v0`.
  case load = 0x20, store, loadWide, storeWide, loadFloat, storeFloat, loadVector, storeVector
  case input = 0x30, output
  case add = 0x40, branch
  /// `v0 ^= w1 : w0`
  case mix = 0x50
  /// An exception with the values of r0, w0 and w1.
  case trap = 0x60
  /// Takes the mode from w0, the page tables from r0 and r1.
  case mode = 0x70, tables, stop = 0x7F

  public var operands: Int {
    switch self {
    case .nop, .mix, .trap, .mode, .tables, .stop: 0
    case .loadFloat, .storeFloat, .loadVector, .storeVector: 1
    case .loadWide, .storeWide, .input, .output, .add, .branch: 2
    case .load, .store: 3
    case .set: 5
    case .setWide: 9
    }
  }

  /// Stands before an opcode any number of times.
  public static let prefix: UInt8 = 0x66
}

struct CuckooInstruction {
  /// Nil for bytes that are no instruction.
  var operation: CuckooOperation?
  var hasPrefix = false
  var (d, s, size): (Int, Int, Int) = (0, 0, 0)
  var immediate: UInt64 = 0
}

/// The helpers, by number.
enum CuckooHelper: Int {
  case trap, changeMode, changeTables, fault

  static let all: [Helper] = unsafe [
    Helper("trap", [.readsRegisters, .mayRaise], trapHelper),
    Helper("mode", [.readsRegisters, .writesRegisters], modeHelper),
    Helper("tables", [.readsRegisters, .writesRegisters], tablesHelper),
    Helper("fault", [.mayRaise], faultHelper),
  ]
}

private func offset(_ register: Cuckoo.Register) -> Int { layout.registers[register.rawValue].offset }
private let layout = Cuckoo().registerFile

private let trapHelper: HelperFunction = { state, value, _, _, _ in
  let cpu = unsafe VCPUState(state)
  cpu.raise(
    GuestException(
      cause: Cuckoo.Cause.trap.rawValue, value: value, details: [cpu.load(offset(.w0)), cpu.load(offset(.w1))]))
  return 0
}

private let faultHelper: HelperFunction = { state, value, detail, moreDetail, cause in
  unsafe VCPUState(state).raise(GuestException(cause: cause, value: value, details: [detail, moreDetail]))
  return 0
}

private let modeHelper: HelperFunction = { state, mode, _, _, _ in
  unsafe VCPUState(state).store(mode, at: offset(.mode))
  return 0
}

private let tablesHelper: HelperFunction = { state, lower, upper, _, _ in
  let cpu = unsafe VCPUState(state)
  cpu.store(lower, at: offset(.lowerTable))
  cpu.store(upper, at: offset(.upperTable))
  return 0
}

struct CuckooTranslator: BlockTranslator, ~Copyable {
  private var builder: Builder
  private let flags: TranslationFlags
  private var (pc, length): (UInt64, Int) = (0, 0)

  init(_ builder: consuming Builder, flags: TranslationFlags) {
    self.builder = builder
    self.flags = flags
  }
  consuming func takeBuilder() -> Builder { builder }

  var hasEnded: Bool { builder.isTerminated }
  func leads(to pc: UInt64) -> Bool { builder.targets.contains(pc) }
  func address(_ value: UInt64) -> UInt64 { value & 0xFFFF_FFFF }
  mutating func label(pc: UInt64) { builder.label(pc: pc) }
  private var nextPC: UInt64 { address(pc &+ UInt64(length)) }

  /// Byte after byte: prefixes, the opcode, as many operands as that has.
  func decode(_ code: CodeBytes, _ offset: Int, for guest: Cuckoo) -> Decoding<CuckooInstruction> {
    var (instruction, length) = (CuckooInstruction(), 0)
    func byte(_ index: Int) -> UInt8 { code.load(offset + index, as: UInt8.self) }
    repeat {
      guard offset + length < code.count else { return .incomplete(length + 1) }
      length += 1
      instruction.hasPrefix = length > 1
    } while byte(length - 1) == CuckooOperation.prefix && length < guest.longestInstruction
    guard let operation = CuckooOperation(rawValue: byte(length - 1)),
      length + operation.operands <= guest.longestInstruction
    else { return .instruction(CuckooInstruction(), length: length) }
    guard offset + length + operation.operands <= code.count else { return .incomplete(length + operation.operands) }
    instruction.operation = operation
    if operation.operands > 0 { instruction.d = Int(byte(length) & 3) }
    if operation.operands > 1 { instruction.s = Int(byte(length + 1) & 3) }
    switch operation {
    case .load, .store: instruction.size = 1 << Int((byte(length + 2) & 3) % 3)
    case .branch: instruction.immediate = UInt64(bitPattern: Int64(Int8(bitPattern: byte(length + 1))))
    case .set: instruction.immediate = UInt64(code.load(offset + length + 1, as: UInt32.self, guest.byteOrder))
    case .setWide: instruction.immediate = code.load(offset + length + 1, as: UInt64.self, guest.byteOrder)
    default: break
    }
    return .instruction(instruction, length: length + operation.operands)
  }

  mutating func begin(pc: UInt64, length: Int) {
    (self.pc, self.length) = (pc, length)
    builder.instruction(pc: pc, length: length)
  }

  mutating func translate(
    _ i: CuckooInstruction, _ offset: Int, of request: borrowing TranslationRequest, for guest: Cuckoo
  ) {
    func access(_ size: Int, space: UInt8 = 0) -> MemoryAccess {
      MemoryAccess(size: size, signed: i.hasPrefix, bigEndian: true, space: AccessSpace(rawValue: space))
    }
    switch i.operation {
    case nil: builder.raise(Int64(Cuckoo.Cause.illegal.rawValue))
    case .nop: break
    case .set:
      let value = i.immediate &+ (flags & Cuckoo.addsOne != 0 ? 1 : 0)
      builder.setRegister(i.d, constant: Int64(Int32(truncatingIfNeeded: value)), .i32)
    case .setWide: builder.setRegister(wide(i.d), constant: Int64(bitPattern: i.immediate), .i64)
    case .load: builder.setRegister(i.d, builder.load(.i32, access(i.size), at: r(i.s)))
    case .store: store(r(i.d), access(i.size), at: i.s)
    case .loadWide: builder.setRegister(wide(i.d), builder.load(.i64, access(8), at: r(i.s)))
    case .storeWide: store(builder.getRegister(wide(i.d), .i64), access(8), at: i.s)
    case .loadFloat: builder.setRegister(Cuckoo.Register.f0.rawValue, builder.load(.f64, access(8), at: r(i.d)))
    case .storeFloat: store(builder.getRegister(Cuckoo.Register.f0.rawValue, .f64), access(8), at: i.d)
    case .loadVector: builder.setRegister(Self.v0, reversed(builder.load(.v128, MemoryAccess(size: 16), at: r(i.d))))
    case .storeVector: store(reversed(builder.getRegister(Self.v0, .v128)), MemoryAccess(size: 16), at: i.d)
    case .input: builder.setRegister(i.d, builder.load(.i32, access(4, space: Cuckoo.inPorts), at: r(i.s), offset: 4))
    case .output: store(r(i.d), access(4, space: Cuckoo.outPorts), at: i.s)
    case .add: builder.setRegister(i.d, builder.binary(.add, r(i.d), r(i.s)))
    case .branch:
      let target = address(pc &+ i.immediate)
      builder.exitIf(
        builder.compare(.notEqual, r(i.d), builder.const(.i32, 0)), to: target, exitFlags(to: target, taken: true))
    case .mix:
      let low = builder.vector(VectorOperation(.low), builder.getRegister(wide(0), .i64))
      let both = builder.vector(VectorOperation(.insert, .i64, 1), low, builder.getRegister(wide(1), .i64))
      builder.setRegister(Self.v0, builder.vector(VectorOperation(.xor), both, builder.getRegister(Self.v0, .v128)))
    case .trap:
      _ = builder.call(CuckooHelper.trap.rawValue, .i64, builder.unary(.zeroExtend, r(0), to: .i64))
    case .mode:
      _ = builder.call(CuckooHelper.changeMode.rawValue, .i64, builder.getRegister(wide(0), .i64))
      builder.exit(with: .stateChanged, pc: nextPC)
    case .tables:
      let (lower, upper) = (builder.unary(.zeroExtend, r(0), to: .i64), builder.unary(.zeroExtend, r(1), to: .i64))
      _ = builder.call(CuckooHelper.changeTables.rawValue, .i64, lower, upper)
      builder.exit(with: .stateChanged, pc: nextPC)
    case .stop: builder.exit(with: .wait, pc: nextPC)
    }
  }

  private static var v0: Int { Cuckoo.Register.v0.rawValue }

  /// With its bytes in the other order.
  private mutating func reversed(_ vector: ValueID) -> ValueID {
    let halves = builder.vector(VectorOperation(.byteSwap, .i64), vector)
    return builder.vector(VectorOperation(.window, .i8, 8), halves, halves)
  }

  private mutating func r(_ number: Int) -> ValueID { builder.getRegister(number, .i32) }
  private func wide(_ number: Int) -> Int { Cuckoo.Register.w0.rawValue + number & 1 }

  private mutating func store(_ value: ValueID, _ access: MemoryAccess, at base: Int) {
    let address = r(base)
    let narrow = access.size < 4 ? builder.unary(.truncate, value, to: access.size == 1 ? .i8 : .i16) : value
    builder.store(narrow, access, at: address)
  }

  /// Pages may move behind a chained exit to another one.
  private func exitFlags(to target: UInt64, taken: Bool) -> ExitFlags {
    var exit: ExitFlags = target < pc || taken && target == pc ? .checksBudget : []
    if flags & Cuckoo.isPaged != 0, (target ^ pc) >> 12 != 0 { exit.insert(.unchainable) }
    return exit
  }

  /// An exception of a fetch: IR's own has no room for its details.
  mutating func raise(_ exception: GuestException) {
    let value = builder.const(.i64, Int64(bitPattern: exception.value))
    let detail = builder.const(.i64, Int64(bitPattern: exception.details[0]))
    let more = builder.const(.i64, Int64(bitPattern: exception.details[1]))
    _ = builder.call(CuckooHelper.fault.rawValue, .i64, value, detail, more, imm: Int64(bitPattern: exception.cause))
    builder.raise(Int64(bitPattern: exception.cause), value: value)
  }

  mutating func stop(before pc: UInt64) {
    if !hasEnded { builder.exit(to: pc, exitFlags(to: pc, taken: false)) }
  }
}
