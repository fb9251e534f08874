// Owns the making of device models from nodes, and the wiring of their interrupts.

import Bus
import Devicetree
import Engine
import GuestKit

extension BoardBuilder {
  /// One model for each enabled node that has one or that answers at addresses.
  func makeDevices(
    _ space: AddressSpace, _ clock: VirtualClock, _ events: EventQueue, _ control: any MachineControl,
    _ backends: [any CharacterBackend], _ directory: DeviceDirectory, _ clocks: ClockTree, _ lines: inout [IRQLine]
  ) throws -> [(path: String, device: any Device)] {
    var devices: [(path: String, device: any Device)] = []
    var left = backends[...]
    var drives = configuration.drives[...]
    for (path, model) in try chosenModels() {
      guard let node = tree[path], let view = try TreeView(tree, path) else { continue }
      // One model serves all the nodes at an address.
      if let base = view.regions.first?.base, space.region(at: base)?.base == base,
        let owner = directory.device(at: base, in: space)
      {
        directory[path] = owner
        continue
      }
      let outputs = try tree.interrupts(of: path).enumerated().map { index, specifier in
        let line = IRQLine(name: "\(path)#\(index)")
        lines.append(line)
        return InterruptOutput(line: line, controller: specifier.controller, cells: specifier.cells)
      }
      let takesCharacters = model is any CharacterDevice.Type
      let drive = model is any StorageDevice.Type ? drives.popFirst() : nil
      let context = DeviceContext(
        id: devices.count, node: view, interrupts: outputs, clock: clock, events: events, space: space,
        control: control,
        characters: takesCharacters ? left.popFirst().map { TappedBackend($0, path: path, taps) } : nil,
        medium: try drive.map { try Medium($0) }, directory: directory, clocks: clocks,
        registerName: { [names] address, value in names?.label(address, written: value) },
        log: { [log] category, text in log.write(category == .guestError ? .guestErrors : .unimp, text) })
      let device = try model.init(context: context)
      directory[path] = device
      let regions = device.regions
      for (index, range) in regions.enumerated() where range.size > 0 {
        let name = regions.count == 1 ? node.name : "\(node.name)#\(index)"
        // What lies within memory or within another device's region hides that part of it.
        let isInside = space.region(at: range.base).map {
          $0.size > range.size && range.base - $0.base <= $0.size - range.size
        }
        if let memory = device.memory(region: index) {
          try space.map(name, at: range.base, size: range.size, .romDevice(memory, device, index: index))
        } else {
          try space.map(
            name, at: range.base, size: range.size, .device(device, index: index), overlay: isInside ?? false)
        }
      }
      devices.append((path, device))
    }
    if let drive = drives.first {
      let count = configuration.drives.count - drives.count
      throw MachineError.badInput(
        "\(drive.path): board \(configuration.board) has \(count == 0 ? "no slot" : "only \(count) slots") for it; drop the"
          + " -drive, or choose a board with a slot for an SD card, such as lm3s6965evb")
    }
    return devices
  }

  /// The nodes to make devices of with their models: those that have one, then those that only answer at addresses.
  private func chosenModels() throws -> [(path: String, model: any Device.Type)] {
    // A model's place in the registry by each of its strings: the first model that serves a node has it.
    var places: [String: Int] = [:]
    for (place, model) in registry.devices.enumerated() {
      for name in model.compatible where places[name] == nil { places[name] = place }
    }
    let nodes = orderedPaths().compactMap { path in
      tree[path].map { (path: path, node: $0, place: $0.compatible.compactMap { places[$0] }.min()) }
    }
    let absorbed = Set(Set(nodes.compactMap(\.place)).flatMap { registry.devices[$0].absorbs })
    var modelled: [(path: String, model: any Device.Type)] = []
    var others: [(path: String, model: any Device.Type)] = []
    for (path, node, place) in nodes {
      let names = node.compatible
      guard node.isEnabled, !names.isEmpty, absorbed.isDisjoint(with: names) else { continue }
      if let place {
        modelled.append((path, registry.devices[place]))
      } else if let fallback = registry.fallback, let view = try TreeView(tree, path), !view.regions.isEmpty {
        others.append((path, fallback))
      }
    }
    return modelled + others
  }

  /// All paths, that of the console first.
  private func orderedPaths() -> [String] {
    let console =
      configuration.rtt ? "/rtt" : tree["/chosen"]?.string("stdout-path").flatMap { tree.fullPath($0) }
    let memories = Set(tree.memoryPaths)
    let paths = tree.paths.filter { !$0.hasPrefix("/cpus") && !$0.hasPrefix("/memory@") && !memories.contains($0) }
    guard let console, paths.contains(console) else { return paths }
    return [console] + paths.filter { $0 != console }
  }

  /// Sets the `reg` of nodes that `martlet,region-symbols` puts at symbols of the loaded images, for the device and for
  /// the guest: one entry of 8 bytes a symbol. If any symbol is missing, the node stays where it is.
  mutating func placeAtSymbols() throws {
    var places: [String: UInt64] = [:]
    for symbol in images.symbols where places[symbol.name] == nil { places[symbol.name] = symbol.address }
    let size = tree.rootCells(8, "#size-cells", 1)
    let root = tree
    tree.updateAll { _, node in
      guard let names = node.strings("martlet,region-symbols") else { return }
      let found = names.compactMap { places[$0] }
      guard found.count == names.count else { return }
      node.set("reg", .cells(found.flatMap { root.rootCells($0, "#address-cells", 2) + size }))
    }
  }

  /// Connects every wire to its controller: a CPU or a device.
  func connect(_ lines: [IRQLine], _ machine: Machine) throws {
    var inputs: [String: any IRQSink] = [:]
    for (path, device) in machine.devices {
      if let sink = device as? any IRQSink { inputs[path] = sink }
    }
    for (number, path) in tree.cpuPaths.enumerated() {
      let sink = VCPUInputs(machine.engine, machine.engine.vcpus[number])
      inputs[path] = sink
      for child in tree[path]?.children ?? [] { inputs[path + "/" + child.name] = sink }
    }
    var shared: [String: SharedInput] = [:]
    for (_, device) in machine.devices {
      for output in device.context.interrupts {
        guard let sink = inputs[output.controller] else {
          log.write(.unimp, "\(device.context.node.name): nothing takes interrupts at \(output.controller)")
          continue
        }
        let number = Int(output.cells.first ?? 0)
        let input = shared["\(output.controller) \(number)"] ?? SharedInput(sink, number)
        shared["\(output.controller) \(number)"] = input
        input.connect(output.line)
      }
    }
  }
}

/// An input of an interrupt controller: high while any of its wires is.
private final class SharedInput {
  /// Unowned, for the line holds the input, and not weak, which would slow down all use of it. The machine has all lines.
  private struct Wire { unowned let line: IRQLine }

  private let sink: any IRQSink
  private let number: Int
  private var wires: [Wire] = []

  init(_ sink: any IRQSink, _ number: Int) {
    self.sink = sink
    self.number = number
  }

  func connect(_ line: IRQLine) {
    let index = wires.count
    wires.append(Wire(line: line))
    line.connect { [self] level in
      let isHeld = wires.indices.contains { $0 != index && wires[$0].line.level }
      if !isHeld { sink.setLevel(number, level) }
    }
  }
}

/// The interrupt inputs of a vCPU. It is unowned, for it holds memory, memory its devices, and they the lines to here.
final class VCPUInputs: IRQSink {
  private unowned let engine: Engine
  private unowned let vcpu: VCPU

  init(_ engine: Engine, _ vcpu: VCPU) {
    self.engine = engine
    self.vcpu = vcpu
  }

  func setLevel(_ line: Int, _ level: Bool) { engine.setInterruptLine(vcpu, line, level) }
}
