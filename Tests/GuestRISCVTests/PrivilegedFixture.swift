// A hart without an engine: a state block, a fake context with a little memory, and CSR instructions by hand.

import GuestKit
import GuestRISCV
import IR

final class FakeContext: VCPUContext {
  var retired: UInt64 = 0
  var time: UInt64 = 0
  var flushes = 0
  var stateChanges = 0
  var modeChanges = 0
  /// 64-bit words by address; anything else is a bus error.
  var words: [UInt64: UInt64] = [:]

  override var retiredInstructions: UInt64 { retired }
  override var platformTime: UInt64 { time }
  override func flushTLB(_ fence: TranslationFence) { flushes += 1 }
  override func stateChanged() { stateChanges += 1 }
  override func modeChanged() { modeChanges += 1 }

  override func readPhysical(_ address: UInt64, size: Int) -> UInt64? {
    guard let word = words[address & ~7] else { return nil }
    return size == 8 ? word : word >> ((address & 4) * 8) & 0xFFFF_FFFF
  }

  override func writePhysical(_ address: UInt64, size: Int, _ value: UInt64) -> Bool {
    guard let word = words[address & ~7] else { return false }
    if size == 8 {
      words[address] = value
    } else {
      let shift = (address & 4) * 8
      words[address & ~7] = word & ~(0xFFFF_FFFF << shift) | value << shift
    }
    return true
  }
}

@safe final class TestHart {
  let guest: RISCVGuest
  let context = FakeContext()
  let cpu: VCPUState

  init(_ model: String = "rv64", pc: UInt64 = 0x8000_0000) throws {
    guest = try RISCVGuest(model: model)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: guest.registerFile.stateSize, alignment: 64)
    unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: guest.registerFile.stateSize)
    cpu = unsafe VCPUState(memory)
    unsafe cpu.store(UnsafeRawPointer(Unmanaged.passUnretained(context).toOpaque()), at: StateOffset.context)
    guest.reset(cpu, number: 0, pc: pc)
  }

  deinit { unsafe cpu.base.deallocate() }

  subscript(name: String) -> UInt64 {
    get { guest.readRegister(cpu, guest.registerFile.index(of: name)!) }
    set { guest.writeRegister(cpu, guest.registerFile.index(of: name)!, newValue) }
  }

  /// Calls a helper as translated code does; nil if it raised.
  func call(_ name: String, _ a: UInt64 = 0, _ b: UInt64 = 0, _ c: UInt64 = 0, imm: UInt64 = 0) -> UInt64? {
    let helper = guest.helpers.first { $0.name == name }!
    cpu.exitReason = nil
    let result = unsafe helper.function(cpu.base, a, b, c, imm)
    return cpu.exitReason == nil ? result : nil
  }

  enum Operation: UInt64 { case write = 1, set, clear }

  /// A CSR instruction with x1 as its source register, or x0 for `operand` nil.
  func csr(_ operation: Operation, _ number: UInt64, _ operand: UInt64? = nil) -> UInt64? {
    let encoding = number << 20 | (operand == nil ? 0 : 1) << 15 | operation.rawValue << 12 | 0x73
    defer { context.retired += 1 }
    return call("csr", operand ?? 0, imm: encoding)
  }

  func number(_ name: String) -> UInt64 {
    UInt64(guest.registerFile.registers[guest.registerFile.index(of: name)!].gdbNumber! - 65)
  }

  /// Opens all of memory to every mode, as firmware does first.
  func openMemory() {
    self["pmpaddr0"] = guest.xlen == 64 ? (1 << 54) - 1 : 0xFFFF_FFFF
    self["pmpcfg0"] = 0x1F
  }

  func translate(
    _ address: UInt64, _ kind: AccessKind, size: Int = 4
  ) -> Result<AddressTranslation, GuestException> {
    do throws(GuestException) {
      return .success(
        try guest.translateAddress(cpu, address, kind, size: size, space: .current, memory: context))
    } catch {
      return .failure(error)
    }
  }

  func cause(_ address: UInt64, _ kind: AccessKind, size: Int = 4) -> UInt64? {
    if case .failure(let exception) = translate(address, kind, size: size) { return exception.cause }
    return nil
  }
}
