// Owns the view semihosting has of a guest: its memory by virtual address, its console, its time.

import Bits
import Bus
import Engine
import GuestKit

/// A parameter leads to an address that is no memory.
struct SemihostingFault: Error {}

/// Guest memory as one vCPU sees it. Only memory: devices are never touched.
struct SemihostingMemory {
  private let vcpu: VCPU
  private let machine: Machine

  init(_ vcpu: VCPU, _ machine: Machine) {
    self.vcpu = vcpu
    self.machine = machine
  }

  /// Strings longer than this are not terminated, but garbage.
  private static let longestString = 1 << 20

  /// Bytes of a parameter.
  var wordSize: Int { machine.guest.addressBits / 8 }
  var order: Endianness { machine.guest.byteOrder }
  var addressMask: UInt64 { wordSize == 8 ? .max : 0xFFFF_FFFF }
  /// Virtual time in nanoseconds.
  var now: UInt64 { machine.clock.now }

  func signed(_ word: UInt64) -> Int64 {
    wordSize == 8 ? Int64(bitPattern: word) : Int64(Int32(truncatingIfNeeded: word))
  }

  /// The stretch of memory at a virtual address, up to the end of its page, and its physical address.
  private func place(_ address: UInt64, _ count: Int) throws(SemihostingFault) -> (
    physical: UInt64, count: Int, direct: DirectMemory
  ) {
    let address = address & addressMask
    let room = min(count, 0x1000 - Int(address & 0xFFF))
    guard let physical = vcpu.debugTranslate(address),
      let direct = machine.space.ram(at: physical, count: room)
    else { throw SemihostingFault() }
    return (physical, room, direct)
  }

  func read(_ address: UInt64, _ count: Int) throws(SemihostingFault) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let place = try place(address &+ UInt64(bytes.count), count - bytes.count)
      machine.space.willTransfer?(place.physical, place.count, false)
      bytes += place.direct.memory.bytes(at: place.direct.offset, count: place.count)
    }
    return bytes
  }

  func write(_ bytes: [UInt8], _ address: UInt64) throws(SemihostingFault) {
    var done = 0
    while done < bytes.count {
      let place = try place(address &+ UInt64(done), bytes.count - done)
      guard place.direct.isWritable else { throw SemihostingFault() }
      machine.space.willTransfer?(place.physical, place.count, true)
      do { try machine.space.copyIn(Array(bytes[done..<done + place.count]), at: place.physical) } catch {
        throw SemihostingFault()
      }
      done += place.count
    }
  }

  /// The bytes before the terminating zero.
  func string(_ address: UInt64) throws(SemihostingFault) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < Self.longestString {
      let place = try place(address &+ UInt64(bytes.count), 0x1000)
      let chunk = place.direct.memory.bytes(at: place.direct.offset, count: place.count)
      guard let end = chunk.firstIndex(of: 0) else {
        bytes += chunk
        continue
      }
      return bytes + chunk[..<end]
    }
    throw SemihostingFault()
  }

  /// Writes to the console that was chosen, or to that of the first connected character device.
  func writeConsole(_ bytes: [UInt8]) {
    guard let console = machine.semihostingConsole else {
      machine.devices.lazy.compactMap({ $0.device.context.characters }).first?.write(bytes)
      return
    }
    console.output.write(bytes)
  }

  /// Logs once that the guest wanted something that does not exist here.
  func noteMissing(_ what: String) { machine.engine.log.writeOnce(.unimp, "semihosting: not implemented: \(what)") }

  /// The largest stretch of the largest memory that no image was loaded to; of memories of one size, that with the boot entry
  /// or else the first.
  func largestGap() -> Range<UInt64> {
    let memories = machine.space.regions.filter { if case .ram = $0.backing { true } else { false } }
    let size = memories.map(\.size).max()
    let largest = memories.filter { $0.size == size }
    guard
      let region = largest.first(where: { $0.base <= machine.boot.entry && machine.boot.entry <= $0.last })
        ?? largest.first
    else { return 0..<0 }
    // Of a region at the end of all addresses the last 16 bytes are left out, so that the end is a number.
    let end = region.base + min(region.size, .max - region.base) & ~0xF
    var best: Range<UInt64> = region.base..<region.base
    var start = region.base
    let images = machine.boot.segments.filter { $0.address >= region.base && $0.address < end }
      .sorted { $0.address < $1.address }
    for image in images {
      if image.address > start, image.address - start > UInt64(best.count) { best = start..<image.address & ~0xF }
      start = max(start, (image.address + min(image.memorySize, end - image.address) &+ 15) & ~0xF)
    }
    return end > start && end - start > UInt64(best.count) ? start..<end : best
  }
}

/// A parameter block: words of the guest's size.
struct SemihostingBlock {
  let memory: SemihostingMemory
  let address: UInt64

  private func place(_ index: Int) -> UInt64 { address &+ UInt64(index * memory.wordSize) }

  subscript(index: Int) -> UInt64 {
    get throws(SemihostingFault) {
      memory.order.number(try memory.read(place(index), memory.wordSize))
    }
  }

  func set(_ index: Int, _ value: UInt64) throws(SemihostingFault) {
    try memory.write(memory.order.bytes(value, count: memory.wordSize), place(index))
  }

  /// The text that two words describe: its address, and at index `length` its length in bytes.
  func string(_ index: Int, length: Int) throws(SemihostingFault) -> String {
    let count = try self[length]
    guard count < 4096 else { throw SemihostingFault() }
    return String(decoding: try memory.read(try self[index], Int(count)), as: UTF8.self)
  }
}
