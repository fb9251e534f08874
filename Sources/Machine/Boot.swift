// Owns the plan of a machine's start: which image goes where, what the first instruction is, what it is handed.

import Bus
import Devicetree
import Engine
import GuestKit

/// What is in memory when the machine starts, and the state of its vCPUs. Kept for resets.
public struct BootPlan: Sendable {
  public internal(set) var segments: [Image.Segment] = []
  public internal(set) var entry: UInt64 = 0
  public internal(set) var devicetreeAddress: UInt64 = 0
  var parametersAddress: UInt64 = 0

  init() {}

  /// Places the images as Linux and OpenSBI expect of the board: firmware at the start of memory, the kernel 2 MiB
  /// (32-bit: 4 MiB) above it, the devicetree at the end of the first 3 GiB of the memory (or its end).
  init(
    _ images: BootImages, tree: inout Devicetree, _ configuration: MachineConfiguration, _ guest: any Guest,
    _ space: AddressSpace
  ) throws {
    guard let path = tree.memoryPaths.first, let main = try tree.regions(of: path).first else { return }
    let vectors = tree["/chosen"]?.number("martlet,reset-vector")
    let devicetreeBoot = guest as? any DevicetreeBoot
    let memory = AddressRange(base: devicetreeBoot == nil ? vectors ?? 0 : main.base, size: main.size)
    var start: UInt64?
    if let bios = images.bios {
      segments += bios.placed(at: memory.base)
      start = bios.image.entry ?? memory.base
    }
    var kernelEntry: UInt64?
    if let kernel = images.kernel {
      let placed = kernel.placed(at: images.bios == nil ? memory.base : kernelBase(memory, guest.addressBits))
      segments += placed
      kernelEntry = kernel.image.entry ?? placed.first?.address
      start = start ?? kernelEntry
    }
    for load in images.loads {
      segments += load.entry.placed(at: nil)
      if load.setsEntry { start = load.entry.image.entry ?? load.entry.image.segments.first?.address }
    }
    segments.removeAll { segment in segment.isHeaders && (try? space.memoryParts(of: segment.range)) == nil }
    try placeInitrd(images, kernelEntry ?? memory.base, memory, &tree)
    if let arguments = configuration.bootArguments {
      try tree.setChosen { $0.set("bootargs", .strings([arguments])) }
    }
    guard let devicetreeBoot else {
      entry = memory.base
      try refuseOverlaps()
      return
    }
    entry = start ?? ownStart(images.loads.map(\.entry.image), vectors ?? memory.base, memory.base)
    try placeDevicetree(tree, memory, guest.addressBits)
    parametersAddress = devicetreeAddress - 0x40
    segments.append(
      .init(
        address: parametersAddress, bytes: devicetreeBoot.bootParameters(entry: kernelEntry ?? 0),
        origin: "the boot parameters"))
    try refuseOverlaps()
  }

  /// The first address above the firmware that kernels take.
  private func kernelBase(_ memory: AddressRange, _ bits: Int) -> UInt64 {
    let unit: UInt64 = bits == 64 ? 2 << 20 : 4 << 20
    let last = segments.filter { memory.contains($0.address) }.map(\.range.last).max()
    return last.map { ($0 | (unit - 1)) &+ 1 } ?? memory.base
  }

  /// Where a machine starts that was given neither firmware nor a kernel: where it does by itself; but if files were
  /// loaded and none of them is there, where the first one says, or else where memory begins.
  private func ownStart(_ loads: [Image], _ vector: UInt64, _ memory: UInt64) -> UInt64 {
    func isLoaded(_ address: UInt64) -> Bool { segments.contains { $0.range.contains(address) } }
    if loads.isEmpty || isLoaded(vector) { return vector }
    if let entry = loads.lazy.compactMap(\.entry).first { return entry }
    return isLoaded(memory) ? memory : loads.lazy.flatMap(\.segments).first?.address ?? vector
  }

  private mutating func placeDevicetree(_ tree: Devicetree, _ memory: AddressRange, _ bits: Int) throws {
    let blob = try tree.blob(padding: 0x1000)
    var room = min(memory.size, 3 << 30)
    if bits == 32 { room = memory.base >> 32 == 0 ? min(room, 1 << 32 - memory.base) : 0 }
    let unit: UInt64 = memory.size >= 64 << 20 ? 2 << 20 : 0x1000
    let count = UInt64(blob.count)
    guard count + 0x2000 <= room else {
      throw MachineError.badInput(
        "\(room) bytes of memory are too few for the devicetree (\(count)); choose a larger -m")
    }
    devicetreeAddress = (memory.base &+ (room - count)) / unit * unit
    guard memory.contains(devicetreeAddress), devicetreeAddress - memory.base >= 0x40 else {
      throw MachineError.badInput("memory at 0x\(String(memory.base, radix: 16)) is too odd for the devicetree")
    }
    segments.append(.init(address: devicetreeAddress, bytes: blob, origin: "the devicetree"))
  }

  /// Different images must not lie on each other.
  private func refuseOverlaps() throws(MachineError) {
    let sorted = segments.filter { $0.memorySize > 0 }.sorted { $0.address < $1.address }
    guard var low = sorted.first else { return }
    for high in sorted.dropFirst() {
      if low.origin != high.origin, low.range.contains(high.address) {
        throw .badInput(
          "\(low.origin) and \(high.origin) overlap at 0x\(String(high.address, radix: 16)); load one of them elsewhere,"
            + " or choose a larger -m")
      }
      if high.range.last > low.range.last { low = high }
    }
  }

  private mutating func placeInitrd(
    _ images: BootImages, _ kernel: UInt64, _ memory: AddressRange, _ tree: inout Devicetree
  ) throws {
    guard let initrd = images.initrd else { return }
    let address = (kernel &+ min(memory.size / 2, 128 << 20)) & ~0xFFF
    guard memory.from(address).size >= UInt64(initrd.count), memory.contains(address) else {
      throw MachineError.badInput("the initrd (\(initrd.count) bytes) does not fit into memory; choose a larger -m")
    }
    segments.append(.init(address: address, bytes: initrd, origin: "the initrd"))
    try tree.setChosen { chosen in
      chosen.set("linux,initrd-start", .u64(address))
      chosen.set("linux,initrd-end", .u64(address &+ UInt64(initrd.count)))
    }
  }
}
