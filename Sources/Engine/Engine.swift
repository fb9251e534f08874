// Owns the making of a translator for one machine, and what the machine around it says: stop, interrupt, time has come.

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
  /// Passes of one's own, behind those of the pipeline.
  public var customPasses: [CustomPass] = []
  public var tiers = TierPolicy.adaptive
  /// How often code is interpreted before it is compiled.
  public var interpretedRuns: UInt32 = 32
  public init() {}
}

/// A translator with its vCPUs. What it does is done by its parts, each of which owns what it changes, and by the vCPUs. Runs on
/// one thread; other threads only ask it to stop (``requestStop()``).
@safe public final class Engine {
  public let guest: any Guest
  public let host: any Host
  /// Who keeps the map of guest memory, and the map.
  private let map: any MemoryMap
  public let space: FlatMap
  public let clock: VirtualClock
  public let events: EventQueue
  public let options: EngineOptions
  public let log: EngineLog
  public let debug: DebugPoints
  public let profile: Profile
  public let code: CodeStore
  let runners: Runners
  let windows: Windows
  let guardian: CodeGuard
  let translator: Translator
  let hostConfiguration: HostConfiguration
  /// Makes the walkers through a block op by op; nil where none is registered.
  public var opStepper: OpStepperFactory?
  public var vcpus: [VCPU] { runners.all }
  /// The blocks of ``code``.
  public var store: BlockStore { _read { yield code.blocks } }
  public var statistics: EngineStatistics { profile.statistics }

  public init<H: Host>(
    guest: any Guest, host hostType: H.Type, interpreter interpreterType: (any PackedTier.Type)? = nil,
    space map: any MemoryMap, clock: VirtualClock, events: EventQueue, vcpuCount: Int,
    options: EngineOptions = EngineOptions(), log: EngineLog = EngineLog()
  ) throws(EngineError) {
    self.guest = guest
    self.map = map
    space = map.flat
    self.clock = clock
    self.events = events
    self.options = options
    self.log = log
    debug = DebugPoints(reach: UInt64(max(0, guest.longestTransfer - 1)))
    profile = Profile(countsExecutions: options.countsExecutions)
    let file = guest.registerFile
    hostConfiguration = unsafe HostConfiguration(
      registers: file.registers.map { RegisterSlot(offset: $0.offset, type: $0.type) }, pinOrder: file.pinOrder,
      helpers: guest.helpers, slowAccess: slowAccessEntry, floatEnvironment: file.floatEnvironment,
      codeCacheSize: options.codeCacheSize, interrupts: options.interrupts)
    let interpreter: (any PackedTier)?
    do throws(HostError) {
      host = try H(hostConfiguration)
      interpreter =
        options.tiers == .adaptive
        ? try interpreterType?.init(hostConfiguration, entries: options.interpretedRuns) : nil
    } catch { throw .host(error) }
    let states = (0..<vcpuCount).map { _ in VCPUState.allocate(size: file.stateSize) }
    runners = Runners(options.interrupts.isDeterministic ? nil : Kicks(host, states))
    code = CodeStore(host, interpreter, space, profile, runners, chainsInterpreted: options.interrupts.isDeterministic)
    do throws(MemoryError) { windows = try Windows(space, code, debug, runners, log) } catch { throw .memory(error) }
    guardian = CodeGuard(space, code, windows, debug, runners)
    translator = Translator(guest, space, code, guardian, debug, log, options)
    for (number, state) in states.enumerated() { runners.add(VCPU(number: number, state: state, self)) }
    space.didWriteMemory = { [unowned guardian] address, count in guardian.memoryChanged(address, count) }
    space.didChangeLayout = { [unowned self] region in layoutChanged(region) }
    events.didMoveDeadline = { [unowned self] in deadlineMoved() }
    clock.didChangeCounter = { [unowned self] in counterChanged() }
    log.itemsChanged = { [unowned self] in logChanged() }
    logChanged()
    counterChanged()
  }

  deinit { runners.dissolve() }

  /// Asks the running vCPU to come back soon; from any thread.
  public func requestStop() { runners.requestStop() }

  /// Lowers the flag that ``requestStop()`` raised.
  public func clearStopRequest() { runners.stopFlag.lower() }

  private func logChanged() {
    guard code.mayChain == log.isOn(.noChain) else { return }
    code.mayChain.toggle()
    flush()
  }

  private func counterChanged() {
    for vcpu in vcpus {
      vcpu.timebase = Timebase(clock.counter, nanosecondsPerTick: clock.nanosecondsPerInstruction)
      vcpu.renewTimer()
    }
  }

  private func deadlineMoved() {
    if events.nextDeadline != .max { runners.current?.shortenRun(to: ticks(until: events.nextDeadline)) }
  }

  /// The first tick at which `time` (ns) has come.
  public func ticks(until time: UInt64) -> UInt64 {
    let unit = clock.nanosecondsPerInstruction
    return time / unit + (time % unit == 0 ? 0 : 1)
  }

  /// Makes the running vCPU look at what is due at its next interrupt point; from devices, on the engine's thread.
  public func kick() { runners.current?.kick() }

  /// An interrupt input of a vCPU changed.
  public func setInterruptLine(_ vcpu: VCPU, _ line: Int, _ level: Bool) {
    guest.setInterruptLine(vcpu.state, line, level)
    vcpu.kick()
    // Whoever interrupts another vCPU mostly waits for it next.
    if level, let current = runners.current, current !== vcpu {
      current.progress.givesWay = true
      current.kick()
    }
  }

  private func layoutChanged(_ region: Region) {
    translator.forgetSource()
    do throws(MemoryError) {
      try windows.remap(region)
      try guardian.guides.remap(region)
    } catch { log.write(.guestErrors, "memory window: \(error)") }
    runners.publishGuides()
    for page in windows.protectedPages(in: region) { guardian.protect(page) }
    for vcpu in vcpus { vcpu.flushTLB(TranslationFence()) }
  }
}
