// Owns a vCPU's state, memory, TLB and jump cache for tests of hosts without an engine.

import Bits
import Foundation
import GuestKit
import HostKit
import IR
import TestSupport

/// A vCPU with the test memory, of the test guest or another.
@safe final class TestCPU {
  let state: VCPUState
  let registers: [GuestRegister]
  private let memory: UnsafeMutableRawPointer
  private let tlb: UnsafeMutableRawPointer
  private let jumpCache: UnsafeMutableRawPointer

  init(_ file: RegisterFile = TestGuest.file, budget: Int64 = 1000) {
    registers = file.registers
    let size = file.stateSize
    state = .allocate(size: size)
    unsafe memory = Self.window()
    unsafe tlb = .allocate(byteCount: SoftTLB.size, alignment: 64)
    unsafe jumpCache = .allocate(byteCount: JumpCache.count * JumpCache.entrySize, alignment: 64)
    for index in 0..<JumpCache.count {
      unsafe jumpCache.storeBytes(of: JumpCache.emptyPC, toByteOffset: index * JumpCache.entrySize, as: UInt64.self)
    }
    for index in 0..<SoftTLB.count {
      let entry = unsafe tlb + index * 8
      let tag = index == 0 ? 0 : SoftTLB.invalidTag(index)
      unsafe entry.storeBytes(of: tag, toByteOffset: SoftTLB.readTags, as: UInt64.self)
      unsafe entry.storeBytes(of: tag, toByteOffset: SoftTLB.writeTags, as: UInt64.self)
      unsafe entry.storeBytes(of: Int(bitPattern: memory), toByteOffset: SoftTLB.addends, as: Int.self)
      unsafe entry.storeBytes(of: Int(bitPattern: memory), toByteOffset: SoftTLB.hostPages, as: Int.self)
    }
    // For the slow path, which needs no other context.
    unsafe state.store(memory, at: StateOffset.context)
    unsafe state.store(memory, at: StateOffset.dataBase)
    state.store(UInt64(1) << 32, at: StateOffset.windowLimit)
    unsafe state.store(tlb, at: StateOffset.softTLB)
    unsafe state.store(jumpCache, at: StateOffset.jumpCache)
    state.store(budget, at: StateOffset.budgetStart)
    state.budget = budget
  }

  deinit {
    state.deallocate()
    unsafe munmap(memory - Self.guardSize, Self.windowSize)
    unsafe tlb.deallocate()
    unsafe jumpCache.deallocate()
  }

  /// As far as an offset can lead beyond the window: nothing else may be mapped there.
  private static let guardSize = 1 << 31
  /// The 32-bit address space between guards.
  private static let windowSize = 1 << 32 + 2 * guardSize

  /// An address space of which only the test memory is there.
  private static func window() -> UnsafeMutableRawPointer {
    let window = unsafe mmap(nil, windowSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    let base = unsafe window! + guardSize
    unsafe mprotect(base, Int(TestMemory.size), PROT_READ | PROT_WRITE)
    return unsafe base
  }

  /// Lets translated code reach memory as it was compiled to.
  func reachData(by path: DataPath) {
    unsafe state.store(path == .tlb ? tlb : memory, at: StateOffset.dataBase)
  }

  func cache(_ pc: UInt64, _ target: UInt64) {
    let offset = JumpCache.index(pc) * JumpCache.entrySize
    unsafe jumpCache.storeBytes(of: pc, toByteOffset: offset, as: UInt64.self)
    unsafe jumpCache.storeBytes(of: target, toByteOffset: offset + 8, as: UInt64.self)
  }

  subscript(register number: Int) -> UInt64 {
    get {
      let register = registers[number]
      return state.load(register.offset, as: UInt64.self) & register.type.mask
    }
    set { state.store(newValue & registers[number].type.mask, at: registers[number].offset) }
  }

  /// The upper half of a register of 128 bits; 0 of others.
  subscript(upper number: Int) -> UInt64 {
    get { registers[number].type == .v128 ? state.load(registers[number].offset + 8) : 0 }
    set { if registers[number].type == .v128 { state.store(newValue, at: registers[number].offset + 8) } }
  }

  private func text(_ number: Int) -> String { Vector128(self[register: number], self[upper: number]).number.hex0x() }

  private func isEqual(to other: TestCPU, register number: Int) -> Bool {
    self[register: number] == other[register: number] && self[upper: number] == other[upper: number]
  }

  /// What load-reserved left for store-conditional: address, size, the bytes found.
  var reservation: [UInt64] {
    let size = UInt64(state.load(StateOffset.reservedSize, as: UInt32.self))
    guard size != 0 else { return [] }
    let value = state.load(StateOffset.reservedValue, as: UInt64.self) & UInt64.max >> (64 - 8 * size)
    return [state.load(StateOffset.reservedAddress), size, value]
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
    for number in registers.indices where !isEqual(to: before, register: number) {
      text += "\(registers[number].name) = \(self.text(number))\n"
    }
    for line in stride(from: 0, to: Int(TestMemory.size), by: 8) {
      let bytes = (line..<line + 8).map { self[memory: $0] }
      guard bytes != (line..<line + 8).map({ before[memory: $0] }) else { continue }
      let row = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
      text += "memory \(hex(UInt64(line))): \(row)\n"
    }
    return text
  }

  /// The same bytes each time, without a short period.
  func fillMemory() {
    for address in 0..<Int(TestMemory.size) {
      self[memory: address] = UInt8(truncatingIfNeeded: address &* 37 ^ address >> 5)
    }
  }

  func isEqual(to other: TestCPU) -> Bool {
    registers.indices.allSatisfy { isEqual(to: other, register: $0) }
      && (0..<Int(TestMemory.size)).allSatisfy { self[memory: $0] == other[memory: $0] }
      && reservation == other.reservation
  }
}

func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
