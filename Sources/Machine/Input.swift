// Owns what comes from the host while the guest runs: when it takes effect, its record and its replay.

import Bus
import Engine

/// Characters that took effect at a point in virtual time.
public struct RecordedInput: Codable, Sendable, Equatable {
  public var ticks: UInt64
  /// Path of the character device.
  public var device: String
  public var bytes: [UInt8]
  public init(ticks: UInt64, device: String, bytes: [UInt8]) {
    self.ticks = ticks
    self.device = device
    self.bytes = bytes
  }
}

extension Machine {
  /// Lets the input of an earlier run take effect at the same points of this one. Before the first ``resume(_:)``.
  public func setReplay(_ inputs: [RecordedInput]) {
    replay = inputs.enumerated().sorted { ($0.element.ticks, $0.offset) > ($1.element.ticks, $1.offset) }.map(\.element)
  }

  /// Hands over what is due; at the start of a round, where all vCPUs have reached the same time.
  func applyInput() {
    let now = engine.vcpus.map(\.ticks).min() ?? 0
    while let next = replay.last, next.ticks <= now {
      replay.removeLast()
      deliver(next)
    }
    // What comes while the past is run again waits for the present.
    if isInKnownPast { return }
    for (path, bytes) in pendingInput { deliver(RecordedInput(ticks: now, device: path, bytes: bytes)) }
    pendingInput.removeAll()
  }

  private func deliver(_ input: RecordedInput) {
    recorded.append(input)
    engine.debug.events.noteDevicesRan()
    if let timeline, !isInKnownPast { timeline.writer?.reach(self, timeline) }
    clock.now = input.ticks &* clock.nanosecondsPerInstruction
    if configuration.semihosting, input.device == semihostingConsole?.path ?? consolePath {
      inputWaiters.removeAll()
      if semihosting.type(input.bytes) { return }
    }
    guard !input.bytes.isEmpty else { return }
    for (path, device) in devices where path == input.device {
      (device as? any CharacterDevice)?.receive(input.bytes)
    }
  }

  /// Where input from the user goes: the first character device, or none of the board's.
  public var consolePath: String {
    devices.first { $0.device is any CharacterDevice }?.path ?? HostConsole.ownPath
  }
}
