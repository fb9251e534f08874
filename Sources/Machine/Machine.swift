// Owns a running board: engine, bus, devices, the thread they run on, and the only door to them from other threads.

import Bus
import Devicetree
import Engine
import GuestKit
import HostKit
import SVD

/// A machine made from a devicetree. Everything in it belongs to the machine's thread; other threads go through
/// ``perform(_:)``, ``resume(_:)``, ``stop()`` and ``inject(_:to:)``.
public final class Machine: @unchecked Sendable {
  public let configuration: MachineConfiguration
  /// What it is made of.
  let registry: Registry
  public let guest: any Guest
  /// What the guest has of these.
  let devicetreeBoot: (any DevicetreeBoot)?
  let debugUnit: (any DebugUnit)?
  public let engine: Engine
  public let space: AddressSpace
  public let clock: VirtualClock
  public let events: EventQueue
  /// The tree as edited for the guest.
  public internal(set) var tree: Devicetree
  /// Devices in the order of their event-queue numbers, with their nodes' paths.
  public internal(set) var devices: [(path: String, device: any Device)] = []
  var directory = DeviceDirectory()
  public internal(set) var memories: [RAMRegion] = []
  /// What the user's SVD file calls registers.
  public internal(set) var registerNames: RegisterDescription?
  /// What the user should know of the files the machine was made from.
  public internal(set) var notes: [String] = []
  /// The firmware it starts with, the user's or one that was installed.
  var firmwarePath: String?
  /// Where the boot starts, and the symbols of loaded ELF files.
  public internal(set) var boot = BootPlan()
  public internal(set) var symbols = SymbolTable()
  public internal(set) var sources = SourceIndex([])
  let controller: PowerController
  /// Through which others read what the guest prints.
  public let taps: ConsoleTaps
  /// Through which slow readers of output hold the guest. To be set before ``start()``.
  public var gate = OutputGate()
  /// To be set before ``start()``; nil: the first character device is the console.
  public var semihostingConsole: HostConsole? {
    didSet {
      guard let output = semihostingConsole?.output, !(output is TappedBackend) else { return }
      semihostingConsole?.output = TappedBackend(output, path: HostConsole.ownPath, taps)
    }
  }
  lazy var semihosting = Semihosting(configuration, guest)
  public internal(set) var interruptLines: [IRQLine] = []

  /// Input from the host that has taken effect, and that which is still to come: in a replay (the last one first), or
  /// not yet applied.
  public internal(set) var recorded: [RecordedInput] = []
  var replay: [RecordedInput] = []
  let door = Door()
  var round = Round()
  public internal(set) var isRunning = false
  public internal(set) var lastStop: StopEvent = .requested
  /// Snapshots kept in memory under names; see ``saveSnapshot(named:)``.
  public internal(set) var snapshots: [String: MachineSnapshot] = [:]
  var stepRequest: RunRequest?
  /// The past; nil where it is not kept.
  var timeline: Timeline?
  /// What is run again of the past.
  var rerun: Rerun? { didSet { if oldValue !== rerun { oldValue?.leave() } } }
  /// Stop, as if a user asked for it, once every vCPU has seen so many ticks.
  var runLimit: UInt64?
  /// What each hart does while the machine runs.
  var hartRuns: [HartRun]
  /// Told of each hart that stops, in non-stop.
  var hartStopHandler: ((_ hart: Int, StopEvent) -> Void)?
  /// Ticks that a hart has waited for an interrupt since the last ``resume(_:passesBreakpoints:)`` for a step.
  public internal(set) var stepsWaited: UInt64 = 0
  /// A step ended a wait that nothing else would have ended soon.
  public internal(set) var stepEndedWait = false
  /// The step at hand has executed an instruction that waits, and ends behind it.
  var stepWaits = false
  /// Ticks that the stepped hart's present wait has taken.
  var waitedNow: UInt64 = 0
  /// Told of each stop, on the machine's thread.
  public var stopObservers: [@Sendable (StopEvent) -> Void] = []
  /// Holds virtual time back to the user's clock; nil: it runs as fast as the host can.
  var pace: Pace?
  /// Passes a call of semihosting to a debugger, on the machine's thread, with its number. Returns false if there is
  /// none; otherwise ``finishFileCall(_:number:)`` follows.
  public var fileCallHandler: (@Sendable (RemoteFileCall, _ number: UInt64) -> Bool)?
  var remoteWait: RemoteWait?
  /// Harts that wait for the console in a call of semihosting.
  var inputWaiters: Set<Int> = []
  /// The next operation of semihosting is not for the debugger, which refused it.
  var isServedHere = false
  /// Calls passed to the debugger, so far.
  var fileCallCount: UInt64 = 0
  /// Debuggers' reads of device registers are real ones; see ``GuestMemory``.
  public var allowsDeviceReads = false
  /// What is known of the guest's kernel.
  public let kernel: KernelAwareness

  init(
    configuration: MachineConfiguration, registry: Registry, guest: any Guest, engine: Engine, space: AddressSpace,
    clock: VirtualClock, events: EventQueue, tree: Devicetree, controller: PowerController, taps: ConsoleTaps
  ) {
    self.configuration = configuration
    self.registry = registry
    runLimit = configuration.instructionLimit
    self.guest = guest
    devicetreeBoot = guest as? any DevicetreeBoot
    debugUnit = guest as? any DebugUnit
    self.engine = engine
    self.space = space
    self.clock = clock
    self.events = events
    self.tree = tree
    self.controller = controller
    self.taps = taps
    kernel = KernelAwareness(showsTasks: configuration.showsTasks)
    pace = configuration.realtime.map { Pace(factor: $0) }
    hartRuns = engine.vcpus.map { _ in .run }
  }

  deinit { directory.removeAll() }

  /// Runs `body` on the machine's thread, at a point between instructions of the guest; the guest pauses for it if it
  /// is running, and goes on after. While it stands, the calling thread may take the place of the machine's for it.
  public func perform<T: Sendable>(_ body: @escaping @Sendable (Machine) -> T) -> T {
    if door.isInside { return body(self) }
    return door.submit { body(self) }
  }

  /// Lets a stopped machine go on, in non-stop all of its harts. Without effect on a running one.
  /// - Parameters:
  ///   - passesBreakpoints: whether harts that stand at a breakpoint go on from it, or stop at once.
  ///   - held: harts that stand still until the machine stops.
  public func resume(_ request: RunRequest = .run, passesBreakpoints: Bool = true, holding held: [Int] = []) {
    perform { machine in
      guard !machine.isRunning, !machine.waitsForDebugger else { return }
      machine.startRun()
      switch request {
      case .run:
        if !held.isEmpty { machine.noteChange() }
        machine.setAllHarts(.run, but: held)
      case .step, .stepRange:
        machine.stepRequest = request
        if !machine.isNonStop { machine.setAllHarts(.run, but: held) }
      }
      for vcpu in machine.engine.vcpus { vcpu.passBreakpoint(passesBreakpoints) }
    }
  }

  func startRun() {
    if case .exited = lastStop { reset(.powerOn) }
    keepChange()
    pace?.end()
    stepRequest = nil
    (stepsWaited, stepEndedWait, stepWaits, waitedNow) = (0, false, false, 0)
    isRunning = true
  }

  /// Stops a running machine; the observers hear of ``StopEvent/requested``. One that waits for a debugger to carry out a
  /// call stops when that is done.
  public func stop() {
    perform { machine in
      machine.remoteWait?.isToStop = true
      if machine.isRunning { machine.halt(.requested) }
    }
  }

  /// Gives characters from the host to a character device, by its path. They take effect, and are recorded, at the
  /// next end of a time slice. No characters at all are the end of the input.
  public func inject(_ bytes: [UInt8], to path: String) {
    door.post { [self] in
      pendingInput.append((path, bytes))
    }
  }
  var pendingInput: [(path: String, bytes: [UInt8])] = []

  /// Ends the machine's thread.
  public func shutDown() { door.close() }

  /// Adds the symbols of a file that was not loaded. On the machine's thread.
  public func addSymbols(_ new: [Symbol], movedBy offset: UInt64 = 0) {
    symbols.add(
      new.map { symbol in
        var symbol = symbol
        symbol.address &+= offset
        return symbol
      })
  }

  func halt(_ event: StopEvent) {
    if rerun?.takes(event) == true { return }
    rerun = nil
    if holdsAlone(event) { return }
    isRunning = false
    setAllHarts(isNonStop ? .held : .run)
    switch event {
    case .exited, .reset, .lockedUp, .failed:
      for (_, device) in devices { (device as? any CharacterDevice)?.drain() }
    default: break
    }
    stepRequest = nil
    lastStop = event
    for observer in stopObservers { observer(event) }
  }
}
