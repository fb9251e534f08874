// Owns the way from a devicetree to a machine: memory, guest, devices, wires.

import Bus
import Devicetree
import Engine
import GuestKit
import HostKit
import SVD

extension Machine {
  /// Makes a machine, its images loaded, stopped at its first instruction.
  ///
  /// - Parameters:
  ///   - backends: where the characters of serial devices go, in the order of the devices: the console
  ///     (`/chosen/stdout-path`) first.
  ///   - log: receives what devices note.
  public static func make(
    _ configuration: MachineConfiguration, registry: Registry, backends: [any CharacterBackend],
    log: @escaping (LogItem, String) -> Void
  ) throws(MachineError) -> Machine {
    do {
      var builder = try BoardBuilder(configuration, registry, log)
      return try builder.build(backends)
    } catch let error as MachineError {
      throw error
    } catch let error as DevicetreeError {
      throw .badInput("board \(configuration.board): \(error)")
    } catch let error as MemoryError {
      throw .badInput("board \(configuration.board): \(error)")
    } catch let error as DeviceError {
      throw .badInput("board \(configuration.board): \(error)")
    } catch {
      throw .setup("\(error)")
    }
  }
}

/// The steps from tree to machine.
struct BoardBuilder {
  let configuration: MachineConfiguration
  let registry: Registry
  let log = EngineLog()
  var tree: Devicetree
  var images: BootImages
  let names: RegisterDescription?
  var notes: [String] = []
  let taps = ConsoleTaps()
  /// Of the board as it is described.
  private let boardCPUCount: Int

  init(
    _ configuration: MachineConfiguration, _ registry: Registry, _ log: @escaping (LogItem, String) -> Void
  ) throws {
    self.configuration = configuration
    self.registry = registry
    self.log.sink = log
    self.log.items = LogItem.allCases.filter(configuration.logItems.contains)
    self.log.ranges = configuration.logRanges
    tree = try Devicetree(contentsOf: configuration.board)
    boardCPUCount = tree.cpuPaths.count
    images = try BootImages(configuration, tree)
    names = if let path = configuration.svd { try RegisterDescription(path: path) } else { nil }
    if let names, let path = configuration.svd { notes += names.notes(path) }
    if let count = configuration.cpuCount { try setCPUCount(count) }
    if let size = configuration.memorySize { try setMemorySize(size) }
    if let size = configuration.flashSize { try setFlashSize(size) }
    if let bits = configuration.priorityBits { try setPriorityBits(bits) }
    try placeAtSymbols()
  }

  private mutating func setCPUCount(_ count: Int) throws {
    guard (1...512).contains(count) else { throw MachineError.badInput("\(count) CPUs; choose 1 to 512 with -smp") }
    try tree.setCPUCount(count)
  }

  private mutating func setMemorySize(_ size: UInt64) throws {
    guard size > 0, size % UInt64(pageSize) == 0 else {
      throw MachineError.badInput("\(size) bytes of memory; choose a multiple of 4096 above 0 with -m")
    }
    guard let path = tree.mainMemoryPath else { return }
    guard size <= Self.largestMemory else {
      throw MachineError.badInput(
        "\(size) bytes of memory are too many for board \(configuration.board); choose a smaller -m")
    }
    do throws(DevicetreeError) { try tree.setSize(of: path, size) } catch {
      throw MachineError.badInput(
        "\(size) bytes of memory are too many for board \(configuration.board); choose a smaller -m")
    }
  }

  private mutating func setFlashSize(_ size: UInt64) throws {
    guard let path = tree.flashPath else {
      throw MachineError.badInput("board \(configuration.board): it has no flash memory that flash-size could set")
    }
    let block = tree[path]?.u32("erase-block-size").map { UInt64($0) } ?? 1
    guard size > 0, size <= Self.largestFlash, block > 0, size % block == 0 else {
      throw MachineError.badInput(
        "\(size) bytes of flash memory are not whole blocks of \(block) up to \(Self.largestFlash) bytes; choose"
          + " another flash-size")
    }
    try tree.setSize(of: path, size)
  }

  private mutating func setPriorityBits(_ bits: UInt64) throws {
    let property = "arm,num-irq-priority-bits"
    guard let path = tree.paths.first(where: { tree[$0]?.has(property) ?? false }) else {
      throw MachineError.badInput(
        "board \(configuration.board): its interrupt controller has no irq-priority-bits that could be chosen")
    }
    guard (2...8).contains(bits) else {
      throw MachineError.badInput("\(bits) bits of priority; choose 2 to 8 with irq-priority-bits")
    }
    try tree.update(path) { $0.set(property, .cells([UInt32(bits)])) }
  }

  /// In bytes: 256 MiB.
  private static let largestFlash: UInt64 = 1 << 28

  /// In bytes: 1 TiB.
  private static let largestMemory: UInt64 = 1 << 40

  mutating func build(_ backends: [any CharacterBackend]) throws -> Machine {
    let (guest, firmware) = try makeGuest()
    if let note = try images.addFirmware(firmware, configuration, guest) { notes.append(note) }
    if configuration.rtt { try addRTT(guest) }
    let space = AddressSpace()
    let clock = VirtualClock()
    let events = EventQueue()
    let controller = PowerController()
    let memories = try mapMemory(space)
    var lines: [IRQLine] = []
    let directory = DeviceDirectory()
    // Devices and directory hold each other, which the machine parts when it goes; a board may be refused before there is one.
    var isOwned = false
    defer { if !isOwned { directory.removeAll() } }
    let clocks = ClockTree(clock)
    if let path = tree.cpuPaths.first, let frequency = tree[path]?.number("clock-frequency"), frequency > 0 {
      clocks.cpu.provide(frequency)
    }
    let devices = try makeDevices(space, clock, events, controller, backends, directory, clocks, &lines)
    let engine = try makeEngine(guest, space, clock, events)
    engine.opStepper = registry.opStepper
    controller.engine = engine
    let machine = Machine(
      configuration: configuration, registry: registry, guest: guest, engine: engine, space: space, clock: clock,
      events: events, tree: tree, controller: controller, taps: taps)
    machine.devices = devices
    machine.directory = directory
    isOwned = true
    machine.registerNames = names
    machine.notes = notes
    machine.firmwarePath = images.bios?.path
    // A memory that appears at several addresses is one.
    var seen: Set<ObjectIdentifier> = []
    machine.memories = (memories + devices.flatMap { entry in (0..<8).compactMap { entry.device.memory(region: $0) } })
      .filter { seen.insert(ObjectIdentifier($0)).inserted }
    machine.interruptLines = lines
    for (_, device) in devices {
      if let part = device as? any CoreDevice, let cpu = engine.vcpus.first { part.attach(to: cpu.state) }
    }
    try connect(lines, machine)
    machine.boot = try BootPlan(images, tree: &machine.tree, configuration, guest, space)
    machine.symbols.add(images.symbols)
    machine.sources = SourceIndex(images.all.compactMap { entry in entry.image.file.map { (entry.path, $0) } })
    try machine.loadBootChecked()
    if let image = images.bios ?? images.kernel, let state = engine.vcpus.first?.state,
      let problem = (guest as? any ImageChecking)?.startProblem(state)
    {
      guard configuration.force else { throw MachineError.badInput("\(image.path): \(problem)\(Self.orForce)") }
      machine.notes.append("\(image.path): \(problem)")
    }
    return machine
  }

  private static let orForce = "; --force starts it anyway"

  private mutating func makeGuest() throws -> (any Guest, InstalledFirmware?) {
    guard let path = tree.cpuPaths.first, let cpu = try TreeView(tree, path) else {
      throw MachineError.badInput("board \(configuration.board): no CPU: the tree has no /cpus/cpu@… node")
    }
    guard let entry = registry.guests.first(where: { $0.serves(cpu.compatible) }) else {
      throw MachineError.badInput(
        "board \(configuration.board): no guest for a CPU compatible with \(cpu.compatible.joined(separator: ", "))")
    }
    let guest = try entry.make(configuration.cpuModel, cpu, configuration.semihosting)
    if !(guest is any DevicetreeBoot), let wanted = configuration.cpuCount, wanted != boardCPUCount {
      throw MachineError.badInput(
        "-smp \(wanted): the board has \(boardCPUCount) CPU\(boardCPUCount == 1 ? "" : "s") (\(guest.architecture)), as a"
          + " microcontroller is made; leave -smp out")
    }
    for image in images.all { try check(image, entry, guest) }
    let properties = entry.describe(guest)
    let cpus = Set(tree.cpuPaths)
    try tree.update("/cpus") { node in
      for position in node.children.indices where cpus.contains("/cpus/" + node.children[position].name) {
        for (name, value) in properties { node.children[position].set(name, .strings([value])) }
      }
    }
    return (guest, entry.firmware)
  }

  /// Refuses a file for another CPU; notes what may be missing.
  private mutating func check(_ image: BootImages.Entry, _ entry: GuestEntry, _ guest: any Guest) throws {
    let advice = "choose another CPU with -cpu or another file"
    guard let elf = image.image.elf else { return }
    guard entry.elfMachines.contains(elf.machine), elf.bits == guest.addressBits, elf.order == guest.byteOrder else {
      let order = elf.order == guest.byteOrder ? "" : ", \(elf.order) endian"
      throw MachineError.badInput(
        "\(image.path): an ELF file for \(ELFReader.name(ofMachine: elf.machine)), \(elf.bits) bits\(order), but the"
          + " CPU is \(guest.architecture); \(advice)")
    }
    guard let attributes = image.image.attributes,
      let objection = (guest as? any ImageChecking)?.objection(toAttributes: attributes.values)
    else { return }
    let named = attributes.cpuName.map { " (\($0))" } ?? ""
    let text = "\(image.path): \(objection.text)\(named)"
    guard objection.isCertain, !configuration.force else { return notes.append(text) }
    throw MachineError.badInput("\(text); \(advice)\(Self.orForce)")
  }

  /// The node of a console in memory; where it is, if an image has SEGGER's name for it.
  private mutating func addRTT(_ guest: any Guest) throws {
    var node = Node("rtt")
    node.set("compatible", .strings(["martlet,segger-rtt"]))
    node.set("martlet,pointer-size", .cells([UInt32(guest.addressBits / 8)]))
    if let symbol = images.symbols.first(where: { $0.name == "_SEGGER_RTT" }) {
      node.set("martlet,address", .u64(symbol.address))
    }
    try tree.update("/") { $0.children.append(node) }
  }

  private func mapMemory(_ space: AddressSpace) throws -> [RAMRegion] {
    var memories: [RAMRegion] = []
    for path in tree.memoryPaths {
      for (index, range) in try tree.regions(of: path).enumerated() where range.size > 0 {
        guard range.size <= Self.largestMemory else {
          throw MachineError.badInput("\(path): \(range.size) bytes of memory are too many; choose a smaller -m")
        }
        guard range.base >> 56 == 0 else {
          throw MachineError.badInput("\(path): physical addresses have 56 bits, but memory is at \(range.base)")
        }
        let name = index == 0 ? "ram" : "ram\(index)"
        let memory = try RAMRegion(name: name, size: Int(range.size))
        // Where address lines are left open, a memory answers at further addresses.
        let aliases = index == 0 ? tree[path]?.cells("martlet,aliases") ?? [] : []
        for base in [range.base] + aliases.map(UInt64.init) {
          try space.map(name, at: base, size: range.size, .ram(memory, offset: 0))
        }
        memories.append(memory)
      }
    }
    guard !memories.isEmpty else {
      throw MachineError.badInput("board \(configuration.board): no memory: the tree has no memory@… node")
    }
    return memories
  }

  private func makeEngine(
    _ guest: any Guest, _ space: AddressSpace, _ clock: VirtualClock, _ events: EventQueue
  ) throws -> Engine {
    let wanted = configuration.host ?? registry.hosts.first?.name ?? ""
    guard let host = registry.hosts.first(where: { $0.name == wanted }) else {
      let names = registry.hosts.map(\.name).joined(separator: ", ")
      throw MachineError.badInput("no host back end is called '\(wanted)'; there are: \(names)")
    }
    // What interprets everything needs no tier before it.
    let interpreter = host.type.isInterpreter ? nil : registry.interpreter
    do throws(EngineError) {
      return try Engine.make(
        host.type, interpreter, guest, space, clock, events, tree.cpuPaths.count, configuration.engine, log)
    } catch { throw MachineError.setup(error.description) }
  }
}

extension Engine {
  /// Opens the existential of a host type.
  static func make(
    _ type: any Host.Type, _ interpreter: (any PackedTier.Type)?, _ guest: any Guest, _ space: AddressSpace,
    _ clock: VirtualClock,
    _ events: EventQueue, _ count: Int, _ options: EngineOptions, _ log: EngineLog
  ) throws(EngineError) -> Engine {
    func open<H: Host>(_ type: H.Type) throws(EngineError) -> Engine {
      try Engine(
        guest: guest, host: type, interpreter: interpreter, space: space, clock: clock, events: events,
        vcpuCount: max(1, count), options: options, log: log)
    }
    return try open(type)
  }
}
