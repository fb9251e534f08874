// Owns one virtual CPU: its state block, its per-mode caches, its place in virtual time.

import Bits
import Bus
import GuestKit
import HostKit
import IR

/// A virtual CPU.
@safe public final class VCPU: VCPUContext {
  public let number: Int
  public let state: VCPUState
  /// It owns its vCPUs, so nothing need be counted.
  let owner: Unmanaged<Engine>
  var engine: Engine {
    @inline(__always)
    get { unsafe owner._withUnsafeGuaranteedRef { $0 } }
  }
  /// The engine's, for page walks: asked without counting references.
  private let memory: Unmanaged<AddressSpace>
  let stateSize: Int
  /// How the platform's counter follows from the vCPU's time. A copy: guests that poll the time read it very often.
  var timebase = Timebase(nil, nanosecondsPerTick: 1)
  var modes: [ModeContext] {
    get { modesCell.value }
    _modify { yield &modesCell.value }
  }
  private let modesCell = RawCell([ModeContext]())
  var mode: ModeContext {
    get { modeCell.value }
    set {
      modeCell.value = newValue
      memoryModeCell.value = newValue.memoryMode
    }
  }
  /// That of ``mode``.
  @inline(__always)
  var memoryMode: MemoryMode { memoryModeCell.value }
  private let memoryModeCell = RawCell(MemoryMode.window)
  private let modeCell: RawCell<ModeContext>
  /// The translation flags, those that follow code included, as of the last look at them.
  var flags: TranslationFlags {
    get { flagsCell.value }
    set { flagsCell.value = newValue }
  }
  private let flagsCell = RawCell(TranslationFlags(0))
  /// A jump cache that stays empty, for single-stepping.
  let emptyMode: ModeContext

  /// The vCPU's own time in instructions and other budgeted steps, up to the last entry of translated code.
  public internal(set) var ticks: UInt64 = 0
  /// Instructions retired up to the last entry.
  public internal(set) var retired: UInt64 = 0
  /// Waits for an interrupt.
  public internal(set) var isWaiting = false
  /// Switched off, or not yet on (secondary harts some boards hold back).
  public var isHalted = false
  /// What load-reserved found, for store-conditional to find again. Translated code makes and uses it itself.
  var reservation: (address: UInt64, size: Int, value: UInt64)? {
    get {
      let size = Int(state.load(StateOffset.reservedSize, as: UInt32.self))
      guard size != 0 else { return nil }
      let value: UInt64 = state.load(StateOffset.reservedValue)
      return (state.load(StateOffset.reservedAddress), size, value & UInt64.max >> UInt64(64 - 8 * min(size, 8)))
    }
    set {
      state.store(newValue?.address ?? 0, at: StateOffset.reservedAddress)
      state.store(newValue?.value ?? 0, at: StateOffset.reservedValue)
      state.store(UInt32(truncatingIfNeeded: newValue?.size ?? 0), at: StateOffset.reservedSize)
    }
  }
  var repeatedException = RepeatedException()
  /// It was said that the vCPU is locked up; that is not said again before it runs.
  var isKnownLockedUp = false
  /// The PC where a run stopped before an access that hits a watchpoint: the next run makes it.
  var passedWatchpoint: UInt64?
  /// The watchpoint access that ended the last run.
  public internal(set) var watchHit: WatchHit?
  /// An instruction that hits a watchpoint is executed all the same.
  var suppressesWatchpoints: Bool {
    get { suppressesWatchpointsCell.value }
    set { suppressesWatchpointsCell.value = newValue }
  }
  private let suppressesWatchpointsCell = RawCell(false)
  /// The accesses of an instruction that hits a watchpoint, as far as they take the slow path; nil while none are noted.
  var seenAccesses: [SeenAccess]?
  /// Whether the vCPU stands where interrupts may be taken and time slices end.
  public internal(set) var mayInterrupt = true
  /// Something is to be looked at at the next interrupt point. Outlives leaving and entering translated code.
  var isKicked = false
  /// The instruction at PC is to run in a block of its own, since it writes into the block it was in.
  var runsNextAlone: Bool {
    get { runsNextAloneCell.value }
    set { runsNextAloneCell.value = newValue }
  }
  private let runsNextAloneCell = RawCell(false)
  /// The instruction made a store behind which interrupts may be taken.
  var decidedInterrupts = false
  /// The vCPU has asked something of another one: at the next interrupt point its part of the round ends.
  var givesWay = false
  /// The branch that closed a waiting loop last, the instructions retired then, and the slow accesses made.
  private var lastSpin: (pc: UInt64, retired: UInt64, slowAccesses: UInt64) = (.max, 0, 0)
  /// Whether the block that runs is one of a single instruction.
  var isStepping: Bool {
    get { isSteppingCell.value }
    set { isSteppingCell.value = newValue }
  }
  private let isSteppingCell = RawCell(false)
  /// A block that is being stepped through op by op.
  var opSession: OpSession?
  /// The PC whose breakpoint the next run passes over.
  var passedBreakpoint: UInt64?
  /// The PC that a comparator of the guest's own has matched, until it is executed.
  var matchedInstruction: UInt64?

  /// While the vCPU runs by the host's clock: the time (ns) up to which ``ticks`` counts. Else `.max`.
  var hostStart = UInt64.max

  init(number: Int, engine: Engine) {
    self.number = number
    unsafe owner = Unmanaged.passUnretained(engine)
    unsafe memory = .passUnretained(engine.space)
    stateSize = engine.guest.registerFile.stateSize
    state = .allocate(size: stateSize)
    emptyMode = ModeContext(flags: 0, space: TranslationSpace(), memoryMode: engine.guest.memoryMode(0))
    modeCell = RawCell(emptyMode)
    memoryModeCell.value = emptyMode.memoryMode
    super.init()
    state.store(unsafe UInt(bitPattern: Unmanaged.passUnretained(self).toOpaque()), at: StateOffset.context)
  }

  deinit { state.deallocate() }

  /// Instructions executed since translated code was last entered, exact at a call out of it.
  /// Where virtual time follows the host's clock: ticks that have passed since.
  var executedInRun: UInt64 {
    if engine.kicks != nil { return hostTicks }
    let start: Int64 = state.load(StateOffset.budgetStart)
    return UInt64(bitPattern: start &- state.budget) &+ state.load(StateOffset.pendingRetired, as: UInt64.self)
  }

  private var hostTicks: UInt64 {
    guard hostStart != .max else { return 0 }
    let now = HostClock.nanoseconds
    return (now &- min(hostStart, now)) / engine.clock.nanosecondsPerInstruction
  }

  /// Instructions and steps so far: the vCPU's time, exact at a call out of translated code.
  public var now: UInt64 { ticks &+ executedInRun }
  public override var retiredInstructions: UInt64 { retired &+ executedInRun }

  public override var platformTime: UInt64 { timebase.count(at: now) }

  public override func stateChanged() { kick() }

  public override func modeChanged() {
    enterMode()
    if isStepping { publish(emptyMode) }
    engine.host.dataBaseChanged(state)
  }

  public override func enterHandler(of exception: GuestException) -> Bool { engine.takeInCode(self, exception) }

  public override func clearReservation() { reservation = nil }

  public override func log(_ item: LogItem, _ message: @autoclosure () -> String) {
    engine.log.write(item, message())
  }

  public override func flushTLB(address: UInt64?, addressSpace: UInt64?) {
    engine.interpreter?.forgetReturns()
    for mode in modes where addressSpace == nil || mode.memoryMode != .tlb || mode.space.number == addressSpace {
      mode.forgetTranslations(of: address)
    }
  }

  public override func protectionChanged() {
    for mode in modes {
      mode.clearTLB()
      mode.clearJumpCache()
    }
    engine.windowGeneration &+= 1
    engine.unchainAll()
  }

  public override func dataProtectionChanged() {
    engine.windowGeneration &+= 1
    for mode in modes { mode.clearTLB() }
    kick()
  }

  public override func stepNext() { runsNextAlone = true }

  public override func waitForInterrupt() { isWaiting = !engine.guest.wakesFromWait(state) }

  public override func willTransfer(_ address: UInt64, size: Int, isWrite: Bool) {
    if engine.space.willTransfer != nil { engine.noteTransfer(address, size, isWrite: isWrite) }
  }

  public override func setComparators(_ comparators: [Comparator]) { engine.setComparators(comparators) }

  public override func readPhysical(_ address: UInt64, size: Int) -> UInt64? {
    unsafe memory._withUnsafeGuaranteedRef { $0.readMemory(address, size: size) ?? (try? $0.read(address, size: size)) }
  }

  public override func writePhysical(_ address: UInt64, size: Int, _ value: UInt64) -> Bool {
    engine.writePhysical(address, size: size, value)
  }

  /// Makes the vCPU come back at the next exit that checks the budget, without changing what has been counted.
  func kick() {
    isKicked = true
    if let kicks = engine.kicks { return kicks.kick(state) }
    shortenBudget(to: 0)
  }

  /// Two visits with no more than the loop's own instructions between them, none of which has accessed a device: it will do
  /// the same until something else runs. So all the turns up to then are taken at once, which no guest can tell.
  public override func spins(_ length: UInt64) {
    guard engine.kicks == nil, !isStepping, opSession == nil, !engine.options.countsExecutions, length > 0 else {
      return
    }
    let (pc, now, slow) = (state.pc, retiredInstructions, engine.statistics.slowAccesses)
    let isSettled = lastSpin.pc == pc && now &- lastSpin.retired == length && lastSpin.slowAccesses == slow
    lastSpin = (pc, now, slow)
    let begun: Int64 = state.load(StateOffset.pendingRetired)
    let left = state.budget &- begun &- 1
    guard isSettled, left > 0 else { return }
    let skipped = (UInt64(left) + length - 1) / length * length
    state.budget &-= Int64(skipped)
    lastSpin.retired &+= skipped
    engine.statistics.spinsSkipped &+= 1
  }

  /// Lets a tick pass in which no instruction retires, while translated code runs.
  func passTick() {
    ticks &+= 1
    state.budget &-= 1
    state.store(state.load(StateOffset.budgetStart, as: Int64.self) &- 1, at: StateOffset.budgetStart)
  }

  /// Lets at most `count` more instructions run.
  func shortenBudget(to count: Int64) {
    let excess = state.budget &- count
    guard excess > 0 else { return }
    state.budget = count
    state.store(state.load(StateOffset.budgetStart, as: Int64.self) &- excess, at: StateOffset.budgetStart)
  }

  /// Switches jump cache and TLB to those of the current translation flags and address space.
  func enterMode() { unsafe owner._withUnsafeGuaranteedRef { enterMode(of: $0) } }

  /// The engine is handed on: asked for at each use, it would be counted each time, which is most of a change of mode.
  private func enterMode(of engine: Engine) {
    let guest = engine.guest
    flags = guest.translationFlags(state)
    let flags = flags & ~engine.codeFlags
    let space = engine.paging?.translationSpace(state) ?? TranslationSpace()
    if mode.flags != flags || mode.space != space || modes.isEmpty {
      mode = context(flags, space, guest)
      engine.interpreter?.forgetReturns()
    }
    let mode = mode
    unsafe engine.host.publish(jumpCache: UInt(bitPattern: mode.jumpCache), state)
    if mode.windowGeneration != engine.windowGeneration {
      unsafe mode.windowBase = UInt(bitPattern: engine.window(for: self).base)
      // Making one window may have ended another.
      mode.windowGeneration = engine.windowGeneration
    }
    if mode.windowBase != engine.activeWindow { engine.activate(mode.windowBase) }
    state.store(mode.dataBase, at: StateOffset.dataBase)
    state.store(mode.softTLB, at: StateOffset.softTLB)
    engine.publishGuide(self)
    if !engine.watchedAccesses.pcs.isEmpty { engine.publishWatchGuide(self) }
  }

  /// The context of flags and an address space, found or made.
  private func context(_ flags: TranslationFlags, _ space: TranslationSpace, _ guest: any Guest) -> ModeContext {
    for index in modes.indices {
      let known = modes[index]
      guard known.flags == flags, known.space == space else { continue }
      // Those in use come to stand in front, but for the first two, which often take turns.
      if index > 1 { modes.swapAt(index, index - 1) }
      return known
    }
    if modes.count == Self.modeLimit { modes.removeLast() }
    let made = ModeContext(flags: flags, space: space, memoryMode: guest.memoryMode(flags))
    modes.append(made)
    return made
  }

  private static var modeLimit: Int { 64 }

  func publish(_ mode: ModeContext) {
    unsafe engine.host.publish(jumpCache: UInt(bitPattern: mode.jumpCache), state)
  }

  /// A copy of the whole state block, without the header's host addresses.
  public func saveRegisters() -> [UInt8] {
    unsafe [UInt8](
      UnsafeRawBufferPointer(start: state.base + StateOffset.registers, count: stateSize - StateOffset.registers))
  }

  /// Puts back what ``saveRegisters()`` returned.
  public func restoreRegisters(_ bytes: [UInt8]) {
    let size = stateSize - StateOffset.registers
    guard bytes.count == size else { return }
    unsafe UnsafeMutableRawBufferPointer(start: state.base + StateOffset.registers, count: size).copyBytes(from: bytes)
  }
}

extension Engine {
  /// Forgets what the engine knew of a vCPU whose registers were set anew.
  public func vcpuWasReset(_ vcpu: VCPU) {
    vcpu.isWaiting = false
    vcpu.reservation = nil
    vcpu.mayInterrupt = true
    vcpu.isKicked = false
    vcpu.givesWay = false
    vcpu.runsNextAlone = false
    vcpu.repeatedException = RepeatedException()
    vcpu.isKnownLockedUp = false
    vcpu.passedBreakpoint = nil
    vcpu.matchedInstruction = nil
    vcpu.passedWatchpoint = nil
    vcpu.opSession = nil
    windowGeneration &+= 1
    vcpu.flushTLB(address: nil, addressSpace: nil)
  }
}

/// The exception last taken, and how often it came again at once, with nothing retired between.
public struct RepeatedException: Sendable, Equatable {
  var pc = UInt64.max
  var retired = UInt64.max
  var count = 0
}

/// A vCPU's place in time and what it waits for: the part of its condition that is not in its registers.
public struct VCPUProgress: Sendable, Equatable {
  public var ticks: UInt64
  public var retired: UInt64
  public var isWaiting: Bool
  public var isHalted: Bool
  public var mayInterrupt: Bool
  public var isKicked: Bool
  public var givesWay: Bool
  public var runsNextAlone: Bool
  public var repeatedException: RepeatedException
  public var reservationAddress: UInt64?
  public var reservationSize: Int
  public var reservationValue: UInt64
  public var matchedInstruction: UInt64?
  public var passedWatchpoint: UInt64?
}

extension VCPU {
  public var progress: VCPUProgress {
    get {
      VCPUProgress(
        ticks: ticks, retired: retired, isWaiting: isWaiting, isHalted: isHalted, mayInterrupt: mayInterrupt,
        isKicked: isKicked, givesWay: givesWay, runsNextAlone: runsNextAlone, repeatedException: repeatedException,
        reservationAddress: reservation?.address,
        reservationSize: reservation?.size ?? 0,
        reservationValue: reservation?.value ?? 0, matchedInstruction: matchedInstruction,
        passedWatchpoint: passedWatchpoint)
    }
    set {
      ticks = newValue.ticks
      retired = newValue.retired
      isWaiting = newValue.isWaiting
      isHalted = newValue.isHalted
      mayInterrupt = newValue.mayInterrupt
      isKicked = newValue.isKicked
      givesWay = newValue.givesWay
      runsNextAlone = newValue.runsNextAlone
      repeatedException = newValue.repeatedException
      matchedInstruction = newValue.matchedInstruction
      passedWatchpoint = newValue.passedWatchpoint
      reservation = newValue.reservationAddress.map {
        ($0, newValue.reservationSize, newValue.reservationValue)
      }
    }
  }
}
