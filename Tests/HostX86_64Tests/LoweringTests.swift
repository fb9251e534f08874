// Translated code against the reference, on random blocks, and the ways between blocks.

import Foundation
import HostKit
import HostX86_64
import IR
import Testing

@Suite(.serialized) struct LoweringTests {
  struct Setting: CustomTestStringConvertible, Sendable {
    let type: Type
    let path: DataPath
    var testDescription: String { "\(type.name) registers, memory by \(path)" }

    static let all = [Type.i64, .i32].flatMap { type in
      [DataPath.window, .tlb, .slow].map { Setting(type: type, path: $0) }
    }
  }

  @Test(arguments: Setting.all) func randomBlocksAgreeWithTheReference(setting: Setting) throws {
    let rig = try Rig(setting.type)
    rig.reachData(by: setting.path)
    let count = Int(ProcessInfo.processInfo.environment["MARTLET_BLOCKS"] ?? "") ?? 2000
    let ramCopy = UnsafeMutableRawPointer.allocate(byteCount: Int(GuestMap.ramSize), alignment: 16)
    defer { unsafe ramCopy.deallocate() }
    var failures = 0
    for seed in 0..<UInt64(count) where failures < 3 {
      let generator = RandomBlock(seed: seed, registerType: setting.type, length: Int(seed % 12) + 1)
      let block = generator.builder.block
      var random = generator.random
      if rig.host.codeBytesUsed > 3 << 20 { rig.host.reset() }
      let (compiled, _) = try rig.host.compile(block, dataPath: setting.path)
      // Twice: redirected device accesses are then made without a fault.
      for _ in 0..<2 {
        let registers = (0..<Rig.registerCount).map { _ in
          (Bool.random(using: &random) ? random.next() : UInt64(bitPattern: Int64.random(in: -9...9, using: &random)))
            & setting.type.mask
        }
        for (index, value) in registers.enumerated() { rig[index] = value }
        unsafe memcpy(ramCopy, rig.ram, Int(GuestMap.ramSize))
        let (device, reservation) = unsafe (backing.device, rig.cpu.reservation)
        let budget = Int64.random(in: 1...40, using: &random)
        rig.cpu.budget = budget
        rig.cpu.exceptionCause = 0
        rig.cpu.exceptionValue = 0
        rig.host.run(compiled.entry, rig.cpu)
        let reason = try #require(rig.cpu.exitReason)
        let found = Outcome(
          reason: reason, pc: rig.cpu.pc, cause: rig.cpu.exceptionCause, value: rig.cpu.exceptionValue,
          budget: rig.cpu.budget, registers: (0..<Rig.registerCount).map { rig[$0] }, device: unsafe backing.device,
          reservation: rig.cpu.reservation)
        let expected = unsafe reference(
          block, registers: registers, budget: budget, ram: ramCopy, device: device,
          reservation: reservation, type: setting.type, path: setting.path)
        let sameRAM = unsafe memcmp(ramCopy, rig.ram, Int(GuestMap.ramSize)) == 0
        if found != expected || !sameRAM {
          failures += 1
          Issue.record("seed \(seed): \(found) but should be \(expected)\(sameRAM ? "" : "; RAM differs")")
          break
        }
      }
    }
  }

  // MARK: Between blocks

  private func increment(_ register: Int, pc: UInt64, to target: UInt64, _ flags: ExitFlags = []) -> Block {
    var builder = Builder(pc: pc)
    builder.instruction(pc: pc, length: 4)
    let old = builder.getRegister(register, .i64)
    builder.setRegister(register, builder.binary(.add, old, builder.const(.i64, 1)))
    builder.exit(to: target, flags)
    return builder.block
  }

  @Test func exitsAreChainedAndUnchained() throws {
    let rig = try Rig(.i64)
    let (first, forth) = try rig.host.compile(increment(3, pc: 0x100, to: 0x200), dataPath: .window)
    let (second, back) = try rig.host.compile(increment(10, pc: 0x200, to: 0x100), dataPath: .window)
    #expect(forth.exits.map(\.target) == [0x200] && back.exits.map(\.target) == [0x100])
    let (there, home) = (forth.exits[0].site, back.exits[0].site)
    #expect(there != 0 && there < home)
    rig.host.run(first.entry, rig.cpu)
    #expect(rig.cpu.exitReason == .unchained && rig.cpu.exitSite == there && rig.cpu.pc == 0x200)
    rig.host.chain(there, to: second.entry)
    rig.host.run(first.entry, rig.cpu)
    #expect(rig.cpu.exitReason == .unchained && rig.cpu.exitSite == home && rig.cpu.pc == 0x100)
    #expect(rig[3] == 2 && rig[10] == 1)
    rig.host.unchain(there)
    rig.host.run(first.entry, rig.cpu)
    #expect(rig.cpu.exitSite == there && rig[3] == 3 && rig[10] == 1)
  }

  @Test func aLoopEndsWithItsBudget() throws {
    let rig = try Rig(.i64)
    let (block, outline) = try rig.host.compile(
      increment(4, pc: 0x100, to: 0x100, [.checksBudget]), dataPath: .window)
    rig.host.chain(outline.exits[0].site, to: block.entry)
    rig.cpu.budget = 1000
    rig.host.run(block.entry, rig.cpu)
    #expect(rig.cpu.exitReason == .budget && rig.cpu.pc == 0x100)
    #expect(rig[4] == 1000 && rig.cpu.budget == 0)
  }

  @Test func indirectExitsUseTheJumpCache() throws {
    let rig = try Rig(.i64)
    var builder = Builder(pc: 0x100)
    builder.instruction(pc: 0x100, length: 4)
    builder.exitIndirect(builder.getRegister(1, .i64), [])
    let (jump, _) = try rig.host.compile(builder.block, dataPath: .window)
    let (target, _) = try rig.host.compile(increment(2, pc: 0x4_0000_0006, to: 0), dataPath: .window)
    rig[1] = 0x4_0000_0006
    rig.host.run(jump.entry, rig.cpu)
    #expect(rig.cpu.exitReason == .indirectMiss && rig.cpu.pc == 0x4_0000_0006)
    rig.enterJumpCache(0x4_0000_0006, target.entry)
    rig.host.run(jump.entry, rig.cpu)
    #expect(rig.cpu.exitReason == .unchained && rig[2] == 1)
  }

  @Test func aDeviceIsReachedWithoutFaultsAfterTheFirst() throws {
    let rig = try Rig(.i64)
    var builder = Builder(pc: 0x100)
    builder.instruction(pc: 0x100, length: 4)
    let base = builder.getRegister(2, .i64)
    builder.setRegister(5, builder.load(.i64, MemoryAccess(size: 4), at: base, offset: 0))
    builder.exit(with: .step, pc: 0x104)
    let (block, _) = try rig.host.compile(builder.block, dataPath: .window)
    rig[2] = GuestMap.deviceBase
    let before = rig.host.listing(block, of: nil, dataPath: .window).map(\.text)
    for _ in 0..<3 { rig.host.run(block.entry, rig.cpu) }
    #expect(rig[5] == GuestMap.deviceBase && rig.cpu.exitReason == .step)
    #expect(unsafe backing.slowAccesses == 3)
    #expect(rig.host.listing(block, of: nil, dataPath: .window).map(\.text) != before)
    // The same site still reads RAM.
    rig[2] = GuestMap.ramBase
    rig.host.run(block.entry, rig.cpu)
    #expect(rig[5] == 0 && rig.cpu.exitReason == .step)
  }

  @Test func aFullCodeCacheIsReportedAndEmptied() throws {
    let rig = try Rig(.i64, codeCacheSize: 64 << 10)
    var compiled = 0
    #expect(throws: HostError.codeCacheFull) {
      while true {
        _ = try rig.host.compile(increment(1, pc: 0x100, to: 0x200), dataPath: .window)
        compiled += 1
      }
    }
    #expect(compiled > 500)
    rig.host.reset()
    let (block, _) = try rig.host.compile(increment(1, pc: 0x100, to: 0x200), dataPath: .window)
    rig.host.run(block.entry, rig.cpu)
    #expect(rig[1] == 1)
  }

  @Test func simpleCodeIsAsShortAsItShouldBe() throws {
    let rig = try Rig(.i64)
    var builder = Builder(pc: 0x100)
    builder.instruction(pc: 0x100, length: 4)
    // addw x3, x3, x4; lw x1, 8(x2)
    let sum = builder.binary(
      .add, builder.unary(.truncate, builder.getRegister(3, .i64), to: .i32),
      builder.unary(.truncate, builder.getRegister(4, .i64), to: .i32))
    builder.setRegister(3, builder.unary(.signExtend, sum, to: .i64))
    builder.setRegister(
      1, builder.load(.i64, MemoryAccess(size: 4, signed: true), at: builder.getRegister(2, .i64), offset: 8))
    builder.exit(to: 0x200)
    let (block, _) = try rig.host.compile(builder.block, dataPath: .window)
    let texts = rig.host.listing(block, of: builder.block, dataPath: .window).filter { $0.op != nil }.map(\.text)
    #expect(
      texts.filter { !$0.hasPrefix("nop") && !$0.hasPrefix("j") } == [
        "add ebx, r13d", "movsxd rbx, ebx", "cmp r8, qword ptr [rbp + 0x30]",
        "movsxd r12, dword ptr gs:[r8 + 8]", "sub r15, 1",
      ])
  }
}
