// Owns the interrupt controller with its priorities: what is pending, what is active, what comes next.
//
// Source: ARMv7-M Architecture Reference Manual, B1.5 "ARMv7-M exception model" and B3.4 "Nested Vectored Interrupt
// Controller"; ARMv6-M Architecture Reference Manual, B1.5 and B3.4.

import Bits
import Bus
import GuestKit
import IR

/// The system control space of one CPU: interrupt controller, system control block, SysTick. A device of the board, since
/// the board says how many interrupts and priority bits there are.
public final class SystemControl: RegisterDevice, IRQSink, EventInput, CoreDevice, TraceSource {
  public static var compatible: [String] { ["arm,v6m-nvic", "arm,v7m-nvic", "arm,v8m-nvic"] }
  public static var absorbs: [String] {
    [
      "arm,armv6m-systick", "arm,armv7m-systick", "arm,armv8m-systick", "arm,armv6m-mpu", "arm,armv7m-mpu",
      "arm,armv8m-mpu", "arm,armv7m-itm", "arm,armv8m-itm",
    ]
  }

  public struct State: Codable, Sendable, Equatable {
    var pending = ExceptionSet()
    var active = ExceptionSet()
    /// Of the system exceptions, those whose faults would escalate are not in it.
    var enabled = ExceptionSet()
    /// Interrupt lines that are high.
    var level = ExceptionSet()
    /// By exception number.
    var priority = [UInt8](repeating: 0, count: 512)
    var vectorTable: UInt32 = 0
    /// AIRCR.PRIGROUP
    var priorityGroup: UInt32 = 0
    var systemControl: UInt32 = 0
    var configuration: UInt32 = 0
    /// SHCSR's enables: bits 16 to 18.
    var handlerControl: UInt32 = 0
    var faultStatus: UInt32 = 0
    var hardFaultStatus: UInt32 = 0
    var debugFaultStatus: UInt32 = 0
    var memManageAddress: UInt32 = 0
    var busFaultAddress: UInt32 = 0
    /// DEMCR
    var debugControl: UInt32 = 0
    var tick = SysTickState()
    var mpu = MPUState()
    var debug = DebugUnitState()
    var trace = TraceState()
    /// The instruction that DebugMonitor steps.
    var step: MonitorStep?
    /// The ``Cause`` of the last fault, where it was raised, and the same until a handler begins.
    var lastFault: UInt64 = 0
    var lastFaultAddress: UInt32 = 0
    var notedFault: UInt64 = 0
    /// The handler that has just begun is where nothing can be executed.
    var startsNowhere = false
    /// The address of the vector that could not be read.
    var unreadVector: UInt32 = 0
  }

  public let context: DeviceContext
  public var state = State() {
    didSet { core?[.ready] = state.pending.intersects(state.enabled) ? 1 : 0 }
  }
  public let table: RegisterTable<SystemControl>
  public let regions: [AddressRange]
  let features: Features
  let identifier: UInt32
  /// How many external interrupts there are.
  let interruptCount: Int
  /// The bits of a priority that exist.
  let priorityMask: UInt32
  /// Of the MPU; 0 without one.
  let regionCount: Int
  public var unimplemented = UnimplementedLog()
  private(set) var core: Core?
  /// The address space by rights; empty while the MPU is off.
  var segments: [ProtectionSegment] = []
  /// A debugger is attached, what it wants to stop at, and why the machine is to stop now.
  var isDebugged = false
  var catches: VectorCatch = []
  var stopReason: String?
  /// The BKPT that the machine stopped at last, and when.
  var passedBreakpoint: (pc: UInt64, retired: UInt64)?
  /// What the engine compares for the DWT.
  var comparators: [Comparator] = []
  var trace: (any TraceSink)?

  /// Properties: `arm,num-irq-priority-bits`, and `arm,num-irqs`, how many external interrupts there are.
  public init(context: DeviceContext) throws(DeviceError) {
    self.context = context
    let node = context.node
    let cpu = node.node(path: "/cpus/cpu@0")
    let names = (cpu?.compatible ?? []).map { $0.split(separator: ",").last.map(String.init) ?? "" }
    let model = names.lazy.compactMap(CPUModel.named).first ?? CPUModel.all[2]
    features = model.features
    identifier = model.identifier
    // Without the Main Extension there are two.
    let told = features.contains(.main) ? node.u32("arm,num-irq-priority-bits").map(Int.init) : nil
    let bits = told ?? model.priorityBits
    guard (2...8).contains(bits) else {
      throw .badProperty(device: node.name, property: "arm,num-irq-priority-bits", reason: "\(bits) is not 2 to 8")
    }
    let count = node.u32("arm,num-irqs").map(Int.init) ?? (features.contains(.main) ? 240 : 32)
    guard (1...496).contains(count) else {
      throw .badProperty(device: node.name, property: "arm,num-irqs", reason: "\(count) is not 1 to 496")
    }
    interruptCount = count
    priorityMask = 0xFF << UInt32(8 - bits) & 0xFF
    try Self.provideClocks(context)
    let protection = node.node(path: "/soc/mpu@e000ed90")?.u32("arm,num-mpu-regions").map(Int.init)
    regionCount = features.contains(.mpu) ? protection ?? 8 : 0
    guard [0, 4, 8, 16].contains(regionCount) else {
      throw .badProperty(device: "mpu", property: "arm,num-mpu-regions", reason: "\(regionCount) is not 0, 4, 8 or 16")
    }
    table = Self.declare(features, interrupts: count, regions: regionCount)
    regions = [AddressRange(base: Self.base, size: 0x10_0000)]
    reset(vectorTable: 0)
    for clock in [context.clocks.cpu, context.clocks.reference] { clock.listen(self) { $0.scheduleTick() } }
  }

  /// What the tree says of the clocks of CPU and SysTick, where no clock controller drives them.
  private static func provideClocks(_ context: DeviceContext) throws(DeviceError) {
    let (node, clocks) = (context.node, context.clocks)
    if let frequency = node.node(path: "/cpus/cpu@0")?.u64("clock-frequency") {
      guard (1...10_000_000_000).contains(frequency) else {
        throw .badProperty(device: "cpu@0", property: "clock-frequency", reason: "\(frequency) Hz is out of range")
      }
      clocks.cpu.provide(frequency)
    }
    let reference = node.node(path: "/soc/timer@e000e010")?.u32("clocks").flatMap { node.node(phandle: $0) }
    if let frequency = reference?.u32("clock-frequency") { clocks.reference.provide(UInt64(frequency)) }
  }

  /// The start of the Private Peripheral Bus.
  static let base: UInt64 = 0xE000_0000

  public func attach(to cpu: VCPUState) {
    core = Core(cpu)
    cpu.context.attach(self)
    publishMasks()
  }

  /// Brings the slots up to date that translated code decides by.
  func publishMasks() {
    guard let core else { return }
    core[.priorityMask] = priorityMask
    core[.ready] = state.pending.intersects(state.enabled) ? 1 : 0
  }

  public func reset(_ cause: ResetCause) { reset(vectorTable: state.vectorTable) }

  func reset(vectorTable: UInt32) {
    context.cancel(token: 0)
    // Vector catch is a debugger's, and outlives resets.
    let (level, catches) = (state.level, VectorCatch(rawValue: state.debugControl))
    state = State()
    (state.level, state.pending) = (level, level)
    state.debugControl = catches.rawValue
    state.vectorTable = vectorTable
    for number in 0..<ExceptionNumber.firstInterrupt { state.enabled[number] = true }
    for number in [4, 5, 6, 12] { state.enabled[number] = false }
    segments = []
    stopReason = nil
    passedBreakpoint = nil
    enableTrace()
    publishComparators()
    state.configuration = fixedConfiguration
    state.tick.control = hasReference ? 0 : 4
    publishConfiguration()
  }

  public func restoreState(_ bytes: [UInt8]) throws(SnapshotError) {
    state = try decodeSnapshot(State.self, from: bytes)
    publishMasks()
    segments = []
    protectionChanged()
    publishComparators()
  }

  // MARK: Lines

  /// An interrupt line changed. While it is high its interrupt becomes pending again when its handler returns.
  public func setLevel(_ line: Int, _ level: Bool) {
    guard (0..<interruptCount).contains(line) else { return }
    let number = ExceptionNumber.firstInterrupt + line
    state.level[number] = level
    if level { setPending(number) }
  }

  /// Sets the event register: a WFE that waits, or the next one, goes on.
  public func signalEvent() {
    core?[.event] = 1
    notice()
  }

  func setPending(_ number: Int) {
    // SCR.SEVONPEND
    if state.systemControl & 16 != 0, !state.pending[number] { core?[.event] = 1 }
    state.pending[number] = true
    notice()
  }

  /// Has the CPU look for what to do next.
  func notice() { core?.cpu.context.stateChanged() }

  // MARK: Priorities

  /// The priority of an exception: lower is more urgent, −3 to 255.
  func priority(_ number: Int) -> Int {
    switch number {
    case 1: -3
    case 2: -2
    case 3: -1
    default: Int(state.priority[number])
    }
  }

  /// The part of a priority that decides about preemption.
  func groupPriority(_ priority: Int) -> Int {
    priority < 0 ? priority : priority & ~((2 << Int(state.priorityGroup)) - 1)
  }

  /// The priority the CPU executes at; 256 when nothing holds interrupts off (ExecutionPriority()).
  func executionPriority(_ core: Core) -> Int {
    var result = 256
    state.active.forEach(with: state.active) { result = min(result, groupPriority(priority($0))) }
    let base = core[.basepri]
    if base != 0 { result = min(result, groupPriority(Int(base))) }
    if core[.primask] != 0 { result = min(result, 0) }
    if core[.faultmask] != 0 { result = min(result, -1) }
    return result
  }

  /// The most urgent exception that is pending and enabled; the lowest number of equal ones.
  var mostUrgent: Int? {
    guard state.pending.intersects(state.enabled) else { return nil }
    var best: Int?
    var bestPriority = Int.max
    state.pending.forEach(with: state.enabled) { number in
      let priority = priority(number)
      if priority < bestPriority { (best, bestPriority) = (number, priority) }
    }
    return best
  }

  /// The exception to take now, if any preempts what runs.
  func interruptToTake(_ core: Core) -> Int? {
    guard let number = mostUrgent, groupPriority(priority(number)) < executionPriority(core) else { return nil }
    return number
  }

  /// Whether a pending exception ends WFI: as if PRIMASK were clear (B1.5.19).
  func wakes(_ core: Core) -> Bool {
    guard let number = mostUrgent else { return false }
    let mask = core[.primask]
    core[.primask] = 0
    defer { core[.primask] = mask }
    return groupPriority(priority(number)) < executionPriority(core)
  }

  /// How many handlers have begun and not returned.
  var activeCount: Int { state.active.count }

  /// Moves an exception from pending to active.
  func activate(_ number: Int) {
    if number == ExceptionNumber.sysTick.rawValue { clearPendingTick() } else { state.pending[number] = false }
    state.active[number] = true
  }

  /// An exception's handler is done.
  func deactivate(_ number: Int) {
    state.active[number] = false
    if state.level[number] { state.pending[number] = true }
  }

  /// IPSR
  var currentException: UInt32 { core?[.ipsr] ?? 0 }

  func publishConfiguration() {
    guard let core else { return }
    var configuration: Configuration = []
    if state.configuration & 8 != 0 { configuration.insert(.trapsUnaligned) }
    if state.configuration & 16 != 0 { configuration.insert(.trapsDivideByZero) }
    if features.contains(.v8), state.configuration & 1 << 10 != 0 { configuration.insert(.freesFaultHandlers) }
    if state.mpu.isEnabled { configuration.insert(.protectsMemory) }
    if state.mpu.control & 2 != 0 { configuration.insert(.protectsFaultHandlers) }
    if state.step != nil { configuration.insert(.steps) }
    guard core.configuration != configuration else { return }
    core.configuration = configuration
    notice()
  }

  /// Resets the board.
  func requestReset() { context.control.reset(.software) }
}
