// Owns the test of atomic accesses everywhere: memory, memory beside code, read-only memory, a device, nothing, pages with
// and without rights, all of them misaligned too. Two harts take turns on random programs; each host must do the same.

import Bus
import Engine
import GuestRISCV
import HostInterpreter
import HostKit
import HostX86_64
import TestSupport
import Testing

/// A register that adds up what is written to it, and counts.
private final class AddingDevice: MMIOTarget {
  private(set) var sum: UInt64 = 0

  func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    sum &+= 0x1_0001
    return sum &+ offset
  }
  func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    sum = sum &* 3 &+ value &+ offset
  }
  func peek(region: Int, offset: UInt64, size: Int) -> UInt64? { nil }
}

/// How the harts reach memory.
private enum Protection: CaseIterable {
  /// Machine mode.
  case none
  /// The same, with some bytes of the data that may only be read.
  case locked
  /// Supervisor mode, Sv39.
  case paged
}

private struct AtomicRig {
  static let base: UInt64 = 0x8000_0000
  /// Offsets in memory.
  static let (handler, besideCode, data, tables): (UInt64, UInt64, UInt64, UInt64) = (0x800, 0xF00, 0x4000, 0x10000)
  static let (rom, device, nothing, pages): (UInt64, UInt64, UInt64, UInt64) =
    (0x9000_0000, 0x9100_0000, 0xA000_0000, 0x4000_0000)

  let engine: Engine
  private let memory: RAMRegion
  private let device = AddingDevice()

  init(_ host: any Host.Type, _ interpreter: (any PackedTier.Type)?, _ tiers: TierPolicy) throws {
    memory = try RAMRegion(name: "ram", size: 1 << 20)
    let space = AddressSpace()
    try space.map("ram", at: Self.base, size: 1 << 20, .ram(memory, offset: 0))
    try space.map("rom", at: Self.rom, size: 0x1000, .rom(RAMRegion(name: "rom", size: 0x1000), offset: 0))
    try space.map("device", at: Self.device, size: 0x1000, .device(device, index: 0))
    var options = EngineOptions()
    options.tiers = tiers
    func make<H: Host>(_ host: H.Type) throws -> Engine {
      try Engine(
        guest: RISCVGuest(model: "rv64"), host: host, interpreter: interpreter, space: space, clock: VirtualClock(),
        events: EventQueue(), vcpuCount: 2, options: options)
    }
    engine = try make(host)
  }

  func put(_ program: [UInt32], at offset: UInt64) throws {
    try engine.space.copyIn(
      program.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }, at: Self.base + offset)
  }

  /// Gigabytes where they are, and pages of their own: for all, for reading, not yet written, none, that of the code.
  func mapPages() throws -> UInt64 {
    let root = Self.base + Self.tables
    func entry(_ table: UInt64, _ index: UInt64, _ target: UInt64, _ bits: UInt64) throws {
      try engine.space.write(root + table << 12 + 8 * index, size: 8, target >> 2 | bits)
    }
    try entry(0, 2, 0x8000_0000, 0xCF)
    try entry(0, 1, root + 0x1000, 1)
    try entry(1, 0, root + 0x2000, 1)
    let rights: [(UInt64, UInt64)] = [(Self.data, 0xC7), (0x5000, 0x43), (0x6000, 0x47), (0, 0), (0, 0xC7)]
    for (page, (offset, bits)) in rights.enumerated() { try entry(2, UInt64(page), Self.base + offset, bits) }
    return 8 << 60 | root >> 12
  }

  func start(_ hart: Int, _ protection: Protection, _ registers: [UInt64]) throws {
    let vcpu = engine.vcpus[hart]
    engine.guest.reset(vcpu.state, number: hart, pc: Self.base)
    func set(_ name: String, _ value: UInt64) throws {
      let number = try #require(engine.guest.registerFile.index(of: name))
      engine.guest.writeRegister(vcpu.state, number, value)
    }
    for number in 1..<32 { engine.guest.writeRegister(vcpu.state, number, registers[number]) }
    try set("mtvec", Self.base + Self.handler)
    switch protection {
    case .none: break
    case .locked:
      // 64 bytes, locked, for reading.
      try set("pmpaddr0", (Self.base + Self.data + 0x100) >> 2 | 7)
      try set("pmpcfg0", 0x99)
    case .paged:
      try set("pmpaddr0", (1 << 54) - 1)
      try set("pmpcfg0", 0x1F)
      try set("satp", mapPages())
      try set("priv", 1)
    }
    vcpu.wasReset()
    vcpu.state.pc = Self.base
  }

  /// What a run leaves behind.
  struct Outcome: Equatable {
    var registers: [[UInt64]]
    var progress: [VCPUProgress]
    var reservations: [Reservation?]
    var memory: UInt64
    var device: UInt64
  }

  func run(turns: Int) -> Outcome {
    for turn in 1...UInt64(turns) {
      for vcpu in engine.vcpus { _ = vcpu.run(until: turn * 300) }
    }
    return Outcome(
      registers: engine.vcpus.map { vcpu in (0..<32).map { engine.guest.readRegister(vcpu.state, $0) } },
      progress: engine.vcpus.map(\.progress), reservations: engine.vcpus.map(\.reservation), memory: memory.digest(),
      device: device.sum)
  }
}

/// A loop of random accesses at eight pointers, which change places each time round.
private struct AtomicProgram {
  private var random: SplitMix
  private static let pointers = 18..<26 as Range<UInt32>

  init(seed: UInt64) { random = SplitMix(seed: seed) }

  private mutating func value() -> UInt32 { 10 + UInt32(random.below(8)) }
  private mutating func pointer() -> UInt32 { 18 + UInt32(random.below(8)) }

  private mutating func access() -> [UInt32] {
    let (pointer, width) = (pointer(), 2 + UInt32(random.below(2)))
    func atomic(_ kind: UInt32, _ d: UInt32, _ operand: UInt32, _ pointer: UInt32, _ width: UInt32) -> UInt32 {
      kind << 27 | operand << 20 | pointer << 15 | width << 12 | d << 7 | 0x2F
    }
    let d = random.once(in: 4) ? 0 : value()
    switch random.below(8) {
    case 0: return [Code.lw(value(), Int32(random.below(3)) * 2, pointer)]
    case 1: return [Code.sw(value(), Int32(random.below(3)) * 2, pointer)]
    case 2...3:
      let other = random.once(in: 6) ? self.pointer() : pointer
      let last = random.once(in: 6) ? 5 - width : width
      let between = random.once(in: 3) ? access() : []
      return [atomic(2, d, 0, pointer, width)] + between + [atomic(3, value(), value(), other, last)]
    default:
      let kinds: [UInt32] = [1, 0, 4, 12, 8, 16, 20, 24, 28]
      return [atomic(kinds[random.below(kinds.count)], d, value(), pointer, width)]
    }
  }

  mutating func instructions() -> [UInt32] {
    var body: [UInt32] = []
    while body.count < 16 { body += access() }
    for register in Self.pointers { body.append(Code.addi(register == 18 ? 31 : register - 1, register, 0)) }
    body += [Code.addi(25, 31, 0), Code.addi(26, 26, -1)]
    return body + [Code.bne(26, 0, -4 * Int32(body.count)), Code.stop]
  }

  /// Notes cause and address in s11, and goes on behind the instruction.
  static var handler: [UInt32] {
    func csr(_ d: UInt32, _ number: UInt32) -> UInt32 { number << 20 | 2 << 12 | d << 7 | 0x73 }
    let (cause, pc, value): (UInt32, UInt32, UInt32) = (0x342, 0x341, 0x343)
    return [
      Code.add(27, 27, 27), csr(30, cause), Code.add(27, 27, 30), csr(30, value), Code.add(27, 27, 30),
      csr(30, pc), Code.add(27, 27, 30), Code.addi(30, 30, 4), pc << 20 | 30 << 15 | 1 << 12 | 0x73, 0x3020_0073,
    ]
  }

  mutating func registers(_ protection: Protection) -> [UInt64] {
    let (base, data) = (AtomicRig.base, AtomicRig.base + AtomicRig.data)
    let physical = [
      data + 0x80, data + 0x100, data + 0xFF8, base + AtomicRig.besideCode, base + 0xC0, AtomicRig.rom + 0x40,
      AtomicRig.device + 8, AtomicRig.nothing,
    ]
    let virtual = [0x80, 0xFF8, 0x1080, 0x2080, 0x3080, 0x4F00, 0x40C0].map { AtomicRig.pages + $0 as UInt64 }
    let known =
      protection == .paged ? Array(physical.prefix(7)) + virtual + virtual : physical + Array(physical.prefix(5))
    var registers = (0..<32).map { _ in random.once(in: 2) ? random.next() : UInt64(random.below(9)) &- 4 }
    for pointer in Self.pointers {
      let misaligned = random.once(in: 4) ? UInt64(random.below(8)) : 0
      registers[Int(pointer)] = known[random.below(known.count)] + misaligned
    }
    registers[26] = 200
    return registers
  }
}

@Suite struct AtomicPlacesTests {
  private static let hosts: [(any Host.Type, (any PackedTier.Type)?, TierPolicy)] = [
    (X86_64Host.self, nil, .quick), (X86_64Host.self, nil, .thorough),
    (X86_64Host.self, Interpreter.self, .adaptive),
  ]

  @Test(arguments: 0..<20 as Range<UInt64>) func eachHostDoesTheSame(seed: UInt64) throws {
    for protection in Protection.allCases {
      func outcome(
        _ host: any Host.Type, _ interpreter: (any PackedTier.Type)?, _ tiers: TierPolicy
      ) throws -> AtomicRig.Outcome {
        var program = AtomicProgram(seed: seed)
        let rig = try AtomicRig(host, interpreter, tiers)
        try rig.put(program.instructions(), at: 0)
        try rig.put(AtomicProgram.handler, at: AtomicRig.handler)
        for hart in 0..<2 { try rig.start(hart, protection, program.registers(protection)) }
        return rig.run(turns: 160)
      }
      let expected = try outcome(InterpreterHost.self, nil, .quick)
      // Each hart has come to the end, by exceptions too.
      #expect(expected.registers.allSatisfy { $0[26] == 0 })
      for (host, interpreter, tiers) in Self.hosts {
        let found = try outcome(host, interpreter, tiers)
        #expect(found == expected, "\(protection), \(host.name), \(tiers)")
      }
    }
  }
}
