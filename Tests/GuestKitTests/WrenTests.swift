// Owns the tests of the smallest guest, on every host: what the article promises works.

import Engine
import GuestKit
import TestSupport
import Testing

/// Encodings.
private func set(_ d: Int, _ i: Int) -> UInt16 { 0x1000 | UInt16(d << 9 | i & 0x1FF) }
private func add(_ d: Int, _ s: Int, _ t: Int) -> UInt16 { 0x2000 | UInt16(d << 9 | s << 6 | t << 3) }
private func sub(_ d: Int, _ s: Int, _ t: Int) -> UInt16 { add(d, s, t) | 1 }
private func load(_ d: Int, _ s: Int, _ i: Int = 0) -> UInt16 { 0x3000 | UInt16(d << 9 | s << 6 | i & 0x3F) }
private func store(_ t: Int, _ s: Int, _ i: Int = 0) -> UInt16 { 0x4000 | UInt16(t << 9 | s << 6 | i & 0x3F) }
private func bnz(_ s: Int, _ i: Int) -> UInt16 { 0x5000 | UInt16(s << 9 | i >> 1 & 0x1FF) }
private func jump(_ s: Int) -> UInt16 { 0x6000 | UInt16(s << 3) }
private let (wait, trap, ret): (UInt16, UInt16, UInt16) = (0x7000, 0x7001, 0x7002)

@Suite struct WrenTests {
  private typealias Register = Wren.Register

  /// 16-bit instructions from 0 on, the handler's at its place.
  private func rig(_ runner: Runner, _ program: [UInt16], handler: [UInt16] = [wait]) throws -> ToyRig {
    let gap = [UInt16](repeating: 0, count: Int(Wren.handler) / 2 - program.count)
    let bytes = (program + gap + handler).flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    return try ToyRig(runner, Wren(), bytes)
  }

  /// Adds the numbers from 100 down to 1, and stores each sum.
  @Test(arguments: Runner.allCases) func loops(_ runner: Runner) throws {
    let rig = try rig(
      runner,
      [
        set(1, 100), set(4, 1), set(5, 4), set(2, 128), add(0, 0, 1), store(0, 2), load(6, 2), add(2, 2, 5),
        sub(1, 1, 4), bnz(1, -10), trap,
      ])
    #expect(rig.run(10_000) == .waiting)
    #expect(rig[Register.r0.rawValue] == 5050 && rig[Register.r6.rawValue] == 5050)
    #expect(rig[Register.r2.rawValue] == 128 + 400 && rig[Register.cause.rawValue] == Wren.Cause.trap.rawValue)
    #expect(rig[Register.epc.rawValue] == 20 && rig.vcpu.retiredInstructions == 4 + 600 + 1)
    #expect(rig.memory.load(128 + 4 * 99, size: 4) == 5050 && rig.memory.load(132, size: 4) == 199)
  }

  /// Steps leave what runs leave.
  @Test(arguments: Runner.allCases) func steps(_ runner: Runner) throws {
    let rig = try rig(runner, [set(1, 3), set(4, 1), sub(1, 1, 4), bnz(1, -2), trap])
    var pcs: [UInt64] = []
    for _ in 0..<9 {
      pcs.append(rig.vcpu.state.pc)
      #expect(rig.vcpu.step() == .stepped)
    }
    #expect(pcs == [0, 2, 4, 6, 4, 6, 4, 6, 8] && rig[Register.pc.rawValue] == Wren.handler)
  }

  /// The handler of each exception notes it and goes on behind it.
  @Test(arguments: Runner.allCases) func raises(_ runner: Runner) throws {
    let program = [set(7, 2), 0, load(1, 7), set(6, -4), load(1, 6), store(1, 6), wait]
    let faults: [(Wren.Cause, value: UInt64, pc: UInt64)] = [
      (.illegal, 0, 2), (.misaligned, 2, 4), (.load, 0xFFFF_FFFC, 8), (.store, 0xFFFF_FFFC, 10),
    ]
    let rig = try rig(runner, program)
    for fault in faults {
      #expect(rig.run(rig.vcpu.now + 100) == .waiting)
      #expect(rig[Register.cause.rawValue] == fault.0.rawValue && rig[Register.value.rawValue] == fault.value)
      #expect(rig[Register.epc.rawValue] == fault.pc && rig.vcpu.state.pc == Wren.handler + 2)
      rig[Register.pc.rawValue] = fault.pc + 2
      rig.vcpu.endWait()
    }
  }

  /// Nothing can be fetched behind memory, though the loop asks for more than there is.
  @Test(arguments: Runner.allCases) func runsOutOfMemory(_ runner: Runner) throws {
    let rig = try rig(runner, [])
    try rig.engine.space.copyIn([0x01, 0x12], at: 0xFFFE)  // set r1, 1
    rig[Register.pc.rawValue] = 0xFFFE
    #expect(rig.run(100) == .waiting)
    #expect(rig[Register.r1.rawValue] == 1 && rig[Register.cause.rawValue] == Wren.Cause.fetch.rawValue)
    #expect(rig[Register.epc.rawValue] == 0x10000 && rig[Register.value.rawValue] == 0x10000)
  }

  /// An interrupt ends the wait, its handler returns, and the next one is taken.
  @Test(arguments: Runner.allCases) func takesInterrupts(_ runner: Runner) throws {
    let rig = try rig(
      runner, [set(4, 1), wait, bnz(4, -2)], handler: [add(0, 0, 4), ret])
    rig[Register.enabled.rawValue] = 1
    #expect(rig.run(100) == .waiting)
    for count in 1...3 as ClosedRange<UInt64> {
      rig.engine.setInterruptLine(rig.vcpu, 0, true)
      #expect(rig.vcpu.step() == .stepped && rig.vcpu.state.pc == Wren.handler)
      rig.engine.setInterruptLine(rig.vcpu, 0, false)
      #expect(rig.run(rig.vcpu.now + 100) == .waiting)
      #expect(rig[Register.r0.rawValue] == count && rig[Register.cause.rawValue] == Wren.Cause.interrupt.rawValue)
    }
  }

  /// A jump is to where a register says, and a jump from there goes on.
  @Test(arguments: Runner.allCases) func jumps(_ runner: Runner) throws {
    let rig = try rig(runner, [set(1, 8), jump(1), trap, trap, set(2, 4), set(3, 7), add(1, 1, 2), jump(1), wait])
    #expect(rig.run(100) == .waiting)
    #expect(rig[Register.r3.rawValue] == 7 && rig[Register.r1.rawValue] == 16 && rig.vcpu.state.pc == 18)
  }

  @Test func disassembles() throws {
    let guest = try Wren()
    let texts: [(UInt16, String)] = [
      (set(1, -1), "set r1, -1"), (sub(0, 1, 2), "sub r0, r1, r2"), (load(1, 7, 4), "load r1, [r7+4]"),
      (bnz(1, -10), "bnz r1, -10"), (trap, "trap"), (0, ".short"),
    ]
    for (bits, text) in texts {
      let (found, length) = guest.disassemble([UInt8(truncatingIfNeeded: bits), UInt8(bits >> 8)], pc: 0)
      #expect(found == text && length == 2)
    }
  }
}
