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
      if let start = next, start < range.first { add(.gap, start, range.first - 1) }
      add(range.kind, range.first, min(range.last, last))
      next = range.last >= last ? nil : range.last + 1
    }
    if let start = next { add(.gap, start, last) }
    return map
  }

  private struct MappedRange: Sendable {
    let first: UInt64
    let last: UInt64
    let kind: MemoryRegion.Kind

    init(_ first: UInt64, _ last: UInt64, _ region: Region) {
      self.first = first
      self.last = last
      switch region.backing {
      case .ram, .device: kind = .ram
      case .rom: kind = .rom
      case .romDevice:
        kind = if let size = region.eraseBlockSize { .flash(blockSize: size) } else { .rom }
      }
    }
  }
}

extension MachineTarget: FlashTarget {
  func eraseFlash(at address: UInt64, length: UInt64) throws(TargetError) {
    guard length <= 1 << 30 else { throw TargetError(.tooLarge, "more flash to erase than there can be") }
    try change { machine throws(FlashError) in try machine.eraseFlash(at: address, length: length) }
  }

  func writeFlash(_ bytes: [UInt8], at address: UInt64) throws(TargetError) {
    try change { machine throws(FlashError) in try machine.programFlash(bytes, at: address) }
  }

  func flashDone() throws(TargetError) {}

  private func change(_ body: @escaping @Sendable (Machine) throws(FlashError) -> Void) throws(TargetError) {
    let failure: FlashError? = machine.perform { machine in
      do throws(FlashError) {
        try body(machine)
        return nil
      } catch { return error }
    }
    if let failure { throw TargetError(.badAddress, failure.description) }
  }
}

extension MachineTarget: ThreadNaming {
  func describe(_ thread: ThreadID) -> ThreadDescription {
    let hart: Int
    switch try? subject(of: thread) {
    case nil: return ThreadDescription(name: "no such thread")
    case .task(let task): return describe(task)
    case .hart(let number): hart = number
    }
    let state = machine.perform { machine in
      let vcpu = machine.engine.vcpus[hart]
      if vcpu.isHalted { return "off" }
      if vcpu.isWaiting { return "waiting for an interrupt" }
      return machine.isRunning && !machine.isHeld(hart) ? "running" : "halted"
    }
    return ThreadDescription(name: "hart \(hart)", state: state, core: hart)
  }
}

extension MachineTarget: ExecutableNaming {
  func executablePath(process: UInt32) -> String? { executable }
}

extension MachineTarget: HostDescribing {
  var hostDescription: HostDescription {
    HostDescription(
      triple: machine.guest.triple, pointerSize: machine.guest.addressBits / 8,
      isBigEndian: machine.guest.byteOrder == .big,
      programCounter: layout.programCounter?.number ?? 0)
  }
}
