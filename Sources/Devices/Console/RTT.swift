// SEGGER's Real Time Transfer: a console in the guest's memory, found by its control block and looked at a thousand times
// a second of virtual time.
//
// Source: SEGGER knowledge base, "RTT": the control block is the text `SEGGER RTT`, padded to 16 bytes, the numbers of
// up- and down-buffers, then their descriptors: name, buffer, size, write offset, read offset, flags. Channel 0 is the
// console. A board has it by a node `martlet,segger-rtt`; `martlet,address` says where the control block is, or else all
// RAM is searched, `martlet,pointer-size` whether pointers have 4 bytes or 8.
//
// What looks like a control block need not be one: the image that `.data` is copied from has its copy, and memory may keep
// that of a program loaded before. So all are watched, and input goes to the one that has last sent something.

import Bits
import Bus

public final class RTT: CharacterDevice {
  public static var compatible: [String] { ["martlet,segger-rtt"] }

  public struct State: Codable, Sendable, Equatable {
    /// Where control blocks are thought to be, in ascending order.
    var blocks: [UInt64] = []
    /// The one that has last sent characters.
    var active: UInt64?
    /// Where the search goes on.
    var next: UInt64 = 0
    /// All memory was searched.
    var hasSearched = false
    /// Looks so far.
    var looks: UInt64 = 0
    /// Characters from the host that found no room yet.
    var input = ByteQueue()
  }

  /// A ring of characters in the guest's memory.
  private struct Ring {
    var buffer: UInt64
    var size: UInt64
    var write: UInt64
    var read: UInt64
    /// Where its write and read offsets stand.
    var writePlace: UInt64
    var readPlace: UInt64
  }

  /// Nanoseconds between looks.
  static let period: UInt64 = 1_000_000
  /// Bytes of memory searched in one look.
  static let stretch = 1 << 18
  private static let mark = Array("SEGGER RTT".utf8)
  private static let largestBuffer: UInt64 = 1 << 24
  private static let mostBlocks = 16

  public let context: DeviceContext
  public var state = State()
  private let pointerSize: Int
  private let address: UInt64?

  public init(context: DeviceContext) throws(DeviceError) {
    self.context = context
    pointerSize = Int(context.node.u32("martlet,pointer-size") ?? 4)
    guard pointerSize == 4 || pointerSize == 8 else {
      throw .badProperty(device: context.node.name, property: "martlet,pointer-size", reason: "neither 4 nor 8")
    }
    address = context.node.u64("martlet,address")
    context.schedule(at: Self.period, token: 0)
  }

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 { 0 }
  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {}

  public func receive(_ bytes: [UInt8]) { state.input += bytes }

  public func event(_ token: UInt64) {
    poll()
    context.schedule(at: context.clock.now + Self.period, token: 0)
  }

  public func drain() { poll() }

  public func reset(_ cause: ResetCause) {
    state = State()
    context.schedule(at: context.clock.now + Self.period, token: 0)
  }

  // MARK: Transfers

  private func poll() {
    state.blocks.removeAll { !isBlock(at: $0) }
    if let active = state.active, !state.blocks.contains(active) { state.active = nil }
    // Once one is known, others are looked for more slowly.
    if address != nil || state.blocks.isEmpty || !state.hasSearched || state.looks % 16 == 0 { search() }
    state.looks &+= 1
    for block in state.blocks {
      if let up = ring(block, number: 0), take(up) { state.active = block }
    }
    guard !state.input.isEmpty, let block = state.active ?? likeliest, let first = word(block + 16, 4),
      let down = ring(block, number: first)
    else { return }
    give(down)
  }

  /// The control block to believe in while none has sent anything: of two with the same buffers, the image that the other
  /// is copied from lies below it.
  private var likeliest: UInt64? { state.hasSearched ? state.blocks.last : nil }

  /// The guest's characters go to the console.
  /// - Returns: whether there were any.
  private func take(_ ring: Ring) -> Bool {
    guard ring.write != ring.read else { return false }
    let ends = ring.write > ring.read ? [ring.read..<ring.write] : [ring.read..<ring.size, 0..<ring.write]
    for part in ends {
      if let bytes = try? context.space.copyOut(at: ring.buffer + part.lowerBound, count: part.count) {
        context.characters?.write(bytes)
      }
    }
    return context.writeMemory(ring.readPlace, size: 4, ring.write)
  }

  private func give(_ ring: Ring) {
    var write = ring.write
    while let byte = state.input.first {
      let next = write + 1 == ring.size ? 0 : write + 1
      guard next != ring.read else { break }
      guard context.writeMemory(ring.buffer + write, size: 1, UInt64(byte)) else { break }
      write = next
      _ = state.input.popFirst()
    }
    _ = context.writeMemory(ring.writePlace, size: 4, write)
  }

  // MARK: The control block

  private func search() {
    if let address {
      state.blocks = isBlock(at: address) ? [address] : []
      state.hasSearched = true
      return
    }
    let memories = context.space.layout.filter { if case .ram = $0.region.backing { true } else { false } }
    guard let start = memories.first(where: { $0.last >= state.next }) ?? memories.first else { return }
    let first = max(start.first, state.next > start.last ? start.first : state.next) & ~3
    let count = Int(min(UInt64(Self.stretch), start.last - first + 1))
    if let found = candidate(from: first, count: count) {
      if !state.blocks.contains(found), state.blocks.count < Self.mostBlocks {
        state.blocks = (state.blocks + [found]).sorted()
      }
      state.next = found + 4
    } else {
      state.next = first &+ UInt64(count)
      if state.next > memories.last?.last ?? 0 || state.next == 0 {
        state.next = 0
        state.hasSearched = true
      }
    }
  }

  private func candidate(from first: UInt64, count: Int) -> UInt64? {
    guard let memory = context.space.ram(at: first, count: count) else { return nil }
    for offset in stride(from: 0, to: count - 3, by: 4)
    where memory.memory.load(memory.offset + offset, size: 4) == 0x4747_4553 {
      if isBlock(at: first + UInt64(offset)) { return first + UInt64(offset) }
    }
    return nil
  }

  /// Whether there is the mark, and a first up-buffer that makes sense.
  private func isBlock(at address: UInt64) -> Bool {
    guard let bytes = try? context.space.copyOut(at: address, count: 16), bytes.starts(with: Self.mark),
      bytes[Self.mark.count...].allSatisfy({ $0 == 0 }), let up = word(address + 16, 4),
      let down = word(address + 20, 4)
    else { return false }
    return (1...64).contains(up) && down <= 64 && ring(address, number: 0) != nil
  }

  private func ring(_ block: UInt64, number: UInt64) -> Ring? {
    let count = (word(block + 16, 4) ?? 0) + (word(block + 20, 4) ?? 0)
    guard number < count, number < 128 else { return nil }
    let pointer = UInt64(pointerSize)
    let place = block + 24 + number * (2 * pointer + 16)
    guard let buffer = word(place + pointer, pointerSize), let size = word(place + 2 * pointer, 4),
      let write = word(place + 2 * pointer + 4, 4), let read = word(place + 2 * pointer + 8, 4),
      (1...Self.largestBuffer).contains(size), write < size, read < size,
      context.space.ram(at: buffer, count: Int(size)) != nil
    else { return nil }
    return Ring(
      buffer: buffer, size: size, write: write, read: read, writePlace: place + 2 * pointer + 4,
      readPlace: place + 2 * pointer + 8)
  }

  /// A number in memory; devices are never touched.
  private func word(_ address: UInt64, _ size: Int) -> UInt64? {
    context.space.ram(at: address, count: size).map { $0.memory.load($0.offset, size: size) }
  }
}
