// Owns the tests of changes of mode: random programs of them agree on every host and tier wherever time slices end, and what
// is known when code is translated does not leave it.

import Bus
import Engine
import GuestRISCV
import HostInterpreter
import HostX86_64
import TestSupport
import Testing

/// How code is executed.
enum ModeSetup: String, CaseIterable, Sendable {
  case interpreter, quick, thorough, adaptive

  /// An engine with one hart that starts at `base`, and with RAM there.
  func engine(_ base: UInt64) throws -> Engine {
    let space = AddressSpace()
    let memory = try RAMRegion(name: "ram", size: 1 << 20)
    try space.map("ram", at: base, size: 1 << 20, .ram(memory, offset: 0))
    var options = EngineOptions()
    options.tiers = self == .thorough ? .thorough : self == .adaptive ? .adaptive : .quick
    options.interpretedRuns = 4
    let (guest, clock, events) = (try RISCVGuest(model: "rv64"), VirtualClock(), EventQueue())
    if self == .interpreter {
      return try Engine(
        guest: guest, host: InterpreterHost.self, space: space, clock: clock, events: events, vcpuCount: 1,
        options: options)
    }
    return try Engine(
      guest: guest, host: X86_64Host.self, interpreter: Interpreter.self, space: space, clock: clock,
      events: events, vcpuCount: 1, options: options)
  }
}

/// A random program that changes mode all the time, its trap handlers, and where it starts from. Equal seeds give equal ones.
private struct ModeProgram {
  static let base: UInt64 = 0x8000_0000
  private static let (machineHandler, supervisorHandler, root): (UInt64, UInt64, UInt64) = (0x8000, 0x9000, 0x1_0000)
  private var random: SplitMix
  private let isMachine: Bool
  private var body: [UInt32] = []

  init(seed: UInt64) {
    random = SplitMix(seed: seed)
    isMachine = seed & 1 != 0
    body = [Code.addi(9, 0, 400)]
    for _ in 0..<30 { body += step() }
    body += [Code.addi(9, 9, -1)]
    body += [Code.bne(9, 0, -4 * Int32(body.count - 1)), Code.stop]
  }

  /// `csrrw` 1, `csrrs` 2, `csrrc` 3; 4 more with an immediate.
  static func csr(_ operation: UInt32, _ d: UInt32, _ number: UInt32, _ source: UInt32) -> UInt32 {
    number << 20 | source << 15 | operation << 12 | d << 7 | 0x73
  }
  static let (ecall, mret, sret, pause): (UInt32, UInt32, UInt32, UInt32) = (
    0x73, 0x3020_0073, 0x1020_0073, 0x0100_000F
  )

  /// a0 to a7.
  private mutating func register() -> UInt32 { 10 + UInt32(random.below(8)) }

  private mutating func step() -> [UInt32] {
    let status: UInt32 = isMachine && !random.once(in: 4) ? 0x300 : 0x100
    switch random.below(12) {
    case 0, 1: return [Self.csr(5 + UInt32(random.below(3)), register(), status, UInt32(random.below(16)))]
    case 2, 3: return [Self.csr(1 + UInt32(random.below(3)), register(), status, register())]
    case 4:
      let numbers: [UInt32] = [
        0x104, 0x144, 0x140, 0x142, 0x143, 0x141, 0x304, 0x344, 0x340, 0x341, 0x342, 0x300, 0x106,
      ]
      return [Self.csr(1 + UInt32(random.below(3)), register(), numbers[random.below(numbers.count)], register())]
    case 5: return [Self.ecall]
    case 6:
      // A return to what follows, in this mode.
      let (cause, bit, back): (UInt32, UInt32, UInt32) = isMachine ? (0x341, 2, Self.mret) : (0x141, 0, Self.sret)
      let mode = bit == 2 ? [Code.lui(28, 2), Code.addi(28, 28, -0x800)] : [Code.nop, Code.addi(28, 0, 0x100)]
      return mode + [
        Self.csr(2, 0, isMachine ? 0x300 : 0x100, 28), Code.auipc(29), Code.addi(29, 29, 16), Self.csr(1, 0, cause, 29),
        back,
      ]
    case 7: return [Code.lw(register(), 0, 18)]
    case 8: return [Code.lw(register(), 0, 19)]
    case 9: return [Code.addi(register(), register(), Int32(random.below(4096)) - 2048)]
    case 10: return [Self.pause]
    default: return [Code.add(register(), register(), register())]
    }
  }

  /// Notes cause and PC in s4, disables an interrupt or goes on behind an exception.
  private static func handler(_ cause: UInt32, _ pc: UInt32, _ enables: UInt32, _ back: UInt32) -> [UInt32] {
    [
      csr(2, 5, cause, 0), Code.add(20, 20, 5), csr(2, 6, pc, 0), Code.add(20, 20, 6), Code.add(20, 20, 20),
      // bltz t0, 16
      5 << 15 | 4 << 12 | 16 << 7 | 0x63,
      Code.addi(6, 6, 4), csr(1, 0, pc, 6), back,
      // sll t2, 1 << t0
      Code.addi(7, 0, 1), 5 << 20 | 7 << 15 | 1 << 12 | 7 << 7 | 0x33, csr(3, 0, enables, 7), back,
    ]
  }

  /// Puts the program into an engine, and its hart at the start.
  mutating func start(_ engine: Engine) throws {
    func put(_ words: [UInt32], _ offset: UInt64) throws {
      let bytes = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
      try engine.space.copyIn(bytes, at: Self.base + offset)
    }
    try put(body, 0)
    try put(Self.handler(0x342, 0x341, 0x304, Self.mret), Self.machineHandler)
    try put(Self.handler(0x142, 0x141, 0x104, Self.sret), Self.supervisorHandler)
    // Memory where it is for supervisors, and 1 GiB above for users.
    for (index, rights) in [(2, 0xCF), (3, 0xDF)] as [(UInt64, UInt64)] {
      try engine.space.write(Self.base + Self.root + 8 * index, size: 8, Self.base >> 2 | rights)
    }
    let cpu = engine.vcpus[0]
    let guest = engine.guest
    guest.reset(cpu.state, number: 0, pc: Self.base)
    var values: [(String, UInt64)] = [
      ("pmpaddr0", (1 << 54) - 1), ("pmpcfg0", 0x1F), ("mtvec", Self.base + Self.machineHandler),
      ("stvec", Self.base + Self.supervisorHandler), ("satp", 8 << 60 | (Self.base + Self.root) >> 12),
      ("medeleg", random.once(in: 2) ? 0 : 0xB3FF), ("mideleg", random.once(in: 2) ? 0 : 0x222),
      ("s2", Self.base + 0xA000), ("s3", 0xC000_A000), ("mie", random.next() & 0xAAA), ("mcounteren", 7),
      ("mstatus", random.next() & 0xAA),
    ]
    for number in 0..<8 {
      let bits: [UInt64] = [2, 8, 0x20, 0x80, 0x100, 1 << 18, 1 << 19, 3 << 13, 3 << 11, 1 << 17, 0x222, 0x888]
      let some = bits.reduce(UInt64(0)) { random.once(in: 3) ? $0 | $1 : $0 }
      values.append(("a\(number)", random.once(in: 3) ? random.next() : some))
    }
    for (name, value) in values + [("priv", isMachine ? 3 : 1)] {
      guest.writeRegister(cpu.state, try #require(guest.registerFile.index(of: name)), value)
    }
    cpu.wasReset()
    cpu.state.pc = Self.base
    for line in [3, 7, 9, 11] where random.once(in: 2) { engine.setInterruptLine(cpu, line, true) }
  }
}

@Suite struct ModeChangeTests {
  /// All that a debugger sees, and the time.
  private func condition(_ engine: Engine) -> [UInt64] {
    let cpu = engine.vcpus[0]
    return engine.guest.registerFile.registers.indices.map { engine.guest.readRegister(cpu.state, $0) }
      + [cpu.state.pc, cpu.ticks, cpu.retired]
  }

  @Test(arguments: 1...40 as ClosedRange<UInt64>)
  func slicesEndAlike(seed: UInt64) throws {
    var expected: [[UInt64]] = []
    for setup in ModeSetup.allCases {
      var program = ModeProgram(seed: seed)
      let engine = try setup.engine(ModeProgram.base)
      try program.start(engine)
      for slice in 0..<60 {
        let outcome = engine.vcpus[0].run(until: UInt64(slice + 1) * 239)
        let found = condition(engine)
        if setup == .interpreter {
          expected.append(found)
        } else if found != expected[slice] {
          let names = engine.guest.registerFile.registers.map(\.name) + ["pc", "ticks", "retired"]
          let other = zip(names, zip(expected[slice], found)).filter { $1.0 != $1.1 }.map {
            "\($0) \(String($1.0, radix: 16)) \(String($1.1, radix: 16))"
          }
          Issue.record("seed \(seed), \(setup), slice \(slice), \(outcome): \(other.joined(separator: ", "))")
          break
        }
      }
    }
    // The programs are of some use: traps were taken.
    #expect(Set(expected.map { $0[20] }).count > 5 || expected.isEmpty)
  }

  /// Runs a loop until all of it is translated, then lets it run on.
  /// - Returns: how often code was entered meanwhile.
  private func entries(_ program: [UInt32], _ setup: ModeSetup, _ prepare: (Engine) throws -> Void = { _ in }) throws
    -> UInt64
  {
    let engine = try setup.engine(ModeProgram.base)
    let bytes = program.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    try engine.space.copyIn(bytes, at: ModeProgram.base)
    engine.guest.reset(engine.vcpus[0].state, number: 0, pc: ModeProgram.base)
    try prepare(engine)
    engine.vcpus[0].wasReset()
    #expect(engine.vcpus[0].run(until: 10_000) == .deadline)
    let before = engine.statistics.entries
    #expect(engine.vcpus[0].run(until: 60_000) == .deadline)
    #expect(engine.vcpus[0].retired > 40_000)
    return engine.statistics.entries - before
  }

  private static let compiled: [ModeSetup] = [.quick, .thorough, .adaptive]

  @Test(arguments: compiled)
  func criticalSectionsStayInTheCache(setup: ModeSetup) throws {
    let program = [
      ModeProgram.csr(7, 10, 0x300, 8), ModeProgram.csr(1, 0, 0x300, 10), ModeProgram.csr(6, 0, 0x300, 8),
      ModeProgram.csr(1, 11, 0x340, 12), Code.jal(0, -16),
    ]
    #expect(try entries(program, setup) <= 3)
  }

  @Test(arguments: compiled)
  func callsAndReturnsStayInTheCache(setup: ModeSetup) throws {
    // The handler is behind the loop.
    let program = [
      ModeProgram.ecall, Code.jal(0, -4), ModeProgram.csr(2, 5, 0x341, 0), Code.addi(5, 5, 4),
      ModeProgram.csr(1, 0, 0x341, 5), ModeProgram.mret,
    ]
    let found = try entries(program, setup) { engine in
      let file = engine.guest.registerFile
      let mtvec = try #require(file.index(of: "mtvec"))
      engine.guest.writeRegister(engine.vcpus[0].state, mtvec, ModeProgram.base + 8)
      let mstatus = try #require(file.index(of: "mstatus"))
      engine.guest.writeRegister(engine.vcpus[0].state, mstatus, 0x1800)
    }
    #expect(found <= 3)
  }

  /// What Linux does around an access to a user's memory: the translation flags change each time.
  @Test(arguments: compiled)
  func otherFlagsAreReachedWithinTheCache(setup: ModeSetup) throws {
    let program = [
      ModeProgram.csr(2, 0, 0x100, 10), Code.lw(11, 0, 19), ModeProgram.csr(3, 0, 0x100, 10), Code.jal(0, -12),
    ]
    let found = try entries(program, setup) { engine in
      var unused = ModeProgram(seed: 2)
      try unused.start(engine)
      let bytes = program.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
      try engine.space.copyIn(bytes, at: ModeProgram.base)
      for (name, value) in [("a0", 1 << 18), ("mie", 0), ("mstatus", 0), ("priv", 1)] as [(String, UInt64)] {
        let register = try #require(engine.guest.registerFile.index(of: name))
        engine.guest.writeRegister(engine.vcpus[0].state, register, value)
      }
    }
    #expect(found <= 3)
  }

  /// An interrupt that was held off comes right behind the instruction that lets it come.
  @Test(arguments: ModeSetup.allCases)
  func interruptsComeWhereTheyAreEnabled(setup: ModeSetup) throws {
    for enabling in [
      ModeProgram.csr(6, 0, 0x300, 8), ModeProgram.csr(2, 0, 0x300, 10), ModeProgram.csr(1, 0, 0x304, 11),
    ] {
      let engine = try setup.engine(ModeProgram.base)
      let isStatus = enabling >> 20 == 0x300
      let program = [Code.addi(5, 5, 1), enabling, Code.addi(6, 6, 1), Code.addi(6, 6, 1), Code.stop]
      let bytes = program.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
      try engine.space.copyIn(bytes, at: ModeProgram.base)
      try engine.space.copyIn([0x6F, 0, 0, 0], at: ModeProgram.base + 0x8000)
      let cpu = engine.vcpus[0]
      engine.guest.reset(cpu.state, number: 0, pc: ModeProgram.base)
      let values: [(String, UInt64)] = [
        ("mtvec", ModeProgram.base + 0x8000), ("a0", 8), ("a1", 0x80), ("mie", isStatus ? 0x80 : 0),
        ("mstatus", isStatus ? 0 : 8),
      ]
      for (name, value) in values {
        engine.guest.writeRegister(cpu.state, try #require(engine.guest.registerFile.index(of: name)), value)
      }
      cpu.wasReset()
      engine.setInterruptLine(cpu, 7, true)
      _ = cpu.run(until: 100)
      #expect(engine.guest.readRegister(cpu.state, 5) == 1 && engine.guest.readRegister(cpu.state, 6) == 0)
      let mepc = try #require(engine.guest.registerFile.index(of: "mepc"))
      #expect(engine.guest.readRegister(cpu.state, mepc) == ModeProgram.base + 8)
    }
  }
}
