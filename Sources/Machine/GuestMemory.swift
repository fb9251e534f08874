// Owns guest memory as debuggers see it: virtual or physical, read without side effects unless the user allows them,
// written whatever it is.

import Bus
import Engine
import GuestKit

/// Memory as a hart's debugger sees it, whichever debugger: GDB, LLDB, the monitor. Used on the machine's thread only.
///
/// Device registers are read one by one, each by its own width. What a model can show of a register without the side
/// effects of a read is shown; at the first register of which it cannot, a read ends. With
/// ``Machine/allowsDeviceReads`` that one is read as the guest would read it.
package struct GuestMemory {
  /// A stretch of one page.
  private typealias Piece = (virtual: UInt64, physical: UInt64, offset: Int, count: Int)

  private static let pageSize: UInt64 = 0x1000

  private let machine: Machine
  private let guest: any Guest
  private let vcpu: VCPU
  private let space: AddressSpace
  private let isPhysical: Bool
  package let allowsDeviceReads: Bool

  package init(_ machine: Machine, _ vcpu: VCPU, isPhysical: Bool = false) {
    self.machine = machine
    guest = machine.guest
    self.vcpu = vcpu
    space = machine.space
    allowsDeviceReads = machine.allowsDeviceReads
    self.isPhysical = isPhysical
  }

  /// The bytes up to the first that cannot be read.
  package func read(_ address: UInt64, _ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    for piece in pieces(address, count).list {
      let part = readPhysical(piece.physical, piece.count)
      bytes += part
      if part.count < piece.count { break }
    }
    return bytes
  }

  /// 1, 2, 4 or 8 bytes as a little-endian number; nil if one of them cannot be read.
  package func value(at address: UInt64, size: Int) -> UInt64? {
    if address % Self.pageSize &+ UInt64(size) <= Self.pageSize, let physical = translate(address),
      let direct = space.ram(at: physical, count: size)
    {
      return direct.memory.load(direct.offset, size: size)
    }
    let bytes = read(address, size)
    return bytes.count == size ? bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } : nil
  }

  /// - Returns: the first address that cannot be written, if any; then nothing was written to unmapped pages.
  package func write(_ bytes: [UInt8], at address: UInt64) -> UInt64? {
    let (list, unmapped) = pieces(address, bytes.count)
    if let unmapped { return unmapped }
    machine.noteChange()
    for piece in list {
      let part = bytes[piece.offset..<piece.offset + piece.count]
      if let failure = writePhysical(part, at: piece.physical) { return piece.virtual &+ failure }
    }
    return nil
  }

  /// The pages of a range with their places, up to the first that is not mapped.
  private func pieces(_ address: UInt64, _ count: Int) -> (list: [Piece], unmapped: UInt64?) {
    let limit: UInt64 = guest.addressBits == 64 ? .max : (1 << UInt64(guest.addressBits)) - 1
    var list: [Piece] = []
    var offset = 0
    while offset < count {
      let virtual = address &+ UInt64(offset)
      guard virtual >= address, virtual <= limit, let physical = translate(virtual) else { return (list, virtual) }
      let size = min(count - offset, Int(Self.pageSize - virtual % Self.pageSize))
      list.append((virtual, physical, offset, size))
      offset += size
    }
    return (list, nil)
  }

  /// The physical address behind `address`; nil: not mapped.
  package func translate(_ address: UInt64) -> UInt64? {
    isPhysical ? address : vcpu.debugTranslate(address)
  }

  // MARK: Physical memory

  private func readPhysical(_ address: UInt64, _ count: Int) -> [UInt8] {
    if let direct = space.ram(at: address, count: count) { return direct.memory.bytes(at: direct.offset, count: count) }
    var bytes: [UInt8] = []
    while bytes.count < count {
      let position = address &+ UInt64(bytes.count)
      guard let (size, value) = readOnce(position, upTo: count - bytes.count) else { break }
      for index in 0..<size { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
    }
    return bytes
  }

  /// What one access shows: of the register there, or the widest aligned one of at most a word that answers.
  private func readOnce(_ address: UInt64, upTo count: Int) -> (size: Int, value: UInt64)? {
    let width = registerWidth(at: address)
    let sizes = (width.map { [$0] } ?? [4, 2, 1]).filter { $0 <= count && address % UInt64($0) == 0 }
    for size in sizes.isEmpty ? [2, 1].filter({ $0 <= count && address % UInt64($0) == 0 }) : sizes {
      if let value = space.peek(address, size: size) { return (size, value) }
      guard allowsDeviceReads, width != nil else { continue }
      machine.noteChange()
      if let value = try? space.read(address, size: size) { return (size, value) }
    }
    return nil
  }

  /// Bytes of the device register that begins at an address.
  private func registerWidth(at address: UInt64) -> Int? {
    guard let region = space.region(at: address), case .device(let target, let index) = region.backing,
      let maps = (target as? any Device)?.registers, maps.indices.contains(index),
      let place = maps[index].find(address - region.base, isWrite: false), place.byte == 0
    else { return nil }
    return maps[index].registers[place.number].width
  }

  /// - Returns: the distance to the first byte that cannot be written.
  private func writePhysical(_ bytes: ArraySlice<UInt8>, at address: UInt64) -> UInt64? {
    let layout = space.layout
    var rest = bytes
    while !rest.isEmpty {
      let done = UInt64(bytes.count - rest.count)
      let position = address &+ done
      guard let segment = layout.first(where: { $0.first <= position && position <= $0.last }) else { return done }
      let room = Int(min(UInt64(rest.count - 1), segment.last - position)) + 1
      do throws(BusError) {
        if case .device = segment.region.backing {
          let size: Int = [4, 2, 1].first(where: { $0 <= room && position % UInt64($0) == 0 }) ?? 1
          let value = rest.prefix(size).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
          try space.write(position, size: size, value)
          rest = rest.dropFirst(size)
        } else {
          try space.copyIn(Array(rest.prefix(room)), at: position)
          rest = rest.dropFirst(room)
        }
      } catch { return done }
    }
    return nil
  }
}
