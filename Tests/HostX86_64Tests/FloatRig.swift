// A little machine for floating-point blocks: a state block with registers, flags and rounding mode, and helpers.

import HostKit
import HostX86_64
import IR

/// Registers 0–15 are f64, of which the host pins twelve; 16–19 are i64, two of them pinned.
@safe
final class FloatRig {
  static let pinned = [2, 0, 5, 7, 1, 3, 4, 6, 8, 9, 10, 11]
  static let unpinned = [12, 13, 14, 15]
  static let integers = [16, 17, 18, 19]
  static let environment = FloatEnvironment(
    flags: StateOffset.registers + 30 * 8, rounding: StateOffset.registers + 31 * 8)

  let host: X86_64Host
  let cpu: VCPUState
  /// What the reference computes in.
  let expected: VCPUState

  /// A third in the rounding mode at hand, and what the flags say: a helper that works in floating point itself.
  static let third: HelperFunction = { state, a, _, _, _ in
    let divisor = Double(bitPattern: a)
    let flags = unsafe VCPUState(state).load(environment.flags, as: UInt8.self)
    return (1 / divisor).bitPattern &+ UInt64(flags)
  }
  /// Overwrites f64 register `a` with `b`.
  static let overwrite: HelperFunction = { state, a, b, _, _ in
    unsafe VCPUState(state).store(b, at: StateOffset.registers + Int(a) * 8)
    return 0
  }
  /// Clears the flags and returns what they were.
  static let clear: HelperFunction = { state, _, _, _, _ in
    let cpu = unsafe VCPUState(state)
    let flags: UInt8 = cpu.load(environment.flags)
    cpu.store(UInt8(0), at: environment.flags)
    return UInt64(flags)
  }
  static let helpers = unsafe [
    Helper("third", .keep, third), Helper("overwrite", [.readsRegisters, .writesRegisters], overwrite),
    Helper("clear", .keep, clear),
  ]

  /// An access to it ends in an exception.
  static let faultingAddress: UInt64 = 128

  private static let noMemory: SlowAccessFunction = { state, address, value, _, _ in
    // The host computes here too, inexactly.
    let cpu = unsafe VCPUState(state)
    cpu.accessOutcome = address == faultingAddress ? .left : .completed
    if address == faultingAddress { cpu.exitReason = .exception }
    cpu.exceptionValue = (1 / Double(value | 3)).bitPattern
    return 0x3FD5_5555_5555_5555
  }

  init(hasFMA: Bool = true) throws {
    let slots = (0..<32).map {
      RegisterSlot(offset: StateOffset.registers + $0 * 8, type: $0 < 16 ? .f64 : .i64)
    }
    host = try unsafe X86_64Host(
      HostConfiguration(
        registers: slots, pinOrder: [17, 19] + Self.pinned, helpers: Self.helpers, slowAccess: Self.noMemory,
        floatEnvironment: Self.environment, codeCacheSize: 4 << 20), hasFMA: hasFMA)
    cpu = .allocate(size: 1024)
    expected = .allocate(size: 1024)
  }

  deinit {
    cpu.deallocate()
    expected.deallocate()
  }

  subscript(register: Int) -> UInt64 {
    get { cpu.load(StateOffset.registers + register * 8) }
    set { cpu.store(newValue, at: StateOffset.registers + register * 8) }
  }

  var flags: UInt8 {
    get { cpu.load(Self.environment.flags) }
    set { cpu.store(newValue, at: Self.environment.flags) }
  }
  var rounding: UInt8 {
    get { cpu.load(Self.environment.rounding) }
    set { cpu.store(newValue, at: Self.environment.rounding) }
  }

  func compile(_ build: (inout Builder) -> Void) throws -> CodeAddress {
    if host.codeBytesUsed > 3 << 20 { host.reset() }
    var builder = Builder(pc: 0x1000)
    builder.instruction(pc: 0x1000, length: 4)
    build(&builder)
    builder.exit(with: .step, pc: 0x1004)
    return try host.compile(builder.block, dataPath: .slow).block.entry
  }

  func run(_ entry: CodeAddress) {
    cpu.budget = 1000
    host.run(entry, cpu)
  }
}
