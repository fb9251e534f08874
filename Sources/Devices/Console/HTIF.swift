// The host-target interface of the Spike simulator: console and exit through two 64-bit words.
//
// Source: riscv-isa-sim, fesvr. The words `fromhost` and `tohost` are in the `reg` of the node: two entries in this
// order, or one entry with `tohost` at offset 8. They may lie over RAM, where an ELF file has its symbols of these names;
// without either the device is there and nobody can reach it.
// Implemented: exit, console read and write, and of the proxied system calls `write` and `exit`.

import Bits
import Bus

public final class HTIF: CharacterDevice, RegisterDevice {
  public static var compatible: [String] { ["ucb,htif0"] }

  public struct State: Codable, Sendable, Equatable {
    var toHost: UInt64 = 0
    var fromHost: UInt64 = 0
    /// Answers that wait until the guest has taken the one in `fromHost`.
    var answers: [UInt64] = []
    /// Characters from the host that wait for the guest to ask.
    var input = ByteQueue()
    /// How many characters the guest has asked for and not got.
    var wanted = 0
  }

  public let context: DeviceContext
  public var state = State()
  private let tables: [RegisterTable<HTIF>]
  /// The region and the offset of `tohost`.
  private let toHost: (region: Int, offset: UInt64)
  public var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    self.context = context
    let isSplit = context.node.regions.count > 1
    toHost = isSplit ? (1, 0) : (0, 8)
    let words = [
      Register("fromhost", 0, width: 8).inParts(
        read: { device, _ in device.state.fromHost }, write: { device, value, _ in device.answer(value) }),
      Register("tohost", toHost.offset, width: 8).inParts(
        read: { device, _ in device.state.toHost }, write: { device, value, _ in device.state.toHost = value }),
    ]
    tables = isSplit ? words.map { [$0] } : [RegisterTable(words)]
  }

  public var table: RegisterTable<HTIF> { tables[0] }
  public var registers: [RegisterMap] { tables.map(\.map) }

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    guard region < tables.count else {
      unimplemented.unknown(offset: offset, isWrite: false, of: context)
      return 0
    }
    return tables[region].read(self, offset, size: size)
  }

  public func peek(region: Int, offset: UInt64, size: Int) -> UInt64? {
    region < tables.count ? tables[region].peek(self, offset, size: size) : nil
  }

  /// A command runs when the low half of `tohost` is written: 32-bit guests write the halves one by one and use
  /// device 0 only.
  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    guard region < tables.count else {
      return unimplemented.unknown(offset: offset, isWrite: true, of: context)
    }
    tables[region].write(self, offset, size: size, value)
    if region == toHost.region, offset &- toHost.offset < 4, state.toHost != 0 { run() }
  }

  private func answer(_ value: UInt64) {
    state.fromHost = value
    deliver()
  }

  public func receive(_ bytes: [UInt8]) {
    state.input += bytes
    answerReads()
  }

  public func reset(_ cause: ResetCause) { state = State() }

  // MARK: Commands

  /// Bits 63–56 of `tohost` name the device, 55–48 the command, the rest is its payload.
  private func run() {
    let command = state.toHost
    state.toHost = 0
    let payload = command.bits(0..<48)
    switch (command >> 56, command.bits(48..<56)) {
    case (0, 0) where payload & 1 != 0:
      context.control.powerOff(exitCode: Int32(truncatingIfNeeded: payload >> 1))
    case (0, 0): systemCall(block: payload)
    case (1, 0):
      state.wanted += 1
      answerReads()
    case (1, 1): context.characters?.write([UInt8(truncatingIfNeeded: payload)])
    case (let device, let command):
      unimplemented.once("device \(device) command \(command) is not implemented", context)
    }
  }

  /// A proxied system call: eight 64-bit words in memory hold its number, its arguments, and then its result.
  private func systemCall(block: UInt64) {
    var words: [UInt64] = []
    for index in 0..<4 {
      guard let word = context.readMemory(block &+ UInt64(8 * index), size: 8) else {
        return context.log(.guestError, "system call block at \(block.hex0x()) is not in memory")
      }
      words.append(word)
    }
    var result: UInt64 = 0
    switch words[0] {
    case 64 where words[1] == 1 || words[1] == 2:
      guard words[3] <= 1 << 20, let bytes = try? context.space.copyOut(at: words[2], count: Int(words[3])) else {
        context.log(.guestError, "system call 'write' of \(words[3]) bytes at \(words[2].hex0x())")
        result = UInt64(bitPattern: -14)
        break
      }
      context.characters?.write(bytes)
      result = words[3]
    case 93: context.control.powerOff(exitCode: Int32(truncatingIfNeeded: words[1]))
    default:
      unimplemented.once("system call \(words[0]) is not implemented", context)
      result = UInt64(bitPattern: -38)
    }
    if !context.writeMemory(block, size: 8, result) {
      context.log(.guestError, "system call block at \(block.hex0x()) is not in RAM")
    }
    state.answers.append(1)
    deliver()
  }

  private func answerReads() {
    while state.wanted > 0, let byte = state.input.popFirst() {
      state.wanted -= 1
      state.answers.append(1 << 56 | 0x100 | UInt64(byte))
    }
    deliver()
  }

  /// Shows the guest the next answer once it has cleared the last.
  private func deliver() {
    guard state.fromHost == 0, !state.answers.isEmpty else { return }
    state.fromHost = state.answers.removeFirst()
  }
}
