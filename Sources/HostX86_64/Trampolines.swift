// The hand-written code at the start of the code cache: entering and leaving translated code, the way to the memory
// slow path, and the saving of pinned registers around calls.

import HostKit
import IR

/// Offsets of the shared pieces of code from the start of the code cache.
struct Trampolines {
  /// C function (state, address of a block).
  private(set) var enter = 0
  /// Back to the caller of `enter`; the state says why.
  private(set) var leave = 0
  /// Called by an exit that is not chained: leave, with the return address, as an offset in the code cache, as the
  /// exit site.
  private(set) var leaveUnchained = 0
  /// Likewise with the budget used up.
  private(set) var leaveBudget = 0
  /// Leave for the PC in `rax`, which the jump cache does not know.
  private(set) var leaveMiss = 0
  /// Leave for the PC in `rax` with the budget used up.
  private(set) var leaveBudgetIndirect = 0
  /// Go on at the PC in `rax` if the jump cache knows it.
  private(set) var lookUp = 0
  /// Complete the memory access whose site number was pushed, and go on behind it.
  private(set) var slow = 0
  /// Complete the memory access that faulted at `StateOffset.faultPC`.
  private(set) var fault = 0
  /// Carry out the floating-point operation whose site number was pushed, and go on behind it.
  private(set) var slowFloat = 0
  let floats: FloatTrampolines
  /// Subroutines: bring all pinned registers, or those that calls destroy, to the state and back.
  private(set) var saveAll = 0
  private(set) var loadAll = 0
  private(set) var saveVolatile = 0
  private(set) var loadVolatile = 0

  /// Pushed by `fault` in place of a site number.
  static var faultMark: Int32 { -1 }

  /// - Parameters:
  ///   - pins: state slots of the pinned registers, in the order of `ABI.pinned`.
  ///   - vectorPins: likewise in the order of `ABI.pinnedVector`.
  ///   - slowFunction: address of a C function (state, saved registers by number) to the host PC to go on at.
  ///   - slowFloatFunction: the same for floating-point operations.
  init(
    _ assembler: inout Assembler, pins: [RegisterSlot], vectorPins: [RegisterSlot], hasVectors: Bool,
    environment: FloatEnvironment?, slowFunction: UInt64, slowFloatFunction: UInt64
  ) {
    var floats = FloatTrampolines(&assembler, pins: vectorPins, hasVectors: hasVectors, environment: environment)
    assembler.align(to: 16)
    let saved: [Register] = [.rbx, .rbp, .r12, .r13, .r14, .r15]
    enter = assembler.count
    for register in saved { assembler.push(register) }
    assembler.alu(.sub, .qword, .rsp, ABI.frameSize)
    assembler.mov(.qword, .rbp, .rdi)
    assembler.mov(.qword, .rax, .rsi)
    assembler.load(.qword, ABI.budget, ABI.state(StateOffset.budget))
    Self.load(&assembler, pins, from: 0)
    assembler.jmp(.rax)

    assembler.align(to: 16)
    leave = assembler.count
    Self.save(&assembler, pins, from: 0)
    assembler.store(.qword, ABI.state(StateOffset.budget), ABI.budget)
    assembler.alu(.add, .qword, .rsp, ABI.frameSize)
    for register in saved.reversed() { assembler.pop(register) }
    assembler.plain(.ret)

    floats.emitEnter(&assembler, around: enter)
    self.floats = floats

    let leaveAddress = assembler.address + UInt64(leave)
    func leaving(_ reason: ExitReason, _ assembler: inout Assembler, _ record: (inout Assembler) -> Void) -> Int {
      let start = assembler.count
      record(&assembler)
      assembler.store(.dword, ABI.state(StateOffset.exitReason), Int32(reason.rawValue))
      assembler.jmp(toAddress: leaveAddress)
      return start
    }
    let site = ABI.state(StateOffset.exitSite)
    let pc = ABI.state(StateOffset.pc)
    let base = Int32(truncatingIfNeeded: assembler.address)
    func recordCaller(_ assembler: inout Assembler) {
      assembler.pop(.rax)
      assembler.alu(.sub, .dword, .rax, base)
      assembler.store(.dword, site, .rax)
    }
    leaveUnchained = leaving(.unchained, &assembler, recordCaller)
    leaveBudget = leaving(.budget, &assembler, recordCaller)
    leaveMiss = leaving(.indirectMiss, &assembler) { $0.store(.qword, pc, .rax) }
    leaveBudgetIndirect = leaving(.budget, &assembler) { $0.store(.qword, pc, .rax) }

    assembler.align(to: 16)
    lookUp = assembler.count
    assembler.jumpThroughCache(missing: assembler.address + UInt64(leaveMiss))

    assembler.align(to: 16)
    fault = assembler.count
    assembler.push(Self.faultMark)
    slow = assembler.count
    Self.emitSlow(&assembler, slowFunction, floats)
    assembler.align(to: 16)
    slowFloat = assembler.count
    Self.emitSlow(&assembler, slowFloatFunction, floats)

    saveAll = assembler.count
    Self.save(&assembler, pins, from: 0)
    floats.emitSave(&assembler)
    assembler.plain(.ret)
    loadAll = assembler.count
    Self.load(&assembler, pins, from: 0)
    floats.emitLoad(&assembler)
    assembler.plain(.ret)
    saveVolatile = assembler.count
    Self.save(&assembler, pins, from: ABI.firstVolatilePin)
    floats.emitSave(&assembler)
    assembler.plain(.ret)
    loadVolatile = assembler.count
    Self.load(&assembler, pins, from: ABI.firstVolatilePin)
    floats.emitLoad(&assembler)
    assembler.plain(.ret)
  }

  /// With a site number pushed: shows all registers to C function `function`, and goes on where it says.
  private static func emitSlow(_ assembler: inout Assembler, _ function: UInt64, _ floats: FloatTrampolines) {
    // SSE registers below the others, and 8 bytes that align the stack.
    let below = floats.saveArea
    for register in Register.allCases.reversed() { assembler.push(register) }
    assembler.mov(.qword, .rsi, .rsp)
    assembler.alu(.sub, .qword, .rsp, below)
    floats.emitSaveEverything(&assembler)
    assembler.mov(.qword, .rdi, .rbp)
    assembler.mov(.rax, Int64(bitPattern: function))
    assembler.call(.rax)
    // The site number's place takes the address to go on at.
    assembler.store(.qword, Memory(.rsp, below + 16 * 8), .rax)
    floats.emitLoadEverything(&assembler)
    assembler.alu(.add, .qword, .rsp, below)
    for register in Register.allCases {
      if register == .rsp { assembler.lea(.qword, .rsp, Memory(.rsp, 8)) } else { assembler.pop(register) }
    }
    assembler.plain(.ret)
  }

  private static func save(_ assembler: inout Assembler, _ pins: [RegisterSlot], from first: Int) {
    for (index, slot) in pins.enumerated() where index >= first {
      assembler.store(slot.type.exactWidth, ABI.state(slot.offset), ABI.pinned(index))
    }
  }

  private static func load(_ assembler: inout Assembler, _ pins: [RegisterSlot], from first: Int) {
    for (index, slot) in pins.enumerated() where index >= first {
      assembler.movzx(from: slot.type.exactWidth, ABI.pinned(index), ABI.state(slot.offset))
    }
  }
}

extension Assembler {
  /// Jumps to the code for the guest PC in rax by the jump cache, or to `missing`. Changes rcx.
  mutating func jumpThroughCache(missing: UInt64) {
    // The index is half the PC, modulo the number of entries.
    let shift = JumpCache.entrySize.trailingZeroBitCount - 1
    mov(.dword, .rcx, .rax)
    self.shift(.shl, .dword, .rcx, by: UInt8(shift))
    alu(.and, .dword, .rcx, Int32((JumpCache.count - 1) * JumpCache.entrySize))
    alu(.add, .qword, .rcx, ABI.state(StateOffset.jumpCache))
    alu(.cmp, .qword, .rax, Memory(.rcx))
    jcc(.ne, toAddress: missing)
    jmp(Memory(.rcx, 8))
  }
}
