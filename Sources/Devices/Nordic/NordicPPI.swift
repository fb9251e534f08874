/// The programmable peripheral interconnect of the nRF51 and nRF52: events of peripherals trigger tasks of others.
///
/// Source: nRF51 Series Reference Manual v3.0, chapter 16. Channels 0 to 15 are programmable (to 19 on the nRF52); the
/// pre-programmed ones, which serve the radio, are not there. Channel groups are switched by their tasks.
import Bits
import Bus

public final class NordicPPI: Device {
  public static var compatible: [String] { ["nordic,nrf-ppi"] }

  public struct State: Codable, Sendable, Equatable {
    struct Channel: Codable, Sendable, Equatable {
      /// Addresses of an event and of a task.
      var event: UInt32 = 0
      var task: UInt32 = 0
    }
    var enabled: UInt32 = 0
    var channels = [Channel](repeating: Channel(), count: 20)
    var groups: [UInt32] = Array(repeating: 0, count: 6)
  }

  public let context: DeviceContext
  public var state = State()
  public let registers = [
    RegisterMap([
      Register("TASKS_CHG", 0x000, .writeOnly, count: 12), Register("CHEN", 0x500), Register("CHENSET", 0x504),
      Register("CHENCLR", 0x508), Register("CH", 0x510, count: 40), Register("CHG", 0x800, count: 6),
    ])
  ]
  private var unimplemented = UnimplementedLog()

  public init(context: DeviceContext) throws(DeviceError) {
    guard !context.node.regions.isEmpty else { throw .missingRegion(device: context.node.name, index: 0) }
    self.context = context
  }

  /// Whether an enabled channel listens to the event at an address.
  func listens(to event: UInt32) -> Bool {
    state.enabled != 0 && state.channels.indices.contains { isActive($0) && state.channels[$0].event == event }
  }

  /// The event at an address happened: triggers the tasks of its channels.
  func happened(_ event: UInt32) {
    guard state.enabled != 0 else { return }
    for number in state.channels.indices where isActive(number) && state.channels[number].event == event {
      let task = UInt64(state.channels[number].task)
      do throws(BusError) {
        try context.space.write(task, size: 4, 1)
      } catch {
        context.log(.guestError, "channel \(number) leads to \(task.hex0x()): \(error)")
      }
    }
  }

  private func isActive(_ channel: Int) -> Bool { state.enabled >> UInt32(channel) & 1 != 0 }

  public func read(region: Int, offset: UInt64, size: Int) -> UInt64 {
    switch offset {
    case 0x500, 0x504, 0x508: return UInt64(state.enabled)
    case 0x510..<0x5B0:
      let channel = state.channels[Int(offset - 0x510) / 8]
      return UInt64(offset & 4 == 0 ? channel.event : channel.task)
    case 0x800..<0x818: return UInt64(state.groups[Int(offset - 0x800) / 4])
    default:
      unimplemented.unknown(offset: offset, isWrite: false, of: context)
      return 0
    }
  }

  public func write(region: Int, offset: UInt64, size: Int, value: UInt64) {
    let value = UInt32(truncatingIfNeeded: value)
    switch offset {
    case 0x000..<0x030:
      let group = state.groups[Int(offset) / 8]
      guard value & 1 != 0 else { return }
      state.enabled = offset & 4 == 0 ? state.enabled | group : state.enabled & ~group
    case 0x500: state.enabled = value
    case 0x504: state.enabled |= value
    case 0x508: state.enabled &= ~value
    case 0x510..<0x5B0:
      let number = Int(offset - 0x510) / 8
      if offset & 4 == 0 { state.channels[number].event = value } else { state.channels[number].task = value }
    case 0x800..<0x818: state.groups[Int(offset - 0x800) / 4] = value
    default: unimplemented.unknown(offset: offset, isWrite: true, of: context)
    }
    if state.enabled >> 20 != 0 { unimplemented.once("channels 20 to 31 are not implemented", context) }
  }

  public func reset() { state = State() }
}
