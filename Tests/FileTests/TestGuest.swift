// Owns the invented guest that IR file tests run on: registers, helpers, memory with a device and a hole.

import Foundation
import GuestKit
import HostKit
import IR

/// x0…x15 are i64, w0…w7 i32, h0 i16, b0 i8, t0 and t1 i1.
enum TestGuest {
  static let registers: [(name: String, type: Type)] =
    (0..<16).map { ("x\($0)", Type.i64) } + (0..<8).map { ("w\($0)", Type.i32) }
    + [("h0", .i16), ("b0", .i8), ("t0", .i1), ("t1", .i1)]

  static let file = RegisterFile(
    registers.map { GuestRegister($0.name, $0.type, pin: Int($0.name.dropFirst()).map { $0 < 5 ? $0 : nil } ?? nil) })

  /// Helpers, as text names them.
  static let helpers: [Helper] = unsafe [
    // a * 3 + b ^ c + imm
    Helper("pure", []) { _, a, b, c, imm in (a &* 3 &+ b) ^ (c &+ imm) },
    // x1 + a
    Helper("readx1", .readsRegisters) { state, a, _, _, _ in unsafe VCPUState(state).load(x(1), as: UInt64.self) &+ a },
    // x1 = a; returns the old x1
    Helper("writex1", [.readsRegisters, .writesRegisters]) { state, a, _, _, _ in
      let cpu = unsafe VCPUState(state)
      defer { cpu.store(a, at: x(1)) }
      return cpu.load(x(1))
    },
    // Raises exception a unless it is 0
    Helper("check", .mayRaise) { state, a, b, _, _ in
      let cpu = unsafe VCPUState(state)
      guard a != 0 else { return b }
      cpu.exceptionCause = a
      cpu.exceptionValue = b
      cpu.exitReason = .exception
      return 0
    },
    // Guest instructions retired so far
    Helper("clock", .readsClock) { state, _, _, _, _ in unsafe retired(VCPUState(state)) },
  ]

  static let names = TextNames(registers: registers.map(\.name), helpers: helpers.map(\.name))
  static let verifier = Verifier(registers: registers.map(\.type), helpers: helpers.map(\.effects))

  static var configuration: HostConfiguration {
    unsafe HostConfiguration(
      registers: file.registers.map { RegisterSlot(offset: $0.offset, type: $0.type) }, pinOrder: file.pinOrder,
      helpers: helpers, slowAccess: TestMemory.access, codeCacheSize: 4 << 20)
  }

  static func x(_ number: Int) -> Int { StateOffset.registers + 8 * number }

  static func retired(_ cpu: VCPUState) -> UInt64 {
    UInt64(bitPattern: cpu.load(StateOffset.budgetStart, as: Int64.self) &- cpu.budget)
      &+ cpu.load(StateOffset.pendingRetired, as: UInt64.self)
  }
}

/// 4 KiB of memory at 0. Beyond: 0x2000 reads the retired count, a write to 0x2008 sets the budget; all else raises 5
/// (load) or 7 (others) with the address.
enum TestMemory {
  static let size: UInt64 = 0x1000

  static let access: SlowAccessFunction = { state, address, value, third, descriptor in
    let cpu = unsafe VCPUState(state)
    let request = SlowAccess(rawValue: descriptor)
    let bytes = request.access.size
    cpu.accessOutcome = .completed
    if address == 0x2000, request.opcode == .load {
      cpu.accessOutcome = .completedOnDevice
      return TestGuest.retired(cpu)
    }
    if address == 0x2008, request.opcode == .store {
      cpu.budget = Int64(bitPattern: value)
      return 0
    }
    let misaligned = request.access.aligned && address % UInt64(bytes) != 0
    guard address < size, address + UInt64(bytes) <= size, !misaligned else {
      cpu.exceptionCause = request.opcode == .load ? 5 : 7
      cpu.exceptionValue = address
      cpu.exitReason = .exception
      cpu.accessOutcome = .left
      return 0
    }
    let memory = unsafe cpu.load(StateOffset.windowBase, as: UnsafeMutableRawPointer.self) + Int(address)
    var raw: UInt64 = 0
    for byte in 0..<min(bytes, 8) {
      let shift = UInt64(8 * (request.access.bigEndian ? bytes - 1 - byte : byte))
      raw |= unsafe UInt64(memory.load(fromByteOffset: byte, as: UInt8.self)) << shift
    }
    let bits = 8 * bytes
    let mask = bits >= 64 ? UInt64.max : (1 << UInt64(bits)) - 1
    func write(_ value: UInt64) {
      for byte in 0..<min(bytes, 8) {
        let shift = UInt64(8 * (request.access.bigEndian ? bytes - 1 - byte : byte))
        unsafe memory.storeBytes(of: UInt8(truncatingIfNeeded: value >> shift), toByteOffset: byte, as: UInt8.self)
      }
    }
    switch request.opcode {
    case .store: write(value)
    case .compareExchange: if raw == value & mask { write(third) }
    case .atomic:
      if request.atomicKind == .storeConditional {
        write(value)
        return 0
      }
      write(combine(request.atomicKind, raw, value & mask, bits))
    default: break
    }
    guard request.access.signed, bits < 64 else { return raw }
    return raw >> UInt64(bits - 1) & 1 == 1 ? raw | ~mask : raw
  }

  private static func combine(_ kind: AtomicKind, _ old: UInt64, _ new: UInt64, _ bits: Int) -> UInt64 {
    switch kind {
    case .exchange, .storeConditional: new
    case .loadReserved: old
    case .add: old &+ new
    case .and: old & new
    case .or: old | new
    case .xor: old ^ new
    case .minSigned: Condition.lessSigned.holds(old, new, bits: bits) ? old : new
    case .maxSigned: Condition.greaterSigned.holds(old, new, bits: bits) ? old : new
    case .minUnsigned: min(old, new)
    case .maxUnsigned: max(old, new)
    }
  }
}

/// A vCPU of the test guest with its memory.
@safe final class TestCPU {
  let state: VCPUState
  private let memory: UnsafeMutableRawPointer
  private let tlb: UnsafeMutableRawPointer
  private let jumpCache: UnsafeMutableRawPointer

  init(budget: Int64 = 1000) {
    let size = TestGuest.file.stateSize
    unsafe state = VCPUState(.allocate(byteCount: size, alignment: 64))
    unsafe state.base.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    unsafe memory = Self.window()
    unsafe tlb = .allocate(byteCount: SoftTLB.count * SoftTLB.entrySize, alignment: 64)
    unsafe jumpCache = .allocate(byteCount: JumpCache.count * JumpCache.entrySize, alignment: 64)
    for index in 0..<JumpCache.count {
      unsafe jumpCache.storeBytes(of: JumpCache.emptyPC, toByteOffset: index * JumpCache.entrySize, as: UInt64.self)
    }
    for entry in 0..<SoftTLB.count {
      let offset = entry * SoftTLB.entrySize
      let tag = entry == 0 ? 0 : SoftTLB.invalidTag
      unsafe tlb.storeBytes(of: tag, toByteOffset: offset + SoftTLB.readTag, as: UInt64.self)
      unsafe tlb.storeBytes(of: tag, toByteOffset: offset + SoftTLB.writeTag, as: UInt64.self)
      unsafe tlb.storeBytes(of: Int(bitPattern: memory), toByteOffset: offset + SoftTLB.addend, as: Int.self)
    }
    unsafe state.store(memory, at: StateOffset.windowBase)
    state.store(UInt64(1) << 32, at: StateOffset.windowLimit)
    unsafe state.store(tlb, at: StateOffset.dataTLB)
    unsafe state.store(jumpCache, at: StateOffset.jumpCache)
    state.store(budget, at: StateOffset.budgetStart)
    state.budget = budget
  }

  deinit {
    unsafe state.base.deallocate()
    unsafe munmap(memory, Self.windowSize)
    unsafe tlb.deallocate()
    unsafe jumpCache.deallocate()
  }

  /// The 32-bit address space and room for the widest access behind it.
  private static let windowSize = 1 << 32 + 1 << 16

  /// An address space of which only the test memory is there.
  private static func window() -> UnsafeMutableRawPointer {
    let window = unsafe mmap(nil, windowSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    unsafe mprotect(window, Int(TestMemory.size), PROT_READ | PROT_WRITE)
    return unsafe window!
  }

  func cache(_ pc: UInt64, _ target: UInt64) {
    let offset = JumpCache.index(pc) * JumpCache.entrySize
    unsafe jumpCache.storeBytes(of: pc, toByteOffset: offset, as: UInt64.self)
    unsafe jumpCache.storeBytes(of: target, toByteOffset: offset + 8, as: UInt64.self)
  }

  subscript(register number: Int) -> UInt64 {
    get {
      let register = TestGuest.file.registers[number]
      return state.load(register.offset, as: UInt64.self) & register.type.mask
    }
    set {
      state.store(newValue & TestGuest.file.registers[number].type.mask, at: TestGuest.file.registers[number].offset)
    }
  }

  subscript(memory address: Int) -> UInt8 {
    get { unsafe memory.load(fromByteOffset: address, as: UInt8.self) }
    set { unsafe memory.storeBytes(of: newValue, toByteOffset: address, as: UInt8.self) }
  }

  /// How the last run was left.
  var outcome: String {
    let reason = state.exitReason
    var text = "\(reason?.name ?? "none") pc \(hex(state.pc)) budget \(state.budget)"
    if reason == .exception { text += " cause \(state.exceptionCause) value \(hex(state.exceptionValue))" }
    return text
  }

  /// Every register and byte of memory that differs from `before`, in lines.
  func changes(since before: TestCPU) -> String {
    var text = ""
    for number in TestGuest.registers.indices where self[register: number] != before[register: number] {
      text += "\(TestGuest.registers[number].name) = \(hex(self[register: number]))\n"
    }
    for line in stride(from: 0, to: Int(TestMemory.size), by: 8) {
      let bytes = (line..<line + 8).map { self[memory: $0] }
      guard bytes != (line..<line + 8).map({ before[memory: $0] }) else { continue }
      let row = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
      text += "memory \(hex(UInt64(line))): \(row)\n"
    }
    return text
  }
}

func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
