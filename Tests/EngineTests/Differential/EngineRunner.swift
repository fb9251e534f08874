// Owns the running of batches in the engine: in user mode, on one host, with or without passes and paging.

import Bus
import Engine
import GuestKit
import GuestRISCV
import HostInterpreter
import HostKit
import HostX86_64
import IR

/// How the engine is set up for a run.
struct EngineSetup: Sendable, CustomStringConvertible {
  var isJIT: Bool
  var hasPasses: Bool
  /// Data goes through the inline TLB (page tables are on), not through the memory window.
  var isPaged: Bool
  /// The interpreter runs code at first.
  var startsInterpreted = false

  /// What all others are compared with.
  static let reference = EngineSetup(isJIT: false, hasPasses: false, isPaged: false)
  static let others = [
    EngineSetup(isJIT: false, hasPasses: true, isPaged: true),
    EngineSetup(isJIT: true, hasPasses: false, isPaged: false),
    EngineSetup(isJIT: true, hasPasses: true, isPaged: false),
    EngineSetup(isJIT: true, hasPasses: false, isPaged: true),
    EngineSetup(isJIT: true, hasPasses: true, isPaged: true),
    EngineSetup(isJIT: true, hasPasses: false, isPaged: false, startsInterpreted: true),
    EngineSetup(isJIT: true, hasPasses: false, isPaged: true, startsInterpreted: true),
  ]

  var description: String {
    (startsInterpreted ? "interpreter, then " : "") + (isJIT ? "x86_64" : "interpreter")
      + (hasPasses ? ", passes" : ", no passes") + (isPaged ? ", tlb" : ", window")
  }
}

/// An engine with one hart that runs cases.
final class EngineRunner {
  let setup: EngineSetup
  let guest: RISCVGuest
  let engine: Engine
  private let space: AddressSpace
  let scratch: RAMRegion
  let cpu: VCPU
  private let registers: [GuestRegister]
  private let mstatus: Int
  private let results: [Int]
  private let fcsr: Int
  private let priv: Int

  init(_ guest: RISCVGuest, _ setup: EngineSetup) throws {
    self.setup = setup
    self.guest = guest
    space = AddressSpace()
    scratch = try RAMRegion(name: "scratch", size: 0x2000)
    let code = try RAMRegion(name: "code", size: 8 << 20)
    let tables = try RAMRegion(name: "tables", size: 0x20000)
    try space.map("code", at: Place.code, size: UInt64(code.size), .ram(code, offset: 0))
    try space.map("scratch", at: Place.scratch & ~0xFFF, size: 0x2000, .ram(scratch, offset: 0))
    try space.map("tables", at: Place.tables, size: UInt64(tables.size), .ram(tables, offset: 0))
    var options = EngineOptions()
    options.tiers = setup.startsInterpreted ? .adaptive : setup.hasPasses ? .thorough : .quick
    let (clock, events) = (VirtualClock(), EventQueue())
    engine =
      setup.isJIT
      ? try Engine(
        guest: guest, host: X86_64Host.self, interpreter: setup.startsInterpreted ? Interpreter.self : nil,
        space: space,
        clock: clock, events: events, vcpuCount: 1,
        options: options)
      : try Engine(
        guest: guest, host: InterpreterHost.self, space: space, clock: clock, events: events, vcpuCount: 1,
        options: options)
    cpu = engine.vcpus[0]
    registers = guest.registerFile.registers
    func number(_ name: String) throws -> Int {
      guard let index = guest.registerFile.index(of: name) else { throw RunnerError("no register \(name)") }
      return index
    }
    mstatus = try number("mstatus")
    fcsr = try number("fcsr")
    priv = try number("priv")
    results = try ["mstatus", "mcause", "mepc", "mtval"].map(number)
    guest.reset(cpu.state, number: 0, pc: Place.code)
    func set(_ name: String, _ value: UInt64) throws { guest.writeRegister(cpu.state, try number(name), value) }
    try set("pmpaddr0", guest.xlen == 64 ? (1 << 54) - 1 : 0xFFFF_FFFF)
    try set("pmpcfg0", 0x1F)
    try set("mtvec", Place.handler)
    try set("mcounteren", 7)
    try set("scounteren", 7)
    if setup.isPaged { try turnPagingOn(set) }
    engine.insertBreakpoint(Place.handler)
    cpu.wasReset()
  }

  /// Cases are over by then, in ticks.
  static let deadline: UInt64 = 1_100_000

  /// Identity mappings for user mode, by one table of gigapages (Sv39) or 4 MiB pages (Sv32) of which the scratch
  /// memory has pages of its own.
  private func turnPagingOn(_ set: (String, UInt64) throws -> Void) throws {
    let (wide, root) = (guest.xlen == 64, Place.tables)
    let size = wide ? 8 : 4
    let (shift, indexBits) = wide ? (UInt64(30), UInt64(9)) : (22, 10)
    let leaf: UInt64 = 0xDF
    func entry(_ table: UInt64, _ index: UInt64, _ address: UInt64, _ flags: UInt64) throws {
      try space.write(table + index * UInt64(size), size: size, (address >> 12) << 10 | flags)
    }
    // Code, 2 or 4 MiB at a time.
    let large: UInt64 = wide ? 21 : 22
    var directory = root
    if wide {
      directory = root + 0x1000
      try entry(root, Place.code >> shift, directory, 1)
    }
    for offset in stride(from: UInt64(0), to: 8 << 20, by: 1 << large) {
      let address = Place.code + offset
      try entry(directory, address >> large & ((1 << indexBits) - 1), address, leaf)
    }
    let pages = root + 0x2000
    try entry(directory, Place.scratch >> large & ((1 << indexBits) - 1), pages, 1)
    for page in 0..<UInt64(2) {
      let address = (Place.scratch & ~0xFFF) + (page << 12)
      try entry(pages, address >> 12 & ((1 << indexBits) - 1), address, leaf)
    }
    try set("satp", (wide ? 8 << 60 : 1 << 31) | root >> 12)
  }

  /// Runs every case of a batch.
  func run(_ batch: Batch) throws -> [Outcome] {
    try load(batch)
    return zip(batch.cases, batch.spans).map { run($0, at: $1.lowerBound, memory: batch.memory) }
  }

  /// Puts the code of a batch into memory.
  func load(_ batch: Batch) throws {
    try space.copyIn(batch.image, at: Place.code)
    engine.flush()
  }

  /// Runs a case that starts at `pc`.
  /// - Parameter body: runs the engine until the case is over.
  func run(
    _ one: RandomCase, at pc: UInt64, memory: [UInt8],
    _ body: (Engine, VCPU) -> RunOutcome = { $1.run(until: EngineRunner.deadline) }
  ) -> Outcome {
    let state = cpu.state
    let offset = Int(Place.scratch & 0xFFF)
    scratch.write(memory, at: offset)
    for number in 1..<32 { state.store(one.x[number], at: registers[RISCVRegisters.x(number)].offset) }
    for number in 0..<32 { state.store(one.f[number], at: registers[RISCVRegisters.f(number)].offset) }
    guest.writeRegister(state, mstatus, one.floatState << 13)
    guest.writeRegister(state, fcsr, one.fcsr)
    guest.writeRegister(state, mstatus, one.floatState << 13)
    guest.writeRegister(state, priv, 0)
    state.pc = pc
    var progress = cpu.progress
    // The same time for every setup, whatever ran before.
    progress.ticks = 1_000_000
    progress.retired = 1_000_000
    progress.mayInterrupt = true
    cpu.progress = progress
    cpu.reservation = nil
    let outcome = body(engine, cpu)
    var words = (0..<32).map { guest.readRegister(state, RISCVRegisters.x($0)) }
    words += (0..<32).map { state.load(registers[RISCVRegisters.f($0)].offset, as: UInt64.self) }
    words += [guest.readRegister(state, fcsr), UserProgram.signal(cause: guest.readRegister(state, results[1]))]
    words += wordsOf(scratch.bytes(at: offset, count: Place.scratchSize))
    words += [outcome == .breakpoint ? 0 : 1, cpu.retired - 1_000_000, cpu.ticks - 1_000_000, state.pc]
    words += results.map { guest.readRegister(state, $0) }
    // What is a page fault with paging is an access fault without.
    let cause = Outcome.userCount + 5
    words[cause] = [12: 1, 13: 5, 15: 7][words[cause]] ?? words[cause]
    return Outcome(words: words)
  }
}

struct RunnerError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
