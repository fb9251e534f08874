// Owns the parts of a translator at work on one machine: guest, host, memory, blocks, vCPUs.

import Bus
import GuestKit
import HostKit
import IR
import Optimizer

public enum EngineError: Error, Sendable, CustomStringConvertible {
  case host(HostError)
  case memory(MemoryError)

  public var description: String {
    switch self {
    case .host(.codeCacheFull): "the code cache is too small for one block"
    case .host(.unsupported(let what)): "the host back end cannot do \(what)"
    case .host(.setup(let what)): "the host back end could not be set up: \(what)"
    case .memory(let error): "\(error)"
    }
  }
}

/// Choices made once for an engine.
public struct EngineOptions: Sendable {
  /// Longest translation block, in guest instructions.
  public var maximumInstructions = 64
  public var codeCacheSize = 64 << 20
  /// How running code is stopped, and what virtual time follows.
  public var interrupts = InterruptStrategy.budget
  /// Give every block an execution counter.
  public var countsExecutions = false
  /// Optimiser passes switched off, by name.
  public var disabledPasses: Set<String> = []
  public var tiers = TierPolicy.adaptive
  /// How often code is interpreted before it is compiled.
  public var interpretedRuns: UInt32 = 32
  public init() {}
}

/// A translator with its vCPUs. Runs on one thread; other threads only ask it to stop (``requestStop()``).
@safe public final class Engine {
  public let guest: any Guest
  public let host: any Host
  /// Executes code that has not run often, where there is one.
  let interpreter: (any PackedTier)?
  public let space: AddressSpace
  public let clock: VirtualClock
  public let events: EventQueue
  public let log = EngineLog()
  public internal(set) var options: EngineOptions {
    @inline(__always)
    _read { yield optionsCell.value }
    @inline(__always)
    _modify { yield &optionsCell.value }
  }
  public private(set) var vcpus: [VCPU] = []

  public internal(set) var store: BlockStore {
    @inline(__always)
    _read { yield storeCell.value }
    @inline(__always)
    _modify { yield &storeCell.value }
  }
  public internal(set) var statistics: EngineStatistics {
    @inline(__always)
    _read { yield statisticsCell.value }
    @inline(__always)
    _modify { yield &statisticsCell.value }
  }
  public let debug: DebugPoints
  /// The first access by no load or store that hit a watchpoint, until it is reported.
  var transferHit: WatchHit?
  let watchedAccesses = WatchedAccesses()
  /// Of the windows whose code has made accesses beside watched bytes.
  var twins: [WindowTwin] = []
  private let optionsCell = RawCell(EngineOptions())
  private let storeCell = RawCell(BlockStore())
  private let statisticsCell = RawCell(EngineStatistics())
  private let builderCell: RawCell<Builder>
  private let outlineCell = RawCell(BlockOutline())
  private let besideCodeCell = RawCell(StoresBesideCode())
  private let observersCell = RawCell([any TranslationObserver]())
  let window: MemoryWindow
  /// A window with nothing in it: every access takes the slow path.
  let emptyWindow: MemoryWindow
  var restrictedWindows: [RestrictedWindow] = []
  /// Base of the window that code runs in, and the pages whose protection is up to date in no other.
  var activeWindow: UInt = 0
  var staleProtections: Set<UInt64> = []
  /// Counts the changes after which vCPUs must look for their windows anew.
  var windowGeneration: UInt64 = 1
  let hostConfiguration: HostConfiguration
  /// By guest register: where packed code finds it.
  let operandPlaces: [Place]
  /// The bits of an address that count.
  let addressMask: UInt64
  /// What the guest has beside what every guest has.
  let paging: (any Paging)?
  let protection: (any MemoryProtection)?
  let exceptionHardware: (any ExceptionHardware)?
  let debugUnit: (any DebugUnit)?
  /// As the guest says; asked at every exit.
  let codeFlags: TranslationFlags
  @inline(__always)
  var flagsFollowCode: Bool { codeFlags != 0 }
  /// Makes the walkers through a block op by op; nil where none is registered.
  public var opStepper: OpStepperFactory?
  var optimizer: Optimizer
  /// Builds one block after the other in the same memory.
  var builder: Builder {
    @inline(__always)
    _read { yield builderCell.value }
    @inline(__always)
    _modify { yield &builderCell.value }
  }
  let codeSource = RawCell(CodeSource())
  /// What was told of the block that was translated last.
  var outline: BlockOutline {
    @inline(__always)
    _read { yield outlineCell.value }
    @inline(__always)
    _modify { yield &outlineCell.value }
  }
  /// Exits that may not be chained by order of the user: (source PC, target PC).
  public internal(set) var forbiddenChains: Set<ChainEdge> = []
  /// The ``GuestKit/MemoryProtection/protectionState(_:)`` that chains were made under, where there are several vCPUs.
  var chainProtection: [UInt64] = []
  /// Blocks whose one instruction straddles two pages, by the second page.
  var straddlers: [UInt64: [BlockID]] = [:]
  /// The regions among the blocks.
  public internal(set) var regions: [BlockID: CodeRegion] = [:]
  var besideCode: StoresBesideCode {
    @inline(__always)
    _read { yield besideCodeCell.value }
    @inline(__always)
    _modify { yield &besideCodeCell.value }
  }
  /// What generated code counts while executions are counted; stable addresses.
  var counters = CounterTable()
  /// What the engine counts meanwhile, by guest PC.
  var slowEvents: [UInt64: SlowEvents] = [:]
  /// Instructions up to the next sample.
  var sampleInterval = Engine.shortestSampleInterval
  /// On the host's monotonic clock (ns): when the next sample is due, where nothing counts instructions.
  var nextSampleTime: UInt64 = 0
  var observers: [any TranslationObserver] {
    @inline(__always)
    _read { yield observersCell.value }
    @inline(__always)
    _modify { yield &observersCell.value }
  }
  /// The vCPU that runs now, and the ticks at which it is to come back.
  var current: VCPU?
  var currentDeadline: UInt64 = .max
  let stopFlag = StopFlag()
  let stopProbe = StopProbe()
  /// Nil where the budget stops code.
  private(set) var kicks: Kicks?

  public init<H: Host>(
    guest: any Guest, host hostType: H.Type, interpreter interpreterType: (any PackedTier.Type)? = nil,
    space: AddressSpace,
    clock: VirtualClock,
    events: EventQueue, vcpuCount: Int, options: EngineOptions = EngineOptions()
  ) throws(EngineError) {
    self.guest = guest
    paging = guest as? any Paging
    protection = guest as? any MemoryProtection
    exceptionHardware = guest as? any ExceptionHardware
    debugUnit = guest as? any DebugUnit
    codeFlags = guest.codeFlags
    addressMask = guest.addressBits == 32 ? 0xFFFF_FFFF : .max
    debug = DebugPoints(reach: UInt64(max(0, guest.longestTransfer - 1)))
    self.space = space
    self.clock = clock
    self.events = events
    optimizer = Optimizer(disabled: options.disabledPasses, helpers: guest.helpers.map(\.effects))
    let file = guest.registerFile
    operandPlaces = file.registers.map { $0.type.bits > 64 ? .none : .register(at: $0.offset) }
    builderCell = RawCell(Builder(pc: 0, places: operandPlaces))
    let configuration = unsafe HostConfiguration(
      registers: file.registers.map { RegisterSlot(offset: $0.offset, type: $0.type) }, pinOrder: file.pinOrder,
      helpers: guest.helpers, slowAccess: slowAccessEntry, floatEnvironment: file.floatEnvironment,
      codeCacheSize: options.codeCacheSize, interrupts: options.interrupts)
    hostConfiguration = configuration
    do throws(HostError) {
      host = try H(configuration)
      interpreter =
        options.tiers == .adaptive ? try interpreterType?.init(configuration, entries: options.interpretedRuns) : nil
    } catch { throw .host(error) }
    do {
      window = try MemoryWindow()
      emptyWindow = try MemoryWindow()
      try window.mapAll(of: space)
      unsafe activeWindow = UInt(bitPattern: window.base)
    } catch { throw .memory(error) }
    vcpus = (0..<vcpuCount).map { VCPU(number: $0, engine: self) }
    for vcpu in vcpus {
      vcpu.state.store(unsafe UInt(bitPattern: window.base), at: StateOffset.dataBase)
      vcpu.state.store(window.size, at: StateOffset.windowLimit)
    }
    self.options = options
    if !options.interrupts.isDeterministic { kicks = Kicks(host, vcpus.map(\.state)) }
    space.didWriteMemory = { [unowned self] address, count in codeMayHaveChanged(address, count) }
    space.didChangeLayout = { [unowned self] region in layoutChanged(region) }
    events.didMoveDeadline = { [unowned self] in deadlineMoved() }
    clock.didChangeCounter = { [unowned self] in counterChanged() }
    counterChanged()
  }

  deinit { kicks?.timer.stop() }

  /// Virtual time of a vCPU, exact whenever it calls out of translated code.
  @inline(__always)
  func time(of vcpu: VCPU) -> UInt64 { vcpu.now &* clock.nanosecondsPerInstruction }

  /// Asks the running vCPU to come back soon; from any thread.
  public func requestStop() {
    stopFlag.raise()
    kicks?.kickAll()
  }

  private func counterChanged() {
    for vcpu in vcpus { vcpu.timebase = Timebase(clock.counter, nanosecondsPerTick: clock.nanosecondsPerInstruction) }
  }

  private func deadlineMoved() {
    guard let current else { return }
    let deadline = events.nextDeadline
    guard deadline != .max else { return }
    let ticks = ticks(until: deadline)
    guard ticks < currentDeadline else { return }
    currentDeadline = ticks
    if kicks != nil { return setTimer(current) }
    current.shortenBudget(to: Int64(clamping: ticks) &- Int64(clamping: current.now))
  }

  /// The first tick at which `time` (ns) has come.
  public func ticks(until time: UInt64) -> UInt64 {
    let unit = clock.nanosecondsPerInstruction
    return time / unit + (time % unit == 0 ? 0 : 1)
  }

  /// Makes the running vCPU look at what is due at its next interrupt point; from devices, on the engine's thread.
  public func kick() { current?.kick() }

  /// An interrupt input of a vCPU changed.
  public func setInterruptLine(_ vcpu: VCPU, _ line: Int, _ level: Bool) {
    guest.setInterruptLine(vcpu.state, line, level)
    vcpu.kick()
    // Whoever interrupts another vCPU mostly waits for it next.
    if level, let current, current !== vcpu {
      current.givesWay = true
      current.kick()
    }
  }

  func writePhysical(_ address: UInt64, size: Int, _ value: UInt64) -> Bool {
    do {
      try space.write(address, size: size, value)
      return true
    } catch { return false }
  }
}
