// Owns the tests of an engine in memory that is not a board's: mappings that come and go as a program asks, and faults that
// whoever keeps them mends.

import Bus
import Engine
import GuestKit
import GuestRISCV
import HostInterpreter
import HostKit
import HostX86_64
import IR
import Testing

/// Mappings of a process in miniature: a page is mapped when it is first touched, at most so many.
private final class ProcessMap: MemoryMap, ExceptionHandler {
  let flat = FlatMap()
  private(set) var faults: [UInt64] = []
  private(set) var calls = 0
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  func map(_ address: UInt64, count: UInt64) throws {
    let memory = try RAMRegion(name: "anonymous", size: Int(count))
    flat.insert(Region(name: memory.name, base: address, size: count, backing: .ram(memory, offset: 0)))
  }

  func unmap(_ address: UInt64) {
    if let index = flat.regions.firstIndex(where: { $0.base == address }) { flat.remove(at: index) }
  }

  func handle(_ exception: GuestException, on vcpu: VCPU) -> ExceptionVerdict {
    switch exception.cause {
    case 5, 7:
      faults.append(exception.value)
      guard faults.count <= limit, (try? map(exception.value & ~0xFFF, count: 0x1000)) != nil else { return .stop }
      return .resume
    case 11:
      calls += 1
      return .stop
    default: return .enter
    }
  }
}

@Suite struct ProcessMapTests {
  private static let hosts: [any Host.Type] = [X86_64Host.self, InterpreterHost.self]
  private static let heap: UInt64 = 0x4000_0000
  /// Fills half pages from the heap's start on, loads from the pointer in `s0`, and calls.
  private static let program: [UInt32] = [
    Code.lui(5, 0x40000), Code.addi(6, 0, 16), Code.sw(6, 0, 5), Code.addi(5, 5, 2047), Code.addi(5, 5, 1),
    Code.addi(6, 6, -1), Code.bne(6, 0, -16), Code.lw(7, 0, 8), 0x73,
  ]

  private func rig(_ host: Int, _ tiers: TierPolicy, limit: Int) throws -> (Engine, ProcessMap) {
    let process = ProcessMap(limit: limit)
    try process.map(0x1_0000, count: 0x1000)
    try process.copyIn(
      Self.program.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }, at: 0x1_0000)
    var options = EngineOptions()
    options.tiers = tiers
    func make<H: Host>(_ host: H.Type) throws -> Engine {
      try Engine(
        guest: RISCVGuest(model: "rv64"), host: host, interpreter: Interpreter.self, space: process,
        clock: VirtualClock(), events: EventQueue(), vcpuCount: 1, options: options)
    }
    let engine = try make(Self.hosts[host])
    engine.guest.reset(engine.vcpus[0].state, number: 0, pc: 0x1_0000)
    engine.guest.writeRegister(engine.vcpus[0].state, 8, Self.heap + 0x3000)
    engine.vcpus[0].wasReset()
    engine.vcpus[0].exceptionHandler = process
    return (engine, process)
  }

  @Test(arguments: [0, 1], [TierPolicy.adaptive, .quick, .thorough])
  func memoryIsMappedAsItIsTouched(host: Int, tiers: TierPolicy) throws {
    let (engine, process) = try rig(host, tiers, limit: 9)
    let vcpu = engine.vcpus[0]
    #expect(vcpu.run(until: 100_000) == .exception(GuestException(cause: 11)))
    #expect(process.faults == (0..<8).map { Self.heap + $0 * 0x1000 } && process.calls == 1)
    for index in 0..<16 as Range<UInt64> {
      #expect(try process.read(Self.heap + 0x800 * index, size: 4) == 16 - index)
    }
    #expect(engine.guest.readRegister(vcpu.state, 7) == 10)
    // What is unmapped faults again, in code that has reached it before.
    process.unmap(Self.heap + 0x3000)
    vcpu.state.pc = 0x1_001C
    #expect(vcpu.run(until: vcpu.ticks + 1000) == .exception(GuestException(cause: 11)))
    #expect(process.faults.last == Self.heap + 0x3000 && process.faults.count == 9)
    #expect(engine.guest.readRegister(vcpu.state, 7) == 0)
  }

  @Test(arguments: [0, 1]) func whatCannotBeMappedEndsTheRun(host: Int) throws {
    let (engine, process) = try rig(host, .adaptive, limit: 3)
    let last = Self.heap + 0x3000
    #expect(engine.vcpus[0].run(until: 100_000) == .exception(GuestException(cause: 7, value: last)))
    #expect(engine.vcpus[0].state.pc == 0x1_0008 && process.calls == 0)
  }
}
