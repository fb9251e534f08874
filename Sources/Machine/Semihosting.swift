// Owns the services a guest asks of the host by semihosting.
//
// Source: Arm, "Semihosting for AArch32 and AArch64" (2023Q3), chapters "Semihosting operations" and "Extensions", which
// "RISC-V Semihosting" (1.0) takes over.

import Bus
import Engine
import GuestKit

/// What was typed for calls that read the console.
struct SemihostingConsole: Codable, Sendable {
  var input = ByteQueue()
  var hasEnded = false
  /// The guest has read the console by a call: what is typed is for its calls alone.
  var isRead = false
}

/// The host's side of the console that a guest has by semihosting.
public struct HostConsole {
  public var output: any CharacterBackend
  /// The path to which input for it is injected: that of a character device which shares it, or ``ownPath``.
  public var path: String

  /// For input that goes to no device.
  public static let ownPath = "/semihosting"

  public init(output: any CharacterBackend, path: String = Self.ownPath) {
    self.output = output
    self.path = path
  }
}

/// The host's side of semihosting for one machine: open files, the last error, the console.
final class Semihosting {
  enum Outcome: Equatable {
    case goOn
    case exit(Int32)
    /// The guest reads the console, and nothing has been typed: the call is to be made again when there is.
    case waitForInput
  }

  /// What a service gives back: a value for the result register, or the end of the guest.
  enum Reply: Equatable {
    case value(Int64)
    case exit(Int32)
    /// −1, and this number as the last error.
    case error(Int32)
    /// So many bytes that were not transferred, and this number as the last error.
    case untransferred(UInt64, Int32)
    case waitForInput

    /// How many of `count` bytes are left: a word of the guest's, up to its largest.
    static func rest(of count: UInt64, after done: UInt64) -> Reply {
      .value(Int64(truncatingIfNeeded: count - min(done, count)))
    }
  }

  /// Nanoseconds: virtual time itself.
  static let tickFrequency: Int64 = 1_000_000_000

  /// Virtual time 0 as seconds since 1970, the real-time clock's default: 2026-01-01 00:00 UTC.
  static let epoch: Int64 = 1_767_225_600

  let arguments: String
  /// Nil for a guest without one.
  let convention: SemihostingConvention?
  var files: SemihostingFiles
  var lastError: Int32 = 0
  var console = SemihostingConsole()

  init(_ configuration: MachineConfiguration, _ guest: any Guest) {
    convention = guest.semihostingConvention
    arguments = configuration.semihostingArguments.joined(separator: " ")
    files = SemihostingFiles(root: configuration.semihostingRoot)
  }

  /// Serves the call the vCPU stands at, and moves its PC behind it. A tick of time passes, or ``clockTicks``.
  func call(_ vcpu: VCPU, machine: Machine) -> Outcome {
    guard let convention else { return .exit(1) }
    let memory = SemihostingMemory(vcpu, machine)
    let number = machine.guest.readRegister(vcpu.state, convention.operation)
    let parameter = machine.guest.readRegister(vcpu.state, convention.parameter) & memory.addressMask
    let reply = serve(Int64(number & 0xFFFF_FFFF), parameter, memory)
    let value: Int64
    switch reply {
    case .value(let result): value = result
    case .untransferred(let count, let error): (value, lastError) = (Int64(truncatingIfNeeded: count), error)
    case .error(let error): (value, lastError) = (-1, error)
    case .exit(let code): return .exit(code)
    case .waitForInput: return .waitForInput
    }
    finish(vcpu, value, machine: machine)
    if Self.clocks.contains(number & 0xFFFF_FFFF) {
      vcpu.idle(until: vcpu.ticks &+ Self.clockTicks)
    }
    return .goOn
  }

  /// Operations that tell the time, and the ticks that each takes: guests that wait make them over and over (`sleep` of
  /// newlib), and no debug probe is as quick as an instruction.
  private static let clocks: Set<UInt64> = [0x10, 0x11, 0x30]
  private static let clockTicks: UInt64 = 100

  /// Gives the guest its result, and lets it go on behind the calling instruction.
  func finish(_ vcpu: VCPU, _ value: Int64, machine: Machine) {
    guard let convention else { return }
    let mask: UInt64 = machine.guest.addressBits == 64 ? .max : 0xFFFF_FFFF
    machine.guest.writeRegister(vcpu.state, convention.operation, UInt64(bitPattern: value) & mask)
    vcpu.state.pc &+= convention.instructionSize
    vcpu.idle(until: vcpu.ticks &+ 1)
  }

  private func serve(_ operation: Int64, _ parameter: UInt64, _ memory: SemihostingMemory) -> Reply {
    let block = SemihostingBlock(memory: memory, address: parameter)
    do throws(SemihostingFault) {
      switch operation {
      case 0x01: return try open(block)
      case 0x02: return files.close(try block[0])
      case 0x03:
        memory.writeConsole(try memory.read(parameter, 1))
        return .value(0)
      case 0x04:
        memory.writeConsole(try memory.string(parameter))
        return .value(0)
      case 0x05: return try files.write(block[0], from: block[1], count: block[2], memory)
      case 0x06:
        guard files.isConsoleInput(try block[0]) else {
          return try files.read(block[0], to: block[1], count: block[2], memory)
        }
        return try readConsole(to: block[1], count: block[2], memory)
      case 0x07:
        guard let byte = typed(1).first else { return console.hasEnded ? .value(-1) : .waitForInput }
        return .value(Int64(byte))
      case 0x08: return .value(memory.signed(try block[0]) < 0 ? 1 : 0)
      case 0x09: return files.isTerminal(try block[0])
      case 0x0A: return try files.seek(block[0], to: block[1])
      case 0x0C: return files.length(try block[0])
      case 0x0D: return try temporaryName(block)
      case 0x0E: return files.remove(try block.string(0, length: 1))
      case 0x0F: return files.rename(try block.string(0, length: 1), to: try block.string(2, length: 3))
      case 0x10: return .value(Int64(clamping: memory.now / 10_000_000))
      case 0x11: return .value(Self.epoch + Int64(clamping: memory.now / 1_000_000_000))
      case 0x12:
        memory.noteMissing("running a command on the host (SYS_SYSTEM): refused")
        return .error(SemihostingFiles.notPermitted)
      case 0x13: return .value(Int64(lastError))
      case 0x15: return try commandLine(block)
      case 0x16: return try heapInformation(block)
      case 0x18:
        return .exit(memory.wordSize == 4 ? Self.exitCode(parameter, 0) : Self.exitCode(try block[0], try block[1]))
      case 0x20: return .exit(Self.exitCode(try block[0], try block[1]))
      case 0x30:
        try memory.write(memory.order.bytes(memory.now, count: 8), parameter)
        return .value(0)
      case 0x31: return .value(Self.tickFrequency)
      default:
        memory.noteMissing("operation 0x\(String(operation, radix: 16))")
        return .error(SemihostingFiles.noSuchFunction)
      }
    } catch {
      return .error(SemihostingFiles.badAddress)
    }
  }

  /// What a guest may have been sent before it reads the console here for the first time.
  private static let mostEarlyInput = 4096

  /// Takes what was typed; nothing is the end of the input. Returns whether it is for the guest's calls alone: until the
  /// first of them, a serial device gets it too.
  func type(_ bytes: [UInt8]) -> Bool {
    console.hasEnded = bytes.isEmpty
    console.input += bytes
    if !console.isRead, console.input.count > Self.mostEarlyInput {
      _ = console.input.take(console.input.count - Self.mostEarlyInput)
    }
    return console.isRead
  }

  /// Takes up to so many characters; from now on the console's are for the guest's calls.
  private func typed(_ count: Int) -> [UInt8] {
    console.isRead = true
    return console.input.take(count)
  }

  /// - Returns: how many bytes were not read: what is there is given at once.
  private func readConsole(
    to address: UInt64, count: UInt64, _ memory: SemihostingMemory
  ) throws(SemihostingFault) -> Reply {
    guard count > 0 else { return .value(0) }
    let bytes = typed(Int(clamping: count))
    guard !bytes.isEmpty else { return console.hasEnded ? .rest(of: count, after: 0) : .waitForInput }
    try memory.write(bytes, address)
    return .rest(of: count, after: UInt64(bytes.count))
  }

  /// `ADP_Stopped_ApplicationExit` ends with the guest's own code; every other reason is a failure.
  private static func exitCode(_ reason: UInt64, _ code: UInt64) -> Int32 {
    reason & 0xFFFF_FFFF == 0x20026 ? Int32(truncatingIfNeeded: code) : 1
  }

  private func open(_ block: SemihostingBlock) throws(SemihostingFault) -> Reply {
    files.open(try block.string(0, length: 2), mode: try block[1])
  }

  private func temporaryName(_ block: SemihostingBlock) throws(SemihostingFault) -> Reply {
    let name = Array("tmp\(try block[1] & 0xFF)".utf8) + [0]
    guard try block[2] >= UInt64(name.count) else { return .error(SemihostingFiles.badArgument) }
    try block.memory.write(name, try block[0])
    return .value(0)
  }

  private func commandLine(_ block: SemihostingBlock) throws(SemihostingFault) -> Reply {
    let text = Array(arguments.utf8) + [0]
    guard try block[1] >= UInt64(text.count) else { return .error(SemihostingFiles.badArgument) }
    try block.memory.write(text, try block[0])
    try block.set(1, UInt64(text.count - 1))
    return .value(0)
  }

  private func heapInformation(_ block: SemihostingBlock) throws(SemihostingFault) -> Reply {
    let gap = block.memory.largestGap()
    let answer = SemihostingBlock(memory: block.memory, address: try block[0])
    for (index, value) in [gap.lowerBound, gap.upperBound, gap.upperBound, gap.lowerBound].enumerated() {
      try answer.set(index, value)
    }
    return .value(0)
  }
}
