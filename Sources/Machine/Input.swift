// Owns what comes from the host while the guest runs: when it takes effect, its record, its replay, and pacing.

import Bus
import Engine
import Glibc

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

/// The user's clock (ns) and the guest's at the start of a wait.
struct Pacing {
  var wall: UInt64
  var virtual: UInt64
}

extension Machine {
  /// Lets the input of an earlier run take effect at the same points of this one. Before the first ``resume(_:)``.
  public func setReplay(_ inputs: [RecordedInput]) {
    replay = inputs.sorted { $0.ticks < $1.ticks }
  }

  /// Hands over what is due; at the start of a round, where all vCPUs have reached the same time.
  func applyInput() {
    let now = engine.vcpus.map(\.ticks).min() ?? 0
    while let next = replay.first, next.ticks <= now {
      replay.removeFirst()
      deliver(next)
    }
    for (path, bytes) in pendingInput { deliver(RecordedInput(ticks: now, device: path, bytes: bytes)) }
    pendingInput.removeAll()
  }

  private func deliver(_ input: RecordedInput) {
    recorded.append(input)
    clock.now = input.ticks &* clock.nanosecondsPerInstruction
    if configuration.semihosting, input.device == consolePath {
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
    devices.first { $0.device is any CharacterDevice }?.path ?? "/semihosting"
  }

  /// All vCPUs wait and no event will come: sleeps until somebody sends something.
  func waitForInput() {
    pacing = nil
    if pendingInput.isEmpty { door.wait(nanoseconds: 50_000_000) }
  }

  /// While all vCPUs wait, keeps the guest's time from running ahead of the user's: sleeps until `end` (ticks) is due.
  func pace(from start: UInt64, until end: UInt64) {
    guard configuration.paced else { return }
    let unit = clock.nanosecondsPerInstruction
    let wall = wallNanoseconds()
    let begin = pacing ?? Pacing(wall: wall, virtual: start &* unit)
    pacing = begin
    let due = begin.wall &+ (end &* unit &- begin.virtual)
    if due > wall { door.wait(nanoseconds: due - wall) }
  }

  private func wallNanoseconds() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }
}

/// Starts the machine's thread, with a stack that suits the host's code.
enum MachineThread {
  private final class Body {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
  }

  static func spawn(_ body: @escaping () -> Void) {
    var thread = pthread_t()
    let argument = unsafe Unmanaged.passRetained(Body(body)).toOpaque()
    unsafe pthread_create(
      &thread, nil,
      { argument in
        if let argument = unsafe argument { unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, argument)
    pthread_detach(thread)
  }
}
