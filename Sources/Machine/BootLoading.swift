// Owns the way of a boot plan into memory and vCPUs, at the start and at each reset.

import Bus
import Engine
import GuestKit

extension Machine {
  /// Resets the vCPUs, after the boot images have been copied into memory if they are to be.
  func startVCPUs(loadsImages: Bool) {
    guard loadsImages else { return resetVCPUs() }
    do { try loadBootChecked() } catch { halt(.failed("\(error)")) }
  }

  func loadBootChecked() throws(MachineError) {
    for segment in boot.segments {
      do throws(BusError) {
        try load(segment)
      } catch {
        throw .badInput(
          "\(segment.origin) does not fit: \(segment.memorySize) bytes at 0x\(String(segment.address, radix: 16)):"
            + " \(error); memory is at \(memoryMap); choose -m or another address")
      }
    }
    resetVCPUs()
  }

  /// Copies a segment into memory. Bytes under a device that lies over memory (HTIF) are left out; those anywhere else
  /// outside of memory make it throw before anything is copied.
  private func load(_ segment: Image.Segment) throws(BusError) {
    for part in try space.memoryParts(of: segment.range) { try copy(segment, part) }
  }

  /// Copies the part of a segment that belongs to a range of addresses, zeros where the file has nothing.
  private func copy(_ segment: Image.Segment, _ range: AddressRange) throws(BusError) {
    let start = range.base - segment.address
    let inFile = segment.bytes.dropFirst(Int(clamping: start)).prefix(Int(clamping: range.size))
    try space.copyIn(Array(inFile), at: range.base)
    var done = UInt64(inFile.count)
    while done < range.size {
      let count = min(range.size - done, 1 << 20)
      try space.copyIn([UInt8](repeating: 0, count: Int(count)), at: range.base &+ done)
      done += count
    }
  }

  /// Where guest memory is, for messages.
  private var memoryMap: String {
    space.layout.compactMap { first, last, region in
      guard case .ram = region.backing else { return nil }
      return "0x\(String(first, radix: 16))–0x\(String(last, radix: 16))"
    }.joined(separator: ", ")
  }

  private func resetVCPUs() {
    for vcpu in engine.vcpus {
      guest.reset(vcpu.state, number: vcpu.number, pc: boot.entry)
      devicetreeBoot?.passBootParameters(
        vcpu.state, number: vcpu.number, devicetree: boot.devicetreeAddress, parameters: boot.parametersAddress)
      vcpu.wasReset()
    }
  }
}

extension AddressSpace {
  /// The parts of a range that are memory. What lies under a device over memory is none; anything else that is no memory
  /// makes it throw, as does a range that goes beyond the last address.
  func memoryParts(of range: AddressRange) throws(BusError) -> [AddressRange] {
    var parts: [AddressRange] = []
    var rest = range
    while !rest.isEmpty {
      guard !range.isCut, let stretch = stretch(at: rest.base) else { throw .unmapped(rest.base) }
      let part = AddressRange(base: rest.base, size: min(rest.size - 1, stretch.last - rest.base) + 1)
      if case .device = stretch.region.backing {
        guard stretch.region.isOverlay else { throw .readOnly(rest.base) }
      } else {
        parts.append(part)
      }
      rest = AddressRange(base: rest.base &+ part.size, size: rest.size - part.size)
    }
    return parts
  }
}
