// What a device is given when it is made: its node, its wires, the time, and the host behind it.

/// A devicetree node as devices see it.
public protocol NodeView {
  /// Name with unit address, such as `serial@10000000`.
  var name: String { get }
  /// Full path from the root.
  var path: String { get }
  /// The `compatible` strings, most specific first.
  var compatible: [String] { get }
  /// The decoded `reg` in addresses of the CPUs.
  var regions: [AddressRange] { get }
  /// Whether a property exists, with or without a value.
  func has(_ property: String) -> Bool
  /// A property as 32-bit big-endian cells; nil when missing or not a multiple of 4 bytes.
  func cells(_ property: String) -> [UInt32]?
  /// A property as strings; nil when missing or not text.
  func strings(_ property: String) -> [String]?
  /// Another node by path, such as `/cpus`.
  func node(path: String) -> (any NodeView)?
  /// Another node by phandle.
  func node(phandle: UInt32) -> (any NodeView)?
}

extension NodeView {
  /// The first cell of a property.
  public func u32(_ property: String) -> UInt32? { cells(property)?.first }
  /// One cell, or two as a 64-bit number, high cell first.
  public func u64(_ property: String) -> UInt64? {
    guard let cells = cells(property), let first = cells.first else { return nil }
    return cells.count == 1 ? UInt64(first) : UInt64(first) << 32 | UInt64(cells[1])
  }
  /// The first entry of `reg`, which most devices cannot do without.
  @discardableResult
  public func firstRegion() throws(DeviceError) -> AddressRange {
    guard let range = regions.first else { throw .missingRegion(device: name, index: 0) }
    return range
  }
  /// The first string of a property.
  public func string(_ property: String) -> String? { strings(property)?.first }
}

/// An entry of `interrupts` or `interrupts-extended`: the wire to drive and how the node names it.
public struct InterruptOutput {
  public let line: IRQLine
  /// Path of the interrupt controller's node.
  public let controller: String
  /// The interrupt specifier.
  public let cells: [UInt32]

  public init(line: IRQLine, controller: String, cells: [UInt32]) {
    self.line = line
    self.controller = controller
    self.cells = cells
  }
}

/// Where the characters a device sends go.
public protocol CharacterBackend: AnyObject {
  func write(_ bytes: [UInt8])
}

/// What is in a slot for storage: memory that an image file was copied into. The file itself is never written.
public struct Medium {
  /// Media have whole units of so many bytes; what the file leaves of the last one is zero.
  public static let unit = 512 << 10

  public let memory: RAMRegion
  public let isReadOnly: Bool

  public init(_ memory: RAMRegion, isReadOnly: Bool) {
    self.memory = memory
    self.isReadOnly = isReadOnly
  }
}

/// What devices may ask of the machine.
public protocol MachineControl: AnyObject {
  /// The guest switched itself off. `exitCode` 0 means success.
  func powerOff(exitCode: Int32)
  /// The guest asked for a restart, or a watchdog did.
  func reset(_ cause: ResetCause)
}

/// The devices of a board by the paths of their nodes, for those that work together: a flash memory and its controller,
/// peripherals and what connects their events. Filled as devices are made, so devices look there when they run.
public final class DeviceDirectory {
  private var devices: [String: any MMIOTarget] = [:] {
    didSet {
      sorted = nil
      firsts = [:]
    }
  }
  /// ``all`` and what ``first(_:)`` has found, until a device is added.
  private var sorted: [any MMIOTarget]?
  private var firsts: [ObjectIdentifier: (any MMIOTarget)?] = [:]

  public init() {}

  /// The device of a node, or of the node that stands at its address; nil if there is none.
  public subscript(path: String) -> (any MMIOTarget)? {
    get { devices[path] }
    set { devices[path] = newValue }
  }

  /// Lets go of the devices, which hold the directory: at the end of a board.
  public func removeAll() { devices.removeAll() }

  /// Every device, in the order of their paths; one that serves several nodes comes once.
  public var all: [any MMIOTarget] {
    if let sorted { return sorted }
    var seen: Set<ObjectIdentifier> = []
    let list = devices.sorted { $0.key < $1.key }.map(\.value).filter { seen.insert(ObjectIdentifier($0)).inserted }
    sorted = list
    return list
  }

  /// The first device of a type, in the order of ``all``.
  public func first<T: MMIOTarget>(_ type: T.Type) -> T? {
    if let known = firsts[ObjectIdentifier(type)] { return known as? T }
    let found = all.lazy.compactMap { $0 as? T }.first
    firsts[ObjectIdentifier(type)] = .some(found)
    return found
  }

  /// The devices whose nodes stand directly below a node of `device`: what is attached to a serial bus.
  public func attached(to device: any MMIOTarget) -> [any MMIOTarget] {
    let owners = devices.filter { $0.value === device }.map { $0.key + "/" }
    return devices.sorted { $0.key < $1.key }.filter { entry in
      owners.contains { entry.key.hasPrefix($0) && !entry.key.dropFirst($0.count).contains("/") }
    }.map(\.value)
  }

  /// The device that answers at an address.
  public func device(at address: UInt64, in space: AddressSpace) -> (any MMIOTarget)? {
    switch space.region(at: address)?.backing {
    case .device(let target, _), .romDevice(_, let target, _): target
    default: nil
    }
  }
}

/// What a log line is about.
public enum LogCategory: Sendable, Equatable {
  /// The guest did something hardware does not define.
  case guestError
  /// The guest used something the model lacks.
  case unimplemented
}

/// Everything a device is connected to.
public struct DeviceContext {
  /// Identifies the device in the event queue.
  public let id: Int
  public let node: any NodeView
  public let interrupts: [InterruptOutput]
  public let clock: VirtualClock
  public let events: EventQueue
  /// The guest's memory, for DMA. It holds the devices that are mapped into it.
  public unowned let space: AddressSpace
  public let control: any MachineControl
  /// Where characters go; nil for a device that is connected to nothing.
  public let characters: (any CharacterBackend)?
  /// What is in the device's slot; nil if that is empty.
  public let medium: Medium?
  /// The board's other devices.
  public let directory: DeviceDirectory
  /// The board's clocks.
  public let clocks: ClockTree
  /// What the user calls the register at an address; a value that is written adds its fields.
  public let registerName: (_ address: UInt64, _ written: UInt64?) -> String?
  private let sink: (LogCategory, String) -> Void

  public init(
    id: Int, node: any NodeView, interrupts: [InterruptOutput] = [], clock: VirtualClock, events: EventQueue,
    space: AddressSpace, control: any MachineControl, characters: (any CharacterBackend)? = nil,
    medium: Medium? = nil, directory: DeviceDirectory = DeviceDirectory(), clocks: ClockTree? = nil,
    registerName: @escaping (_ address: UInt64, _ written: UInt64?) -> String? = { _, _ in nil },
    log: @escaping (LogCategory, String) -> Void = { _, _ in }
  ) {
    self.id = id
    self.node = node
    self.interrupts = interrupts
    self.clock = clock
    self.events = events
    self.space = space
    self.control = control
    self.characters = characters
    self.medium = medium
    self.directory = directory
    self.clocks = clocks ?? ClockTree(clock)
    self.registerName = registerName
    sink = log
  }

  /// A number of 1, 2, 4 or 8 bytes in memory, as a device reads it by itself (DMA); nil where not all of it is memory. No
  /// device's registers are reached, so that no access leads back into the device that makes it.
  public func readMemory(_ address: UInt64, size: Int) -> UInt64? {
    space.willTransfer?(address, size, false)
    return space.readMemory(address, size: size)
  }

  /// Writes a number of 1, 2, 4 or 8 bytes into memory, as a device does by itself.
  /// - Returns: whether all of it is memory that can be written.
  public func writeMemory(_ address: UInt64, size: Int, _ value: UInt64) -> Bool {
    guard unsafe space.hostMemory(at: address, count: size)?.isWritable == true else { return false }
    space.willTransfer?(address, size, true)
    return (try? space.write(address, size: size, value)) != nil
  }

  /// Logs a message under the device's name.
  public func log(_ category: LogCategory, _ message: String) { sink(category, "\(node.name): \(message)") }

  /// Asks for `event(token)` at `time` (ns), in place of an earlier request with the same token.
  public func schedule(at time: UInt64, token: UInt64) {
    events.cancel(device: id, token: token)
    events.schedule(at: time, device: id, token: token)
  }

  /// Withdraws a request.
  public func cancel(token: UInt64) { events.cancel(device: id, token: token) }
}
