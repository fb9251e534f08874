// Owns what the machine tells of itself: registers in XML, memory map, thread names, executable, flash.

import Bus
import GDBRemote
import GuestKit
import Machine

extension MachineTarget: TargetDescription {
  func targetDescription(_ annex: String) -> String? {
    annex == "target.xml" ? layout.document : nil
  }
}

extension MachineTarget: MemoryMapProviding {
  /// The block size told of flash whose geometry the board does not say.
  private static let flashBlock: UInt64 = 0x4_0000

  /// Every address is covered: where nothing answers now there may be virtual memory, and the error comes on access.
  var memoryMap: [MemoryRegion] {
    let last: UInt64 = machine.guest.addressBits == 64 ? .max : (1 << UInt64(machine.guest.addressBits)) - 1
    let layout = machine.perform { machine in machine.space.layout.map { MappedRange($0.first, $0.last, $0.region) } }
    var map: [MemoryRegion] = []
    func add(_ kind: MemoryRegion.Kind, _ first: UInt64, _ last: UInt64) {
      if kind == .ram, let before = map.last, before.kind == .ram, before.start &+ before.length == first {
        map[map.count - 1].length = last &- before.start &+ 1
      } else {
        map.append(MemoryRegion(kind, start: first, length: last &- first &+ 1))
      }
    }
    var next: UInt64? = 0
    for range in layout where range.first <= last {
      if let start = next, start < range.first { add(.ram, start, range.first - 1) }
      add(range.kind(flashBlock: Self.flashBlock), range.first, min(range.last, last))
      next = range.last >= last ? nil : range.last + 1
    }
    if let start = next { add(.ram, start, last) }
    return map
  }

  private struct MappedRange: Sendable {
    enum Backing { case memory, readOnly, flash }
    let first: UInt64
    let last: UInt64
    let backing: Backing

    init(_ first: UInt64, _ last: UInt64, _ region: Region) {
      self.first = first
      self.last = last
      switch region.backing {
      case .ram, .device: backing = .memory
      case .rom: backing = .readOnly
      case .romDevice: backing = .flash
      }
    }

    /// A flash region that is not made of whole blocks is one block.
    func kind(flashBlock: UInt64) -> MemoryRegion.Kind {
      switch backing {
      case .memory: .ram
      case .readOnly: .rom
      case .flash:
        .flash(blockSize: (last &- first &+ 1) % flashBlock == 0 ? flashBlock : last &- first &+ 1)
      }
    }
  }
}

extension MachineTarget: FlashTarget {
  func eraseFlash(at address: UInt64, length: UInt64) throws(TargetError) {
    guard length <= 1 << 30 else { throw TargetError(.tooLarge, "more flash to erase than there can be") }
    try program([UInt8](repeating: 0xFF, count: Int(length)), at: address)
  }

  func writeFlash(_ bytes: [UInt8], at address: UInt64) throws(TargetError) {
    try program(bytes, at: address)
  }

  func flashDone() throws(TargetError) {}

  private func program(_ bytes: [UInt8], at address: UInt64) throws(TargetError) {
    let succeeded = machine.perform { machine in
      do throws(BusError) {
        try machine.space.copyIn(bytes, at: address)
        return true
      } catch { return false }
    }
    guard succeeded else { throw .badAddress(address) }
  }
}

extension MachineTarget: ThreadNaming {
  func describe(_ thread: ThreadID) -> ThreadDescription {
    guard let hart = threads.firstIndex(of: thread) else { return ThreadDescription(name: "no such hart") }
    let state = machine.perform { machine in
      let vcpu = machine.engine.vcpus[hart]
      if vcpu.isHalted { return "off" }
      if vcpu.isWaiting { return "waiting for an interrupt" }
      return machine.isRunning ? "running" : "halted"
    }
    return ThreadDescription(name: "hart \(hart)", state: state, core: hart)
  }
}

extension MachineTarget: ExecutableNaming {
  func executablePath(process: UInt32) -> String? { executable }
}
