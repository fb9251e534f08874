// Owns what the tests of self-modifying code share: a bare machine, and the few instructions their programs need.

import Bus
import Engine
import GuestRISCV
import HostInterpreter
import HostKit
import HostX86_64

/// RISC-V encodings (Unprivileged Architecture, chapters 2, 5 and 14). Registers are numbers, offsets are in bytes.
enum Code {
  static func addi(_ d: UInt32, _ s: UInt32, _ value: Int32) -> UInt32 {
    UInt32(bitPattern: value) << 20 | s << 15 | d << 7 | 0x13
  }
  static func add(_ d: UInt32, _ a: UInt32, _ b: UInt32) -> UInt32 { b << 20 | a << 15 | d << 7 | 0x33 }
  static func lui(_ d: UInt32, _ high: UInt32) -> UInt32 { high << 12 | d << 7 | 0x37 }
  static func auipc(_ d: UInt32, _ high: UInt32 = 0) -> UInt32 { high << 12 | d << 7 | 0x17 }
  static func lw(_ d: UInt32, _ offset: Int32, _ s: UInt32) -> UInt32 { addi(d, s, offset) & ~0x7F | 2 << 12 | 0x03 }
  static func lh(_ d: UInt32, _ offset: Int32, _ s: UInt32) -> UInt32 { addi(d, s, offset) & ~0x7F | 1 << 12 | 0x03 }
  static func sw(_ value: UInt32, _ offset: Int32, _ base: UInt32) -> UInt32 { store(2, value, offset, base) }
  static func sh(_ value: UInt32, _ offset: Int32, _ base: UInt32) -> UInt32 { store(1, value, offset, base) }
  static func bne(_ a: UInt32, _ b: UInt32, _ offset: Int32) -> UInt32 {
    let o = UInt32(bitPattern: offset)
    return (o >> 12 & 1) << 31 | (o >> 5 & 0x3F) << 25 | b << 20 | a << 15 | 1 << 12 | (o >> 1 & 0xF) << 8
      | (o >> 11 & 1) << 7 | 0x63
  }
  static func jal(_ d: UInt32, _ offset: Int32) -> UInt32 {
    let o = UInt32(bitPattern: offset)
    return (o >> 20 & 1) << 31 | (o >> 1 & 0x3FF) << 21 | (o >> 11 & 1) << 20 | (o >> 12 & 0xFF) << 12 | d << 7 | 0x6F
  }
  static func lrw(_ d: UInt32, _ base: UInt32) -> UInt32 { 2 << 27 | base << 15 | 2 << 12 | d << 7 | 0x2F }
  static func scw(_ d: UInt32, _ value: UInt32, _ base: UInt32) -> UInt32 {
    3 << 27 | value << 20 | lrw(d, base) & 0xFFFFF
  }
  static func amoswapw(_ d: UInt32, _ value: UInt32, _ base: UInt32) -> UInt32 {
    1 << 27 | value << 20 | lrw(d, base) & 0xFFFFF
  }
  static let fenceI: UInt32 = 0x100F
  static let nop: UInt32 = 0x13
  /// Jumps to itself.
  static let stop: UInt32 = 0x6F

  /// A compressed no-operation and then `program`, as words.
  static func behindHalfword(_ program: [UInt32]) -> [UInt32] {
    let halves: [UInt32] = [1] + program.flatMap { [$0 & 0xFFFF, $0 >> 16] } + [0]
    return stride(from: 0, to: halves.count, by: 2).map { halves[$0] | halves[$0 + 1] << 16 }
  }

  private static func store(_ size: UInt32, _ value: UInt32, _ offset: Int32, _ base: UInt32) -> UInt32 {
    let o = UInt32(bitPattern: offset)
    return (o >> 5 & 0x7F) << 25 | value << 20 | base << 15 | size << 12 | (o & 0x1F) << 7 | 0x23
  }
}

/// An engine with one hart, RAM and nothing else.
struct Rig {
  static let base: UInt64 = 0x8000_0000
  /// Where the same memory appears once more.
  static let mirror: UInt64 = 0x9000_0000
  let engine: Engine
  private let memory: RAMRegion

  /// - Parameters:
  ///   - program: instructions, put at `base + offset`, where the hart starts.
  ///   - isMirrored: whether the RAM is at ``mirror`` too.
  init(
    _ host: any Host.Type, interpreter: (any PackedTier.Type)? = nil, _ program: [UInt32], offset: UInt64 = 0,
    options: EngineOptions = EngineOptions(),
    isMirrored: Bool = false
  ) throws {
    memory = try RAMRegion(name: "ram", size: 1 << 20)
    let space = AddressSpace()
    try space.map("ram", at: Self.base, size: 1 << 20, .ram(memory, offset: 0))
    if isMirrored { try space.map("mirror", at: Self.mirror, size: 1 << 20, .ram(memory, offset: 0)) }
    func make<H: Host>(_ host: H.Type) throws -> Engine {
      try Engine(
        guest: RISCVGuest(model: "rv64"), host: host, interpreter: interpreter, space: space, clock: VirtualClock(),
        events: EventQueue(),
        vcpuCount: 1, options: options)
    }
    engine = try make(host)
    let bytes = program.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    try space.copyIn(bytes, at: Self.base + offset)
    engine.guest.reset(vcpu.state, number: 0, pc: Self.base + offset)
    vcpu.wasReset()
  }

  var vcpu: VCPU { engine.vcpus[0] }
  func x(_ number: Int) -> UInt64 { engine.guest.readRegister(vcpu.state, number) }

  /// What a run leaves behind.
  struct Outcome: Equatable {
    var registers: [UInt64]
    var retired: UInt64
    var memory: UInt64
  }

  var outcome: Outcome {
    Outcome(registers: (0..<32).map { x($0) }, retired: vcpu.retiredInstructions, memory: memory.digest())
  }

  /// Runs until a backward branch after `ticks` instructions.
  func run(_ ticks: UInt64) -> RunOutcome { vcpu.run(until: ticks) }
}
