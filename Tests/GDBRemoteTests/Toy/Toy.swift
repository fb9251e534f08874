// Owns the machine that the article "A target in an hour" of GDBRemote goes through.

import GDBRemote

/// A machine of 8 bits: an accumulator, a flag, and 256 bytes of memory for code and data. Each instruction is two bytes.
final class Toy: Target {
  enum Operation: UInt8 {
    case halt, load, add, store, jump, jumpIfNotZero
  }

  static let thread = ThreadID(thread: 1)

  var memory = [UInt8](repeating: 0, count: 256)
  var accumulator: UInt8 = 0
  var isZero = false
  var counter: UInt8 = 0
  /// What the client wants of it; nil while it is halted.
  var action: ResumePlan.Action?
  var haltReason: StopReason? = .stopped(Stop(thread: thread))
  var breakpoints: Set<UInt64> = []
  weak var session: Session?

  let threads = [thread]

  // MARK: Registers

  func readRegister(_ number: Int, of thread: ThreadID) throws(TargetError) -> RegisterValue {
    switch number {
    case 0..<32: .unavailable(byteCount: 4)
    case 32: .bytes([counter, 0, 0, 0])
    case 33: .bytes([accumulator])
    case 34: .bytes([isZero ? 1 : 0])
    default: throw .invalid("no such register")
    }
  }

  func writeRegister(_ number: Int, _ bytes: [UInt8], of thread: ThreadID) throws(TargetError) {
    guard let value = bytes.first else { throw .invalid("a register has a byte at least") }
    switch number {
    case 32: counter = value
    case 33: accumulator = value
    case 34: isZero = value != 0
    default: throw .invalid("no such register")
    }
  }

  func readRegisters(of thread: ThreadID) throws(TargetError) -> [RegisterValue] {
    var values: [RegisterValue] = []
    for number in 0..<35 { values.append(try readRegister(number, of: thread)) }
    return values
  }

  func writeRegisters(_ bytes: [UInt8], of thread: ThreadID) throws(TargetError) {
    throw .unsupported("registers are written one by one")
  }

  // MARK: Memory

  func readMemory(at address: UInt64, count: Int, thread: ThreadID) throws(TargetError) -> [UInt8] {
    guard address < 256 else { throw .badAddress(address) }
    return Array(memory[Int(address)...].prefix(count))
  }

  func writeMemory(_ bytes: [UInt8], at address: UInt64, thread: ThreadID) throws(TargetError) {
    guard address < 256, bytes.count <= 256 - Int(address) else { throw .badAddress(address) }
    memory.replaceSubrange(Int(address)..<Int(address) + bytes.count, with: bytes)
  }
}

extension Toy: Resumable {
  func resume(_ plan: ResumePlan) throws(TargetError) {
    if let address = plan.startAddress { counter = UInt8(truncatingIfNeeded: address) }
    action = plan.entry(for: Self.thread)?.action
    haltReason = nil
  }

  func interrupt() {
    if action != nil { halt(.stopped(Stop(thread: Self.thread, signal: .interrupt))) }
  }

  func detach() {
    breakpoints = []
    (action, haltReason) = (.continue, nil)
  }

  private func halt(_ reason: StopReason) {
    (action, haltReason) = (nil, reason)
    session?.stopped(reason)
  }

  /// Executes some instructions, unless it is halted.
  func work() {
    for _ in 0..<1000 {
      guard let action else { return }
      if executeOne() { return halt(.exited(accumulator)) }
      if breakpoints.contains(UInt64(counter)) {
        halt(.stopped(Stop(thread: Self.thread, cause: .softwareBreakpoint)))
      } else if action != .continue {
        halt(.stopped(Stop(thread: Self.thread)))
      }
    }
  }

  /// Returns whether that was the end.
  private func executeOne() -> Bool {
    let operand = memory[Int(counter &+ 1)]
    let operation = Operation(rawValue: memory[Int(counter)]) ?? .halt
    if operation == .halt { return true }
    counter &+= 2
    switch operation {
    case .halt: break
    case .load: accumulator = operand
    case .add:
      accumulator &+= operand
      isZero = accumulator == 0
    case .store: memory[Int(operand)] = accumulator
    case .jump: counter = operand
    case .jumpIfNotZero: if !isZero { counter = operand }
    }
    return false
  }
}

extension Toy: BreakpointTarget {
  func insert(_ breakpoint: Breakpoint) throws(TargetError) {
    guard breakpoint.kind.isForCode else { throw .unsupported("no watchpoints") }
    breakpoints.insert(breakpoint.address)
  }

  func remove(_ breakpoint: Breakpoint) throws(TargetError) { breakpoints.remove(breakpoint.address) }
}

extension Toy: TargetDescription {
  func targetDescription(_ annex: String) -> String? {
    guard annex == "target.xml" else { return nil }
    let unused = (0..<32).map { "<reg name=\"x\($0)\" bitsize=\"32\" regnum=\"\($0)\"/>" }.joined()
    return """
      <?xml version="1.0"?>
      <!DOCTYPE target SYSTEM "gdb-target.dtd">
      <target version="1.0">
      <architecture>riscv:rv32</architecture>
      <osabi>none</osabi>
      <feature name="org.gnu.gdb.riscv.cpu">\(unused)
      <reg name="pc" bitsize="32" regnum="32" type="code_ptr"/></feature>
      <feature name="martlet.toy">
      <reg name="a" bitsize="8" regnum="33" type="uint8" group="general"/>
      <reg name="z" bitsize="8" regnum="34" type="uint8" group="general"/>
      </feature>
      </target>
      """
  }
}
