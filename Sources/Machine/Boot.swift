// Owns the start of a machine: which image goes where, what the first instruction is, what it is handed.

import Bus
import Devicetree
import Engine
import GuestKit

/// The images a user named, read.
struct BootImages {
  struct Entry {
    var path: String
    var image: Image
  }
  var bios: Entry?
  var kernel: Entry?
  var initrd: [UInt8]?
  var loads: [(entry: Entry, setsEntry: Bool)] = []

  init(_ configuration: MachineConfiguration) throws(MachineError) {
    if let path = configuration.bios, path != "none" {
      bios = Entry(path: path, image: try ImageReader.read(path: path, address: 0, forceRaw: false))
    }
    if let path = configuration.kernel {
      kernel = Entry(path: path, image: try ImageReader.read(path: path, address: 0, forceRaw: false))
    }
    if let path = configuration.initrd {
      initrd = try ImageReader.read(path: path, address: 0, forceRaw: true).segments.first?.bytes ?? []
    }
    for file in configuration.loads {
      let image = try ImageReader.read(path: file.path, address: file.address, forceRaw: file.forceRaw)
      loads.append((Entry(path: file.path, image: image), file.setsEntry))
    }
  }

  var all: [Entry] { [bios, kernel].compactMap { $0 } + loads.map(\.entry) }
  var symbols: [Symbol] { all.flatMap(\.image.symbols) }
}

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
    _ images: BootImages, tree: inout Devicetree, _ configuration: MachineConfiguration, _ guest: any Guest
  ) throws {
    guard let path = tree.memoryPaths.first, let main = try tree.regions(of: path).first else { return }
    let vectors = tree["/chosen"]?.number("martlet,reset-vector")
    let memory =
      guest.bootProtocol == .vectorTable ? Devicetree.Range(base: vectors ?? 0, size: main.size) : main
    let word: UInt64 = guest.addressBits == 64 ? 2 << 20 : 4 << 20
    var start: UInt64?
    func place(_ entry: BootImages.Entry, at base: UInt64?) -> [Image.Segment] {
      let image = entry.image
      let isRaw = image.elf == nil && image.segments.count == 1 && image.entry == nil
      return image.segments.map { segment in
        var segment = segment
        segment.origin = entry.path
        if isRaw, let base { segment.address = base }
        return segment
      }
    }
    if let bios = images.bios {
      segments += place(bios, at: memory.base)
      start = bios.image.entry ?? memory.base
    }
    let biosEnd = segments.map { $0.address &+ $0.memorySize }.max() ?? memory.base
    var kernelEntry: UInt64?
    if let kernel = images.kernel {
      let base = images.bios == nil ? memory.base : (biosEnd + word - 1) / word * word
      let placed = place(kernel, at: base)
      segments += placed
      kernelEntry = kernel.image.entry ?? placed.first?.address
      start = start ?? kernelEntry
    }
    for load in images.loads {
      segments += place(load.entry, at: nil)
      if load.setsEntry { start = load.entry.image.entry ?? load.entry.image.segments.first?.address }
    }
    try placeInitrd(images, kernelEntry ?? memory.base, memory, &tree)
    if let arguments = configuration.bootArguments {
      try tree.setChosen { $0.set("bootargs", .strings([arguments])) }
    }
    guard guest.bootProtocol == .devicetree else {
      entry = memory.base
      try refuseOverlaps()
      return
    }
    entry = start ?? vectors ?? memory.base
    let blob = try tree.blob(padding: 0x1000)
    let limit = guest.addressBits == 32 ? min(memory.base + 3 << 30, 1 << 32) : memory.base + 3 << 30
    let end = min(memory.base + memory.size, limit)
    guard UInt64(blob.count) + 0x2000 <= memory.size else {
      throw MachineError.badInput("\(memory.size) bytes of memory are too few for the devicetree; choose a larger -m")
    }
    let unit: UInt64 = memory.size >= 64 << 20 ? 2 << 20 : 0x1000
    devicetreeAddress = (end - UInt64(blob.count)) / unit * unit
    segments.append(.init(address: devicetreeAddress, bytes: blob, origin: "the devicetree"))
    parametersAddress = devicetreeAddress - 0x40
    segments.append(
      .init(
        address: parametersAddress, bytes: Self.parameters(kernelEntry ?? 0, guest.addressBits),
        origin: "the boot parameters"))
    try refuseOverlaps()
  }

  /// Different images must not lie on each other.
  private func refuseOverlaps() throws(MachineError) {
    let sorted = segments.sorted { $0.address < $1.address }
    guard var low = sorted.first else { return }
    for high in sorted.dropFirst() {
      if low.origin != high.origin, high.address - low.address < low.memorySize {
        throw .badInput(
          "\(low.origin) and \(high.origin) overlap at 0x\(String(high.address, radix: 16)); load one of them elsewhere,"
            + " or choose a larger -m")
      }
      if high.address &+ high.memorySize > low.address &+ low.memorySize { low = high }
    }
  }

  /// OpenSBI's `fw_dynamic_info` (include/sbi/fw_dynamic.h): magic, version 2, next address, next mode (S), options,
  /// boot hart, each of the guest's word size.
  private static func parameters(_ next: UInt64, _ bits: Int) -> [UInt8] {
    [0x4942_534F, 2, next, 1, 0, 0].flatMap { (word: UInt64) in
      (0..<bits / 8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
    }
  }

  private mutating func placeInitrd(
    _ images: BootImages, _ kernel: UInt64, _ memory: Devicetree.Range, _ tree: inout Devicetree
  ) throws {
    guard let initrd = images.initrd else { return }
    let address = (kernel &+ min(memory.size / 2, 128 << 20)) & ~0xFFF
    guard address >= memory.base, address - memory.base <= memory.size,
      UInt64(initrd.count) <= memory.size - (address - memory.base)
    else {
      throw MachineError.badInput("the initrd (\(initrd.count) bytes) does not fit into memory; choose a larger -m")
    }
    segments.append(.init(address: address, bytes: initrd, origin: "the initrd"))
    try tree.setChosen { chosen in
      chosen.set("linux,initrd-start", .u64(address))
      chosen.set("linux,initrd-end", .u64(address + UInt64(initrd.count)))
    }
  }
}

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
    guard segment.memorySize > 0 else { return }
    let last = segment.address &+ (segment.memorySize - 1)
    var position = segment.address
    var pieces: [ClosedRange<UInt64>] = []
    for (first, end, region) in space.layout where first <= last && position <= end {
      guard first <= position else { break }
      if case .device = region.backing {
        guard region.isOverlay else { throw .readOnly(position) }
      } else {
        pieces.append(position...min(last, end))
      }
      guard end < last else {
        for piece in pieces { try copy(segment, piece) }
        return
      }
      position = end + 1
    }
    throw .unmapped(position)
  }

  /// Copies the part of a segment that belongs to a range of addresses, zeros where the file has nothing.
  private func copy(_ segment: Image.Segment, _ range: ClosedRange<UInt64>) throws(BusError) {
    let end = UInt64(segment.bytes.count)
    var done = range.lowerBound - segment.address
    let count = range.upperBound - segment.address + 1
    if done < end {
      let stop = min(end, count)
      try space.copyIn(Array(segment.bytes[Int(done)..<Int(stop)]), at: range.lowerBound)
      done = stop
    }
    while done < count {
      let size = min(count - done, 1 << 20)
      try space.copyIn([UInt8](repeating: 0, count: Int(size)), at: segment.address &+ done)
      done += size
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
      guest.passBootParameters(
        vcpu.state, number: vcpu.number, devicetree: boot.devicetreeAddress, parameters: boot.parametersAddress)
      engine.vcpuWasReset(vcpu)
    }
  }
}
