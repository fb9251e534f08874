// The programmable peripheral interconnect of the nRF51 and nRF52: events of peripherals trigger tasks of others.
//
// Sources: nRF51 Series Reference Manual v3.0, chapter 16; nRF52840 Product Specification v1.7, section 6.16. Channels 0 to
// 15 are programmable (to 19 on the nRF52), 20 to 31 pre-programmed; the nRF52's channels fork to a second task. Channel
// groups are switched by their tasks.

import Bits
import Bus

public final class NordicPPI: RegisterDevice {
  public static var compatible: [String] { ["nordic,nrf-ppi"] }

  public struct State: Codable, Sendable, Equatable {
    struct Channel: Codable, Sendable, Equatable {
      /// Addresses of an event and of a task.
      var event: UInt32 = 0
      var task: UInt32 = 0
    }
    var enabled: UInt32 = 0
    var channels = [Channel](repeating: Channel(), count: 20)
    /// By channel, the address of a second task; 0 for none.
    var forks = [UInt32](repeating: 0, count: 32)
    var groups: [UInt32] = Array(repeating: 0, count: 6)
    /// Tasks that are still to be triggered, in order.
    var waiting: [UInt32] = []
  }

  /// Channels 20 to 31.
  private static let fixed = [
    (event: 0x4000_8140, task: 0x4000_1000), (0x4000_8140, 0x4000_1004), (0x4000_8144, 0x4000_1010),
    (0x4000_1128, 0x4000_F000), (0x4000_1100, 0x4000_F000), (0x4000_1104, 0x4000_F004), (0x4000_1104, 0x4000_8044),
    (0x4000_110C, 0x4000_8048), (0x4000_B140, 0x4000_1000), (0x4000_B140, 0x4000_1004), (0x4000_B140, 0x4000_800C),
    (0x4000_B140, 0x4000_8000),
  ].map { State.Channel(event: UInt32($0.event), task: UInt32($0.task)) }

  /// Tasks triggered at one instant, and how long (ns) the others wait then: events and tasks that lead in a circle go
  /// round once a clock of 16 MHz.
  private static let tasksAtOnce = 64
  private static let pause: UInt64 = 4000
  private static let limit = 1024

  public let context: DeviceContext
  public var state = State()
  public let table: RegisterTable<NordicPPI> = [
    Register("TASKS_CHG", 0x000, .writeOnly, count: 12).onWrite { $0.switchGroup($2 / 2, isOn: $2 % 2 == 0, $1) },
    Register("CHEN", 0x500).onRead(\.state.enabled).onWrite { $0.state.enabled = $1 },
    Register("CHENSET", 0x504).onRead(\.state.enabled).onWrite { $0.state.enabled |= $1 },
    Register("CHENCLR", 0x508).onRead(\.state.enabled).onWrite { $0.state.enabled &= ~$1 },
    Register("CH", 0x510, count: 40)
      .onRead { $1 % 2 == 0 ? $0.state.channels[$1 / 2].event : $0.state.channels[$1 / 2].task }
      .onWrite { $0.setEnd($2, $1) },
    Register("CHG", 0x800, count: 6).onRead { $0.state.groups[$1] }.onWrite { $0.state.groups[$2] = $1 },
    Register("FORK.TEP", 0x910, count: 32).onRead { $0.state.forks[$1] }.onWrite { $0.state.forks[$2] = $1 },
  ]
  public var unimplemented = UnimplementedLog()
  private var isTriggering = false

  public init(context: DeviceContext) throws(DeviceError) {
    try context.node.firstRegion()
    self.context = context
  }

  // MARK: Channels

  /// The enabled channels that an event leads into.
  private func channels(of event: UInt32) -> [Int] {
    guard state.enabled != 0 else { return [] }
    return (0..<32).filter { state.enabled.has($0) && channel($0).event == event }
  }

  private func channel(_ number: Int) -> State.Channel {
    number < 20 ? state.channels[number] : Self.fixed[number - 20]
  }

  /// Whether an enabled channel listens to the event at an address.
  func listens(to event: UInt32) -> Bool { !channels(of: event).isEmpty }

  /// The event at an address happened: triggers the tasks of its channels, once what is triggered now is done.
  func happened(_ event: UInt32) {
    for number in channels(of: event) {
      for task in [channel(number).task, state.forks[number]] where task != 0 {
        guard state.waiting.count < Self.limit else {
          unimplemented.once("more than \(Self.limit) tasks wait to be triggered: some are dropped", context)
          break
        }
        state.waiting.append(task)
      }
    }
    if !isTriggering, !state.waiting.isEmpty { triggerWaiting() }
  }

  private func triggerWaiting() {
    isTriggering = true
    defer { isTriggering = false }
    for _ in 0..<Self.tasksAtOnce where !state.waiting.isEmpty { trigger(state.waiting.removeFirst()) }
    if !state.waiting.isEmpty { context.schedule(at: context.clock.now + Self.pause, token: 0) }
  }

  public func event(_ token: UInt64) { triggerWaiting() }

  private func trigger(_ task: UInt32) {
    do throws(BusError) {
      try context.space.write(UInt64(task), size: 4, 1)
    } catch {
      context.log(.guestError, "a channel leads to \(UInt64(task).hex0x()): \(error)")
    }
  }

  // MARK: Registers

  private func switchGroup(_ number: Int, isOn: Bool, _ value: UInt32) {
    guard value & 1 != 0 else { return }
    let group = state.groups[number]
    state.enabled = isOn ? state.enabled | group : state.enabled & ~group
  }

  /// CH[n].EEP and CH[n].TEP take turns.
  private func setEnd(_ index: Int, _ address: UInt32) {
    if index % 2 == 0 { state.channels[index / 2].event = address } else { state.channels[index / 2].task = address }
  }

  public func reset(_ cause: ResetCause) {
    context.cancel(token: 0)
    state = State()
  }
}
