// Owns the differential tests: random programs on the interpreter, compiled, and in QEMU's user mode must leave the same.
//
// The environment variable MARTLET_RANDOM sets how many random instructions each test runs.

import Bus
import Engine
import Foundation
import GuestARM
import GuestKit
import HostInterpreter
import HostKit
import HostX86_64
import IR
import Optimizer
import Testing

@Suite(.serialized) struct DifferentialTests {
  static let count = Int(ProcessInfo.processInfo.environment["MARTLET_RANDOM"] ?? "") ?? 4000
  static let seed = UInt64(ProcessInfo.processInfo.environment["MARTLET_SEED"] ?? "") ?? 1
  private static let casesPerProgram = 400

  /// Runs a program up to its end; the outputs and the scratch memory.
  /// - Parameter body: does so.
  func run<P: DifferentialProgram, H: HostKit.Host>(
    _ program: P, _ guest: ARMGuest, _ host: H.Type, interpreter: (any PackedTier.Type)? = nil, passes: Bool,
    _ body: (Engine, VCPU) throws -> RunOutcome = { $1.run(until: 100_000_000) }
  ) throws
    -> [UInt8]
  {
    let space = AddressSpace()
    let regions: [(UInt32, Int)] = [
      (Place.code, 0x8_0000), (Place.inputs, 0x8_0000), (Place.outputs, 0x8_0000), (Place.scratch, Place.scratchSize),
    ]
    for (base, size) in regions {
      let memory = try RAMRegion(name: "ram", size: size)
      try space.map("ram\(base)", at: UInt64(base), size: UInt64(size), .ram(memory, offset: 0))
    }
    try space.copyIn(program.code, at: UInt64(Place.code))
    try space.copyIn(program.inputs, at: UInt64(Place.inputs))
    var options = EngineOptions()
    if !passes { options.disabledPasses = Set(Pass.allCases.map(\.name)) }
    let engine = try Engine(
      guest: guest, host: host, interpreter: interpreter, space: space, clock: VirtualClock(), events: EventQueue(),
      vcpuCount: 1,
      options: options)
    let cpu = engine.vcpus[0]
    guest.reset(cpu.state, number: 0, pc: UInt64(Place.inputs))
    cpu.wasReset()
    if let access = guest.registerFile.index(of: "floatAccess") { guest.writeRegister(cpu.state, access, 3) }
    cpu.state.pc = UInt64(Place.code)
    engine.insertBreakpoint(UInt64(Place.code) + UInt64(program.end))
    let outcome = try body(engine, cpu)
    #expect(outcome == .breakpoint, "\(outcome) at \(String(cpu.state.pc, radix: 16))")
    let outputs = try space.copyOut(at: UInt64(Place.outputs), count: program.caseCount * Int(P.record))
    return outputs + (try space.copyOut(at: UInt64(Place.scratch), count: Place.scratchSize))
  }

  /// The first case whose record differs.
  private func disagreement<P: DifferentialProgram>(_ a: [UInt8], _ b: [UInt8], _ program: P) -> String? {
    guard a != b else { return nil }
    guard a.count == b.count else { return "\(a.count) bytes against \(b.count)" }
    func word(_ bytes: [UInt8], _ place: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(bytes[place + $1]) << UInt32(8 * $1) }
    }
    let names = program.names
    for number in 0..<program.caseCount {
      let start = number * Int(P.record)
      let found = names.indices.filter { word(a, start + 4 * $0) != word(b, start + 4 * $0) }.map { index in
        let (x, y) = (word(a, start + 4 * index), word(b, start + 4 * index))
        return "\(names[index]) \(String(x, radix: 16)) \(String(y, radix: 16))"
      }
      guard !found.isEmpty else { continue }
      let inputs = names.indices.map { String(word(program.inputs, start + 4 * $0), radix: 16) }.joined(separator: " ")
      return "case \(number): \(found.joined(separator: ", ")); inputs \(inputs)\n"
        + program.listings[number].joined(separator: "\n")
    }
    return "scratch memory"
  }

  private func forEachProgram<P: DifferentialProgram>(
    _ guest: ARMGuest, _ kind: P.Type, _ body: (P) throws -> String?
  ) throws {
    var done = 0
    var seed = Self.seed
    while done < Self.count {
      let program = P(guest, cases: Self.casesPerProgram, seed: seed)
      done += program.listings.reduce(0) { $0 + $1.count }
      if let text = try body(program) {
        Issue.record("seed \(seed), \(text)")
        return
      }
      seed += 1
    }
  }

  @Test(arguments: ["cortex-m0", "cortex-m3", "cortex-m4", "cortex-m23", "cortex-m33"])
  func hostsAgree(model: String) throws { try hostsAgree(model, RandomProgram.self) }

  @Test(arguments: ["cortex-m4f", "cortex-m7"])
  func hostsAgreeOnFloatingPoint(model: String) throws { try hostsAgree(model, FloatProgram.self) }

  private func hostsAgree<P: DifferentialProgram>(_ model: String, _ kind: P.Type) throws {
    let guest = try ARMGuest(model: model)
    try forEachProgram(guest, kind) { program in
      let expected = try run(program, guest, InterpreterHost.self, passes: false)
      return try disagreement(expected, run(program, guest, X86_64Host.self, passes: true), program)
        ?? disagreement(
          expected, run(program, guest, X86_64Host.self, interpreter: Interpreter.self, passes: true), program)
    }
  }

  @Test(arguments: ["cortex-m0", "cortex-m3", "cortex-m4", "cortex-m23", "cortex-m33"])
  func userModeEmulationAgrees(model: String) throws {
    let isV8 = ["cortex-m23", "cortex-m33"].contains(model)
    try userModeEmulationAgrees(model, RandomProgram.self, cpu: isV8 ? "max" : "cortex-a15")
  }

  /// `max` has what FPv5 has.
  @Test(arguments: [("cortex-m4f", "cortex-a15"), ("cortex-m7", "max")])
  func userModeEmulationAgreesOnFloatingPoint(model: String, cpu: String) throws {
    try userModeEmulationAgrees(model, FloatProgram.self, cpu: cpu)
  }

  private func userModeEmulationAgrees<P: DifferentialProgram>(_ model: String, _ kind: P.Type, cpu: String) throws {
    let guest = try ARMGuest(model: model)
    guard let emulator = UserMode() else {
      print("qemu-arm is not installed: not compared")
      return
    }
    try forEachProgram(guest, kind) { program in
      try disagreement(
        emulator.run(program, cpu: cpu), run(program, guest, X86_64Host.self, passes: true), program)
    }
  }
}

/// QEMU's emulation of Linux on an A-profile CPU, which has the same T32 instructions (its M-profile CPUs do not start
/// Linux programs in version 7.2).
private struct UserMode {
  private let executable: String

  init?() {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":")
    guard let found = folders.map({ $0 + "/qemu-arm" }).first(where: FileManager.default.isExecutableFile) else {
      return nil
    }
    executable = String(found)
  }

  func run<P: DifferentialProgram>(_ program: P, cpu: String) throws -> [UInt8] {
    let folder = FileManager.default.temporaryDirectory
    let name = "martlet-arm-\(UUID().uuidString)"
    let (file, result) = (folder.appendingPathComponent(name), folder.appendingPathComponent(name + ".out"))
    defer { for url in [file, result] { try? FileManager.default.removeItem(at: url) } }
    let manager = FileManager.default
    _ = manager.createFile(
      atPath: file.path, contents: Data(elf(program)), attributes: [.posixPermissions: 0o755])
    _ = manager.createFile(atPath: result.path, contents: nil)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["timeout", "100", executable, "-cpu", cpu, file.path]
    process.standardOutput = try FileHandle(forWritingTo: result)
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    let written = [UInt8](try Data(contentsOf: result))
    let scratch = Int(Place.scratch - Place.outputs)
    guard written.count == scratch + Place.scratchSize else { return [] }
    return program.observable(Array(written.prefix(program.caseCount * Int(P.record)))) + written[scratch...]
  }

  /// A static executable: code, inputs, and zeroed memory for the rest.
  private func elf(_ program: some DifferentialProgram) -> [UInt8] {
    func bytes(_ words: UInt32...) -> [UInt8] {
      words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) } }
    }
    let segments: [(address: UInt32, content: [UInt8], size: Int, flags: UInt32)] = [
      (Place.code, program.code, program.code.count, 5), (Place.inputs, program.inputs, program.inputs.count, 4),
      (Place.outputs, [], Int(Place.scratch - Place.outputs) + Place.scratchSize, 6),
    ]
    var file: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 1, 1, 1] + [UInt8](repeating: 0, count: 9)
    file += [2, 0, 40, 0] + bytes(1, Place.code | 1, 52, 0, 0x0500_0000)
    file += [52, 0, 32, 0, UInt8(segments.count), 0, 40, 0, 0, 0, 0, 0]
    var body: [UInt8] = []
    for segment in segments {
      file += bytes(
        1, 0x1000 + UInt32(body.count), segment.address, segment.address, UInt32(segment.content.count),
        UInt32(segment.size), segment.flags, 0x1000)
      body += segment.content + [UInt8](repeating: 0, count: (0x1000 - segment.content.count % 0x1000) % 0x1000)
    }
    return file + [UInt8](repeating: 0, count: 0x1000 - file.count) + body
  }
}
