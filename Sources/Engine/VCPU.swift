// Owns one virtual CPU: everything that changes while it runs, and its place in virtual time. What it shares with the others
// are its constants; see <doc:Threads>.

import Bits
import Bus
import GuestKit
import HostKit
import IR

/// A virtual CPU, and the runner of its code.
@safe public final class VCPU: VCPUContext {
  public let number: Int
  public let state: VCPUState
  let stateSize: Int

  // MARK: Shared

  let guest: any Guest
  /// What the guest has beside what every guest has.
  let paging: (any Paging)?
  let protection: (any MemoryProtection)?
  let exceptionHardware: (any ExceptionHardware)?
  let debugUnit: (any DebugUnit)?
  let timerHardware: (any TimerHardware)?
  let host: any Host
  let interpreter: (any PackedTier)?
  let space: FlatMap
  let pageTables: PageTableReader
  let clock: VirtualClock
  let debug: DebugPoints
  /// The flags of its ``DebugEvents``, which the loops ask: one element.
  let watched: RawTable<DebugEvents.Flags>
  let code: CodeStore
  let windows: Windows
  let guardian: CodeGuard
  let translator: Translator
  let profile: Profile
  let runners: Runners
  let engineLog: EngineLog
  let options: EngineOptions
  /// Nil where the budget stops code.
  let kicks: Kicks?
  /// For what is not done while code runs.
  unowned let engine: Engine
  /// As the guest says; asked at every exit.
  let codeFlags: TranslationFlags
  @inline(__always)
  var flagsFollowCode: Bool { codeFlags != 0 }
  /// The bits of an address that count.
  let addressMask: UInt64

  // MARK: Its own

  let modes: Modes
  private let progressCell = RawCell(VCPUProgress())
  /// How the platform's counter follows from the vCPU's time. A copy: guests that poll the time read it very often.
  var timebase = Timebase(nil, nanosecondsPerTick: 1)
  var sampler = Sampler()
  /// The ticks at which the run that is on is to end.
  var deadline = UInt64.max
  /// Where waits end at the latest.
  var waitEnd = UInt64.max
  /// While the vCPU runs by the host's clock: the time (ns) up to which ``ticks`` counts. Else `.max`.
  var hostStart = UInt64.max
  private let isSteppingCell = RawCell(false)
  /// The instruction made a store behind which interrupts may be taken.
  var decidedInterrupts = false
  /// The branch that closed a waiting loop last, the instructions retired then, and the slow accesses made.
  var lastSpin: (pc: UInt64, retired: UInt64, slowAccesses: UInt64) = (.max, 0, 0)
  /// It was said that the vCPU is locked up; that is not said again before it runs.
  var isKnownLockedUp = false
  /// Sees exceptions before the guest does.
  public var exceptionHandler: (any ExceptionHandler)?
  /// Is told of each instruction. Changed between two instructions.
  public var follower: (any InstructionFollower)?
  /// A block that is being stepped through op by op.
  var opSession: OpSession?
  /// What somebody waits for in the block at the breakpoint that the vCPU has come to; nil if it stops at its PC.
  public var wantedOp: WantedOp?
  /// The PC whose breakpoint the next run passes over.
  var passedBreakpoint: UInt64?
  /// The watchpoint access that ended the last run.
  public internal(set) var watchHit: WatchHit?
  private let suppressesWatchpointsCell = RawCell(false)
  /// The accesses of an instruction that hits a watchpoint, as far as they take the slow path; nil while none are noted.
  var seenAccesses: [SeenAccess]?

  init(number: Int, state: VCPUState, _ engine: Engine) {
    self.number = number
    self.state = state
    self.engine = engine
    guest = engine.guest
    paging = guest as? any Paging
    protection = guest as? any MemoryProtection
    exceptionHardware = guest as? any ExceptionHardware
    debugUnit = guest as? any DebugUnit
    timerHardware = guest as? any TimerHardware
    host = engine.host
    interpreter = engine.code.interpreter
    space = engine.space
    pageTables = PageTableReader(engine.space)
    clock = engine.clock
    debug = engine.debug
    watched = engine.debug.events.flags
    code = engine.code
    windows = engine.windows
    guardian = engine.guardian
    translator = engine.translator
    profile = engine.profile
    runners = engine.runners
    engineLog = engine.log
    options = engine.options
    kicks = engine.runners.kicks
    codeFlags = guest.codeFlags
    addressMask = guest.addressBits == 32 ? 0xFFFF_FFFF : .max
    stateSize = guest.registerFile.stateSize
    modes = Modes(guest)
    super.init()
    state.store(unsafe UInt(bitPattern: Unmanaged.passUnretained(self).toOpaque()), at: StateOffset.context)
    state.store(windows.base, at: StateOffset.dataBase)
    state.store(windows.size, at: StateOffset.windowLimit)
  }

  deinit { state.deallocate() }

  public var progress: VCPUProgress {
    @inline(__always)
    _read { yield progressCell.value }
    @inline(__always)
    _modify { yield &progressCell.value }
  }

  /// Whether the block that runs is one of a single instruction.
  var isStepping: Bool {
    get { isSteppingCell.value }
    set { isSteppingCell.value = newValue }
  }

  /// An instruction that hits a watchpoint is executed all the same.
  var suppressesWatchpoints: Bool {
    get { suppressesWatchpointsCell.value }
    set { suppressesWatchpointsCell.value = newValue }
  }

  // MARK: What the guest asks

  public override var retiredInstructions: UInt64 { progress.retired &+ executedInRun }

  public override var platformTime: UInt64 { timebase.count(at: now) }

  public override func stateChanged() { kick() }

  public override func modeChanged() {
    enterMode()
    if isStepping { publish(modes.empty) }
    host.dataBaseChanged(state)
  }

  public override func enterHandler(of exception: GuestException) -> Bool { takeInCode(exception) }

  public override func handlerBegins(_ cause: UInt64) { debug.events.note(.handler(cause: cause, from: state.pc)) }

  public override func clearReservation() { reservation = nil }

  public override func log(_ item: LogItem, _ message: @autoclosure () -> String) { engineLog.write(item, message()) }

  public override func flushTLB(_ fence: TranslationFence) {
    switch fence.reach {
    case .own: forgetTranslations(fence)
    case .all: for vcpu in runners.all { vcpu.forgetTranslations(fence) }
    }
  }

  public override func schedule(at time: UInt64) { startTimer(at: time) }

  public override func protectionChanged() {
    for mode in modes.all {
      mode.clearTLB()
      mode.clearJumpCache()
    }
    windows.generation &+= 1
    code.unchainAll(because: .remapped)
  }

  public override func dataProtectionChanged() {
    windows.generation &+= 1
    for mode in modes.all { mode.clearTLB() }
    kick()
  }

  public override func stepNext() { progress.runsNextAlone = true }

  public override func waitForInterrupt() { progress.isWaiting = !guest.wakesFromWait(state) }

  public override func willTransfer(_ address: UInt64, size: Int, isWrite: Bool) {
    if space.willTransfer != nil { noteTransfer(address, size, isWrite: isWrite) }
  }

  public override func setComparators(_ comparators: [Comparator]) { engine.setComparators(comparators) }

  public override func spins(_ length: UInt64) { skipSpins(length) }

  public override func readPhysical(_ address: UInt64, size: Int) -> UInt64? {
    space.readMemory(address, size: size) ?? (try? space.read(address, size: size))
  }

  public override func writePhysical(_ address: UInt64, size: Int, _ value: UInt64) -> Bool {
    do {
      try space.write(address, size: size, value)
      return true
    } catch { return false }
  }
}
