// Parallel NOR flash with the Intel command set (0x0001), one bank per `reg` entry.
//
// Source: Intel StrataFlash (J3) data sheet, chapters 4 and A; JEDEC JESD68 (common flash interface). A bank is
// `bank-width` bytes wide and made of chips `device-width` bytes wide side by side (two x16 chips for a bank of 4). While a
// bank reads as an array the guest reads its memory directly. Operations take no time. Contents start as zeros.

import Bits
import Bus

public final class CFIFlash: Device {
  public static var compatible: [String] { ["cfi-flash"] }

  /// What reads of a bank show.
  enum View: UInt8, Codable, Sendable {
    case array, status, identifier, query
  }

  /// What the next write to a bank means.
  enum Expected: UInt8, Codable, Sendable {
    case command, eraseConfirm, word, bufferCount, bufferData, bufferConfirm, lock
  }

  struct Write: Codable, Sendable, Equatable {
    let offset: UInt64
    let size: Int
    let value: UInt64
  }

  struct Bank: Codable, Sendable, Equatable {
    var view = View.array
    var expected = Expected.command
    var status: UInt8 = Status.ready
    /// The write buffer, and how many bytes it still takes.
    var buffer: [Write] = []
    var bufferRoom = 0
  }

  public struct State: Codable, Sendable, Equatable {
    var banks: [Bank]
  }

  enum Status {
    static let ready: UInt8 = 0x80
    /// Both failure bits together: an improper command sequence.
    static let sequenceError: UInt8 = 0x30
  }

  public let context: DeviceContext
  public var state: State
  private let memories: [RAMRegion]
  private let geometry: [Geometry]
  private var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    let node = context.node
    try node.firstRegion()
    let bankWidth = Int(node.u32("bank-width") ?? 1)
    let deviceWidth = Int(node.u32("device-width") ?? UInt32(min(bankWidth, 2)))
    guard [1, 2, 4].contains(bankWidth), [1, 2, 4].contains(deviceWidth), deviceWidth <= bankWidth else {
      throw .badProperty(device: node.name, property: "bank-width", reason: "not 1, 2 or 4 bytes of chips no wider")
    }
    let sector = node.u64("martlet,sector-size") ?? 0x4_0000
    var memories: [RAMRegion] = []
    for (index, range) in node.regions.enumerated() {
      guard sector.nonzeroBitCount == 1, sector >= 4096, range.size.nonzeroBitCount == 1, range.size >= sector,
        range.size / sector <= 0x1_0000
      else {
        throw .badProperty(device: node.name, property: "reg", reason: "bank \(index) is no power of two of sectors")
      }
      do {
        memories.append(try RAMRegion(name: "\(node.name).\(index)", size: Int(range.size)))
      } catch {
        throw .memory(device: node.name, error)
      }
    }
    self.context = context
    self.memories = memories
    geometry = node.regions.map {
      Geometry(bankWidth: bankWidth, deviceWidth: deviceWidth, bankSize: $0.size, sectorSize: sector)
    }
    state = State(banks: memories.map { _ in Bank() })
  }

  public func memory(region: Int) -> RAMRegion? { memories.indices.contains(region) ? memories[region] : nil }

  public func eraseBlockSize(region: Int) -> UInt64? { geometry[region].sectorSize }

  // MARK: Reads

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    let bank = state.banks[region]
    if bank.view == .array { return memories[region].load(Int(offset), size: size) }
    var value: UInt64 = 0
    for byte in 0..<size {
      value |= UInt64(shown(bank, geometry[region], offset + UInt64(byte))) << UInt64(8 * byte)
    }
    return value
  }

  public func peek(region: Int, offset: UInt64, size: Int) -> UInt64? {
    read(region: region, offset: offset, size: size)
  }

  /// The byte at `offset` outside of array mode: chips answer in their low byte.
  private func shown(_ bank: Bank, _ geometry: Geometry, _ offset: UInt64) -> UInt8 {
    guard Int(offset) % geometry.deviceWidth == 0 else { return 0 }
    let address = Int(offset) / geometry.bankWidth & 0xff
    switch bank.view {
    case .array, .status: return bank.status
    case .identifier: return address == 0 ? 0x89 : address == 1 ? 0x18 : 0
    case .query: return address < geometry.query.count ? geometry.query[address] : 0
    }
  }

  // MARK: Writes

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    var bank = state.banks[region]
    let command = UInt8(truncatingIfNeeded: value)
    switch bank.expected {
    case .command: start(command, &bank)
    case .eraseConfirm:
      bank.expected = .command
      if command == 0xd0 { erase(region, offset) } else { bank.status |= Status.sequenceError }
    case .word:
      bank.expected = .command
      program(region, Write(offset: offset, size: size, value: value))
    case .bufferCount:
      let count = Int(value & 0xffff & .mask(8 * geometry[region].deviceWidth)) + 1
      bank.bufferRoom = count * geometry[region].bankWidth
      bank.expected = .bufferData
      if count * geometry[region].deviceWidth > 1 << Geometry.bufferExponent {
        bank.expected = .command
        bank.status |= Status.sequenceError
      }
    case .bufferData:
      bank.buffer.append(Write(offset: offset, size: size, value: value))
      bank.bufferRoom -= size
      if bank.bufferRoom <= 0 { bank.expected = .bufferConfirm }
    case .bufferConfirm:
      bank.expected = .command
      if command == 0xd0 {
        for write in bank.buffer { program(region, write) }
      } else {
        bank.status |= Status.sequenceError
      }
      bank.buffer = []
    case .lock:
      bank.expected = .command
      if ![0x01, 0xd0, 0x2f].contains(command) { bank.status |= Status.sequenceError }
      unimplemented.once("block locking is not implemented: every block stays unlocked", context)
    }
    state.banks[region] = bank
    showArray(region)
  }

  /// The first write of a command.
  private func start(_ command: UInt8, _ bank: inout Bank) {
    bank.view = .status
    switch command {
    case 0xff: bank.view = .array
    case 0x90: bank.view = .identifier
    case 0x98: bank.view = .query
    case 0x70: break
    case 0x50: bank.status = Status.ready
    case 0x20: bank.expected = .eraseConfirm
    case 0x10, 0x40: bank.expected = .word
    case 0xe8: bank.expected = .bufferCount
    case 0x60: bank.expected = .lock
    // Resume: nothing is ever suspended, operations being over at once.
    case 0xb0, 0xd0: break
    // The reset command of the other common command set, which drivers try while probing.
    case 0xf0: bank.view = .array
    default:
      bank.view = .array
      unimplemented.once("command \(command.hex0x(digits: 2)) is not implemented", context)
    }
  }

  /// Programming clears bits, never sets them.
  private func program(_ region: Int, _ write: Write) {
    let memory = memories[region]
    let position = Int(truncatingIfNeeded: write.offset)
    guard memory.contains(offset: position, count: write.size) else { return }
    let old = memory.load(position, size: write.size)
    memory.store(old & write.value, at: position, size: write.size)
    noteChange(region, write.offset, write.size)
  }

  private func erase(_ region: Int, _ offset: UInt64) {
    let size = geometry[region].sectorSize
    memories[region].fill(0xff, at: Int(offset & ~(size - 1)), count: Int(size))
    noteChange(region, offset & ~(size - 1), Int(size))
  }

  private func noteChange(_ region: Int, _ offset: UInt64, _ count: Int) {
    context.space.noteWrite(context.node.regions[region].base + offset, count)
  }

  /// Lets the guest read the memory itself exactly while the bank shows its array.
  private func showArray(_ region: Int) {
    context.space.setReadsDirectly(state.banks[region].view == .array, target: self, index: region)
  }

  // MARK: State

  public func reset(_ cause: ResetCause) {
    for region in memories.indices {
      state.banks[region] = Bank()
      showArray(region)
    }
  }

  public func restoreState(_ bytes: [UInt8]) throws(SnapshotError) {
    let restored = try decodeSnapshot(State.self, from: bytes)
    guard restored.banks.count == memories.count else { throw .malformed(type: "CFIFlash.State", offset: 0) }
    state = restored
    for region in memories.indices { showArray(region) }
  }
}
