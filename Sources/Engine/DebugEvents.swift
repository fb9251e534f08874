// Owns what debuggers hear of beside the addresses they stop at: handlers, system registers, devices, translated code, counts.
//
// Whoever sees something happen notes it if somebody watches, which is one test of a flag. What is noted waits for the next
// point between two instructions, where a run can end; there those who watch are asked whether it does.

import Bits

/// What a debugger wants to hear of.
public enum DebugWatch: Hashable, Sendable {
  /// Handlers that begin, for exceptions and interrupts.
  case handlers
  /// Instructions that name this register of the register file, or change it by the way.
  case systemRegister(Int)
  /// Accesses to physical addresses where a device answers, and what happens to devices at the end of each round.
  case device(ClosedRange<UInt64>)
  /// Translations and chains.
  case code
  /// That this vCPU has retired so many instructions. Told once.
  case instructions(vcpu: Int, UInt64)
  /// That a vCPU has come to this time, in ticks. Told once.
  case time(UInt64)
  /// What the program around the engine notes by ``DebugEvents/noteOutput()``.
  case output
}

/// Something that happened.
public enum DebugEvent: Sendable {
  /// The handler at PC was entered from `from`.
  case handler(cause: UInt64, from: UInt64)
  /// The instruction at `by` has reached a watched system register.
  case system(SystemRegisterChange)
  /// An instruction has accessed a watched device.
  case device(DeviceAccess)
  /// Devices may have changed without an access: time has passed for them, or input has come.
  case devicesRan
  case code(CodeEvent)
  case reached
  case output
}

public struct SystemRegisterChange: Sendable {
  /// By number in the register file.
  public var register: Int
  /// PC of the instruction.
  public var by: UInt64
  /// Whether the instruction names the register and reads it.
  public var isRead: Bool
  /// Whether it names the register and writes it, or has changed it all the same.
  public var isWrite: Bool
  public var before: UInt64
  public var after: UInt64
}

/// An access that a device has answered.
public struct DeviceAccess: Sendable {
  /// Physical.
  public var address: UInt64
  public var size: Int
  public var isWrite: Bool
  /// What was read or written.
  public var value: UInt64
}

/// Watches something. Asked between two instructions, as a debugger on the machine's thread.
public protocol DebugObserver: AnyObject {
  /// - Returns: why the vCPU stops, in words; nil if it does not.
  func stops(_ vcpu: VCPU, at event: DebugEvent) -> String?
}

/// Who watches what, and what has happened since anybody was asked.
public final class DebugEvents {
  private struct Watch {
    var what: DebugWatch
    var observer: any DebugObserver
  }

  /// What the loops ask.
  struct Flags: BitwiseCopyable {
    var isPending = false
    var handlers = false
    var system = false
    var devices = false
    var code = false
    var counts = false
    /// The run that is on goes instruction by instruction, for a count that is near.
    var isCounting = false
    /// Ticks before which the vCPU that runs comes to no count.
    var nextTick: UInt64 = 0
  }

  private var watches: [Watch] = [] { didSet { fill() } }
  /// One element.
  let flags = RawTable(copying: [Flags()])
  private var pending: [(event: DebugEvent, for: (any DebugObserver)?)] = []
  /// By number in the register file.
  private(set) var registers: [Int] = []
  private var ranges: [ClosedRange<UInt64>] = []

  /// Events that wait; whoever makes more between two instructions has been heard often enough.
  private static let mostPending = 256

  deinit { flags.deallocate() }

  private func fill() {
    var now = Flags()
    (registers, ranges) = ([], [])
    now.isPending = flags[0].isPending
    (now.isCounting, now.nextTick) = (flags[0].isCounting, 0)
    for watch in watches {
      switch watch.what {
      case .handlers: now.handlers = true
      case .systemRegister(let number):
        now.system = true
        if !registers.contains(number) { registers.append(number) }
      case .device(let range):
        now.devices = true
        ranges.append(range)
      case .code: now.code = true
      case .instructions, .time: now.counts = true
      case .output: break
      }
    }
    flags[0] = now
  }

  func insert(_ what: DebugWatch, _ observer: any DebugObserver) {
    watches.append(Watch(what: what, observer: observer))
  }

  func remove(_ observer: any DebugObserver) {
    watches.removeAll { $0.observer === observer }
    pending.removeAll { $0.for === observer }
  }

  @inline(__always) public var isPending: Bool { flags[0].isPending }
  @inline(__always) var watchesHandlers: Bool { flags[0].handlers }
  @inline(__always) var watchesSystem: Bool { flags[0].system }
  @inline(__always) public var watchesDevices: Bool { flags[0].devices }
  @inline(__always) var watchesCode: Bool { flags[0].code }
  @inline(__always) var hasCounts: Bool { flags[0].counts }

  @inline(__always)
  var isCounting: Bool {
    get { flags[0].isCounting }
    set { flags[0].isCounting = newValue }
  }

  @inline(__always)
  var nextTick: UInt64 {
    get { flags[0].nextTick }
    set { flags[0].nextTick = newValue }
  }

  /// Whether somebody watches a device in `size` bytes at a physical address.
  @inline(__always)
  func watchesDevice(_ physical: UInt64, _ size: Int) -> Bool {
    flags[0].devices
      && ranges.contains { $0.lowerBound <= physical &+ UInt64(size - 1) && physical <= $0.upperBound }
  }

  func note(_ event: DebugEvent, for observer: (any DebugObserver)? = nil) {
    flags[0].isPending = true
    if pending.count < Self.mostPending { pending.append((event, observer)) }
  }

  /// The guest has printed something that somebody waits for.
  public func noteOutput() { note(.output) }

  /// Time has passed for devices, or input has come.
  public func noteDevicesRan() { if watchesDevices { note(.devicesRan) } }

  /// Asks about all that was noted.
  /// - Returns: why the vCPU stops, if it does.
  func take(_ vcpu: VCPU) -> String? {
    let events = pending
    pending.removeAll()
    flags[0].isPending = false
    var reason: String?
    for (event, observer) in events {
      let asked = observer.map { [$0] } ?? watches.filter { $0.what.concerns(event) }.map(\.observer)
      for observer in asked {
        let text = observer.stops(vcpu, at: event)
        reason = reason ?? text
      }
    }
    return reason
  }

  // MARK: Counts

  /// The first time, in ticks, that somebody waits for.
  public var nextTime: UInt64? {
    guard hasCounts else { return nil }
    return watches.compactMap { if case .time(let ticks) = $0.what { ticks } else { nil } }.min()
  }

  /// A time, in ticks, that `vcpu` comes to before or when a count is reached; nil if none is to be.
  func nextCount(_ vcpu: VCPU) -> UInt64? {
    watches.compactMap { watch in
      switch watch.what {
      case .time(let ticks): ticks
      // Each instruction takes a tick, and other things do besides.
      case .instructions(vcpu.number, let count): vcpu.ticks &+ (count &- min(count, vcpu.retired))
      default: nil
      }
    }.min()
  }

  /// Notes the counts that `vcpu` has reached, which are watched no more.
  func noteCounts(_ vcpu: VCPU) {
    guard hasCounts else { return }
    let reached = watches.filter { watch in
      switch watch.what {
      case .time(let ticks): ticks <= vcpu.ticks
      case .instructions(vcpu.number, let count): count <= vcpu.retired
      default: false
      }
    }
    guard !reached.isEmpty else { return }
    watches.removeAll { watch in reached.contains { $0.what == watch.what && $0.observer === watch.observer } }
    for watch in reached { note(.reached, for: watch.observer) }
  }
}

extension DebugWatch {
  fileprivate func concerns(_ event: DebugEvent) -> Bool {
    switch (self, event) {
    case (.handlers, .handler), (.code, .code), (.output, .output), (.device, .devicesRan): true
    case (.systemRegister(let number), .system(let change)): number == change.register
    case (.device(let range), .device(let access)):
      range.lowerBound <= access.address &+ UInt64(access.size - 1) && access.address <= range.upperBound
    default: false
    }
  }
}
