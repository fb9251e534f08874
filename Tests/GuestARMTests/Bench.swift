// Owns the bench that tests of the exception model share: a CPU with its system control space, code memory at 0, RAM at
// 0x20000000, and programs in assembly that note what they see.

import Bus
import Engine
import Foundation
import GuestARM
import GuestKit
import HostInterpreter
import HostX86_64
import IR
import Testing

/// The full path of a program of the toolchain (beside `swift`), or else on PATH.
func find(_ program: String) -> String? {
  let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
  let isThere = { FileManager.default.isExecutableFile(atPath: $0) }
  let toolchain = path.first { isThere("\($0)/swift") }
  return ((toolchain.map { [$0] } ?? []) + path).map { "\($0)/\(program)" }.first(where: isThere)
}

/// Whether programs can be assembled here.
let canAssemble = find("clang") != nil && find("ld.lld") != nil

/// Both host back ends.
let hosts = ["jit", "interpreter"]

final class Bench {
  let space = AddressSpace()
  let clock = VirtualClock()
  let events = EventQueue()
  let clocks: ClockTree
  let guest: ARMGuest
  let system: SystemControl
  let engine: Engine
  private let control = Control()
  var cpu: VCPU { engine.vcpus[0] }
  /// Whether the guest asked for a reset.
  var wantsReset: Bool { control.wantsReset }
  /// What the units noted for the log.
  var log: [String] { control.log }

  /// - Parameters:
  ///   - program: assembly; see ``prelude(_:)``.
  ///   - edit: what to do before the reset that starts the CPU.
  init(
    _ program: String, model: String = "cortex-m4", host: String = "jit", edit: (Bench) throws -> Void = { _ in }
  ) throws {
    guest = try ARMGuest(model: model)
    clocks = ClockTree(clock)
    for (base, size) in [(0, 0x4_0000), (0x2000_0000, 0x1_0000)] {
      let memory = try RAMRegion(name: "ram", size: size)
      try space.map("ram\(base)", at: UInt64(base), size: UInt64(size), .ram(memory, offset: 0))
    }
    let node = Node(
      name: "interrupt-controller@e000e100", path: "/soc/nvic", compatible: ["arm,v7m-nvic"], model: model)
    system = try SystemControl(
      context: DeviceContext(
        id: 0, node: node, clock: clock, events: events, space: space, control: control,
        clocks: clocks, log: { [control] _, text in control.log.append(text) }))
    for range in system.regions { try space.map("scs", at: range.base, size: range.size, .device(system, index: 0)) }
    engine =
      host == "jit"
      ? try Engine(guest: guest, host: X86_64Host.self, space: space, clock: clock, events: events, vcpuCount: 1)
      : try Engine(guest: guest, host: InterpreterHost.self, space: space, clock: clock, events: events, vcpuCount: 1)
    control.engine = engine
    system.attach(to: engine.vcpus[0].state)
    try space.copyIn(try Self.assemble(program, model), at: 0)
    try edit(self)
    guest.reset(cpu.state, number: 0, pc: 0)
    cpu.wasReset()
  }

  /// Runs until so many instructions (and idle ticks) have passed, or something else ends the run.
  @discardableResult
  func run(_ instructions: UInt64 = 20_000) -> RunOutcome {
    let limit = cpu.ticks + instructions
    while true {
      let outcome = cpu.run(until: nextStop(limit))
      if control.wantsReset { return outcome }
      switch outcome {
      case .waiting: cpu.idle(until: nextStop(limit))
      case .deadline: break
      default: return outcome
      }
      clock.now = cpu.ticks &* clock.nanosecondsPerInstruction
      while let event = events.popDue(at: clock.now) { system.event(event.token) }
      if cpu.ticks >= limit { return outcome }
    }
  }

  private func nextStop(_ limit: UInt64) -> UInt64 {
    events.nextDeadline == .max ? limit : min(limit, engine.ticks(until: events.nextDeadline))
  }

  /// What the program noted.
  var notes: [UInt32] {
    get throws {
      let end = try space.read(0x2000_0000, size: 4)
      return try stride(from: UInt64(0x2000_0100), to: end, by: 4).map { UInt32(try space.read($0, size: 4)) }
    }
  }

  func word(_ address: UInt64) throws -> UInt32 { UInt32(try space.read(address, size: 4)) }

  // MARK: Assembly

  /// Vectors, and a macro that appends a register to the notes; it uses r2 and r3. Handlers that a program does not
  /// define are at 0, which faults for want of the Thumb bit.
  private static func prelude(isMain: Bool) -> String {
    """
    .syntax unified
    .thumb
    .macro note register
      ldr r3, =0x20000000
      ldr r2, [r3]
      str \\register, [r2]
      \(isMain ? "add" : "adds") r2, \(isMain ? "r2, " : "")#4
      str r2, [r3]
    .endm
    .macro set address, value
      ldr r0, =\\address
      ldr r1, =\\value
      str r1, [r0]
    .endm
    .section .text
    .word 0x20008000, start, nmi, hard, mem, bus, usage, 0, 0, 0, 0, svcall, monitor, 0, pendsv, systick
    .word irq0, irq1, irq2, irq3
    end:
      b end
    .weak nmi, hard, mem, bus, usage, svcall, monitor, pendsv, systick, irq0, irq1, irq2, irq3
    .thumb_func
    start:
      ldr r3, =0x20000000
      ldr r2, =0x20000100
      str r2, [r3]

    """
  }

  private static func assemble(_ program: String, _ model: String) throws -> [UInt8] {
    let architecture = [
      "cortex-m0": "armv6m", "cortex-m0+": "armv6m", "cortex-m3": "armv7m", "cortex-m23": "armv8m.base",
      "cortex-m33": "armv8m.main",
    ]
    let isMain = !["cortex-m0", "cortex-m0+", "cortex-m23"].contains(model)
    let folder = NSTemporaryDirectory() + "martlet-arm-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let text = prelude(isMain: isMain) + program + "\n"
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/a.s"))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try #require(find("clang")))
    process.arguments = [
      "--target=\(architecture[model] ?? "armv7em")-none-eabi", "-nostdlib", "-fuse-ld=lld",
      "-Wl,--image-base=0,-Ttext=0,-e,0,--oformat=binary", folder + "/a.s", "-o", folder + "/a.bin",
    ]
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + "/a.bin")))
  }
}

/// Runs a program and returns what it noted.
func notes(
  _ program: String, model: String = "cortex-m4", host: String = "jit", instructions: UInt64 = 20_000,
  stop: (RunOutcome) -> Void = { _ in }
) throws -> [UInt32] {
  let bench = try Bench(program, model: model, host: host)
  stop(bench.run(instructions))
  return try bench.notes
}

func hexadecimal(_ words: [UInt32]) -> String { words.map { String($0, radix: 16) }.joined(separator: " ") }

private final class Control: MachineControl {
  var wantsReset = false
  var log: [String] = []
  weak var engine: Engine?
  func powerOff(exitCode: Int32) {}
  func reset(_ cause: ResetCause) {
    wantsReset = true
    engine?.kick()
    engine?.requestStop()
  }
}

/// The nodes that the system control space looks at. The CPU's clock is that of its instructions, 100 MHz.
private struct Node: NodeView {
  var name: String
  var path: String
  var compatible: [String]
  var model: String

  var regions: [AddressRange] { [] }
  func has(_ property: String) -> Bool { cells(property) != nil }
  func cells(_ property: String) -> [UInt32]? {
    ["clock-frequency": [100_000_000], "arm,num-irqs": [16], "arm,num-irq-priority-bits": [4]][property]
  }
  func strings(_ property: String) -> [String]? { nil }
  func node(path: String) -> (any NodeView)? {
    path == "/cpus/cpu@0" ? Node(name: "cpu@0", path: path, compatible: ["arm,\(model)"], model: model) : nil
  }
  func node(phandle: UInt32) -> (any NodeView)? { nil }
}
