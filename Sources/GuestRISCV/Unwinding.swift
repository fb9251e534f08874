// Owns what RISC-V code does to stack frames ("RISC-V Calling Conventions", 2.1), and what traps leave behind.

import GuestKit
import IR

extension RISCVGuest: Unwinding {
  public var linkRegister: Int { RISCVRegisters.x(1) }
  /// gp, tp, s0 to s11.
  public var preservedRegisters: [Int] { ([3, 4, 8, 9] + Array(18...27)).map(RISCVRegisters.x) }
  /// s0 points to the caller's stack; the return address and the caller's s0 lie below.
  public var framePointers: [FramePointer] {
    let word = xlen / 8
    return [FramePointer(register: RISCVRegisters.x(8), saved: -2 * word, returnAddress: -word, callersStack: 0)]
  }

  public func frameInstruction(_ bytes: [UInt8], pc: UInt64) -> FrameInstruction? {
    guard bytes.count >= 2 else { return nil }
    var encoding = UInt32(bytes[0]) | UInt32(bytes[1]) << 8
    let length = encoding & 3 == 3 ? 4 : 2
    guard bytes.count >= length else { return nil }
    if length == 4 { encoding |= UInt32(bytes[2]) << 16 | UInt32(bytes[3]) << 24 }
    guard let instruction = decoder.decode(encoding, length: length) else { return nil }
    let row = decoder.rows[instruction.row]
    let name = row.shown ?? row.name
    let target = (pc &+ UInt64(bitPattern: Int64(instruction.i))) & (xlen == 32 ? 0xFFFF_FFFF : .max)
    let (d, s) = (RISCVRegisters.x(instruction.d), RISCVRegisters.x(instruction.s))
    var result = FrameInstruction(length: length)
    switch name {
    case "jal":
      switch instruction.d {
      case 0: result.flow = .jump(target)
      case 5: result.flow = .ownCall(link: d, target)
      default: result.flow = .call
      }
    case "jalr":
      result.flow = instruction.d != 0 ? .call : instruction.i == 0 ? .returns(s) : .unknown
    case "beq", "bne", "blt", "bltu", "bge", "bgeu": result.flow = .branch(target)
    case "mret": result.flow = .exceptionReturn(Slot.mepc.register)
    case "sret": result.flow = .exceptionReturn(Slot.sepc.register)
    case "ecall": result.effects = [.forget(RISCVRegisters.x(10)), .forget(RISCVRegisters.x(11))]
    default: result.effects = effects(name, instruction, operands: row.operands, pc: pc)
    }
    return result
  }

  private func effects(_ name: String, _ instruction: Instruction, operands: String, pc: UInt64) -> [FrameEffect] {
    let (d, s, t) = (
      RISCVRegisters.x(instruction.d), RISCVRegisters.x(instruction.s), RISCVRegisters.x(instruction.t)
    )
    let word = xlen == 64 ? ("ld", "sd") : ("lw", "sw")
    // Stores and float instructions have other fields of these names.
    guard name == word.1 || operands.hasPrefix("d") && instruction.d != 0 || name.hasPrefix("csrr") else { return [] }
    let base: Int? = instruction.s == 0 ? nil : s
    switch name {
    case "addi": return [.set(d, base: base, offset: instruction.i)]
    case "lui": return [.set(d, base: nil, offset: instruction.i)]
    case "auipc": return [.set(d, base: nil, offset: Int(truncatingIfNeeded: pc) &+ instruction.i)]
    case "add" where instruction.s == 0: return [.set(d, base: t, offset: 0)]
    case "add": return [.sum(d, left: s, right: t, isDifference: false)]
    case "sub": return [.sum(d, left: s, right: t, isDifference: true)]
    case word.0: return [.load(d, base: base, offset: instruction.i)]
    case word.1: return instruction.s == 0 ? [] : [.store(t, base: s, offset: instruction.i)]
    case let csr where csr.hasPrefix("csrr"): return effects(CSRInstruction(encoding: instruction.bits), d)
    default: return [.forget(d)]
    }
  }

  private func effects(_ access: CSRInstruction, _ d: Int) -> [FrameEffect] {
    let zero = RISCVRegisters.x(0)
    guard let register = registerFile.registers.firstIndex(where: { $0.gdbNumber == 65 + access.number }) else {
      return d == zero ? [] : [.forget(d)]
    }
    let source = RISCVRegisters.x(Int(access.source))
    if access.operation == 1, !access.isImmediate {
      if d != zero { return [.exchange(d, register, source)] }
      return [.set(register, base: access.source == 0 ? nil : source, offset: 0)]
    }
    return (d == zero ? [] : [.set(d, base: register, offset: 0)]) + (access.writes ? [.forget(register)] : [])
  }

  // MARK: Traps

  /// Handlers begin at `mtvec` and `stvec`, or where the jump there leads; with vectors also where those jump to.
  public func exceptionReturn(
    ofHandlerAt entry: UInt64, _ registers: RegisterValues, memory: any StackMemory
  ) -> Int? {
    for (vector, cause, resume) in [(Slot.mtvec, Slot.mcause, Slot.mepc), (.stvec, .scause, .sepc)] {
      guard let value = registers[vector.register], value != 0 else { continue }
      let base = value & ~3
      let code = (registers[cause.register] ?? 0) & 0xFF
      let stubs = value & 1 == 0 ? [base] : [base, base &+ 4 * code]
      if stubs.contains(entry) || stubs.contains(where: { jumpTarget(at: $0, memory) == entry }) {
        return resume.register
      }
    }
    return nil
  }

  private func jumpTarget(at address: UInt64, _ memory: any StackMemory) -> UInt64? {
    var bytes: [UInt8] = []
    for offset in [UInt64(0), 2] {
      guard let half = memory.value(at: address &+ offset, size: 2) else { break }
      bytes += [UInt8(truncatingIfNeeded: half), UInt8(truncatingIfNeeded: half >> 8)]
    }
    guard case .jump(let target)? = frameInstruction(bytes, pc: address)?.flow else { return nil }
    return target
  }

  /// What the CSRs held before the trap is not known, unless the handler that was interrupted has saved it.
  public func interrupted(returningBy register: Int, _ registers: RegisterValues) -> InterruptedContext? {
    guard let resume = registers[register] else { return nil }
    let cause = (register == Slot.sepc.register ? Slot.scause : .mcause).register
    var result = registers
    result[RISCVRegisters.pc] = resume
    (result[register], result[cause]) = (nil, nil)
    return InterruptedContext(registers: result, exception: registers[cause].map(exceptionName) ?? "exception")
  }
}
