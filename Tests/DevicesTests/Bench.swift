// A fake bus: a node, wires, time and a console for one device.
import Bus

struct FakeNode: NodeView {
  var name = "device@1000"
  var path: String { "/" + name }
  var compatible: [String] = []
  var regions = [AddressRange(base: 0x1000, size: 0x1000)]
  var values: [String: [UInt32]] = [:]
  var others: [String: [String: [UInt32]]] = [:]
  /// The `compatible` strings of other nodes, by path.
  var names: [String: [String]] = [:]
  /// The paths that phandles lead to.
  var phandles: [UInt32: String] = [:]
  var flags: Set<String> = []

  func has(_ property: String) -> Bool { values[property] != nil || flags.contains(property) }
  func cells(_ property: String) -> [UInt32]? { values[property] }
  func strings(_ property: String) -> [String]? { nil }
  func node(path: String) -> (any NodeView)? {
    guard others[path] != nil || names[path] != nil else { return nil }
    return FakeNode(name: String(path.dropFirst()), compatible: names[path] ?? [], values: others[path] ?? [:])
  }
  func node(phandle: UInt32) -> (any NodeView)? {
    phandles[phandle].map { FakeNode(name: String($0.dropFirst()), values: others[$0] ?? [:]) }
  }
}

/// Everything around a device, and what it did to it.
final class Bench: CharacterBackend, MachineControl {
  let clock = VirtualClock(nanosecondsPerInstruction: 1)
  let events = EventQueue()
  let space = AddressSpace()
  let directory = DeviceDirectory()
  /// The CPU's clock is of 25 MHz where nothing drives it.
  lazy var clocks = {
    let clocks = ClockTree(clock)
    clocks.cpu.provide(25_000_000)
    return clocks
  }()
  var lines: [IRQLine] = []
  var sent: [UInt8] = []
  var exits: [Int32] = []
  var resets: [ResetCause] = []
  var messages: [String] = []

  var text: String { String(decoding: sent, as: UTF8.self) }
  var levels: String { lines.map { $0.level ? "1" : "0" }.joined() }

  func write(_ bytes: [UInt8]) { sent += bytes }
  func powerOff(exitCode: Int32) { exits.append(exitCode) }
  func reset(_ cause: ResetCause) { resets.append(cause) }

  /// Connects a device to fresh lines, one for each (controller, number).
  func context(_ node: FakeNode, interrupts: [(String, UInt32)] = [("/plic", 1)], id: Int = 5) -> DeviceContext {
    lines = interrupts.map { IRQLine(name: "\($0.0).\($0.1)") }
    let outputs = zip(lines, interrupts).map { InterruptOutput(line: $0, controller: $1.0, cells: [$1.1]) }
    return DeviceContext(
      id: id, node: node, interrupts: outputs, clock: clock, events: events, space: space, control: self,
      characters: self, directory: directory, clocks: clocks, log: { [unowned self] in messages.append($1) })
  }

  /// Lets time pass and delivers the events that come due, each at its own time.
  func run(to time: UInt64, _ device: some Device) {
    while events.nextDeadline <= time {
      clock.now = max(clock.now, events.nextDeadline)
      while let event = events.popDue(at: clock.now) { device.event(event.token) }
    }
    clock.now = time
  }
}

extension Device {
  func read(_ offset: UInt64, _ size: Int = 4, region: Int = 0) -> UInt64 {
    read(region: region, offset: offset, size: size)
  }
  func write(_ offset: UInt64, _ value: UInt64, _ size: Int = 4, region: Int = 0) {
    write(region: region, offset: offset, size: size, value: value)
  }
}
