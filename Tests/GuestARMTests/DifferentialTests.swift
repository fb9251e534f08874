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
  private func run<H: HostKit.Host>(_ program: RandomProgram, _ guest: ARMGuest, _ host: H.Type, passes: Bool) throws
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
      guest: guest, host: host, space: space, clock: VirtualClock(), events: EventQueue(), vcpuCount: 1,
      options: options)
    let cpu = engine.vcpus[0]
    guest.reset(cpu.state, number: 0, pc: UInt64(Place.inputs))
    engine.vcpuWasReset(cpu)
    cpu.state.pc = UInt64(Place.code)
    engine.insertBreakpoint(UInt64(Place.code) + UInt64(program.end))
    let outcome = engine.run(cpu, until: 100_000_000)
    #expect(outcome == .breakpoint, "\(outcome) at \(String(cpu.state.pc, radix: 16))")
    let outputs = try space.copyOut(at: UInt64(Place.outputs), count: program.caseCount * Int(Place.record))
    return outputs + (try space.copyOut(at: UInt64(Place.scratch), count: Place.scratchSize))
  }

  /// The first case whose record differs.
  private func disagreement(_ a: [UInt8], _ b: [UInt8], _ program: RandomProgram) -> String? {
    guard a != b else { return nil }
    guard a.count == b.count else { return "\(a.count) bytes against \(b.count)" }
    func word(_ bytes: [UInt8], _ place: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(bytes[place + $1]) << UInt32(8 * $1) }
    }
    // From the start of a record: r8–r12 and flags at 4, r0–r7 and lr at 28.
    let names = ["-"] + (8..<13).map { "r\($0)" } + ["apsr"] + (0..<8).map { "r\($0)" } + ["lr"]
    for number in 0..<program.caseCount {
      let start = number * Int(Place.record)
      let found = (1..<16).filter { word(a, start + 4 * $0) != word(b, start + 4 * $0) }.map { index in
        let (x, y) = (word(a, start + 4 * index), word(b, start + 4 * index))
        return "\(names[index]) \(String(x, radix: 16)) \(String(y, radix: 16))"
      }
      guard !found.isEmpty else { continue }
      let inputs = (0..<16).map { String(word(program.inputs, start + 4 * $0), radix: 16) }.joined(separator: " ")
      return "case \(number): \(found.joined(separator: ", ")); inputs (apsr r0…) \(inputs)\n"
        + program.listings[number].joined(separator: "\n")
    }
    return "scratch memory"
  }

  private func forEachProgram(_ guest: ARMGuest, _ body: (RandomProgram) throws -> String?) throws {
    var done = 0
    var seed = Self.seed
    while done < Self.count {
      let program = RandomProgram(guest, cases: Self.casesPerProgram, seed: seed)
      done += program.listings.reduce(0) { $0 + $1.count }
      if let text = try body(program) {
        Issue.record("seed \(seed), \(text)")
        return
      }
      seed += 1
    }
  }

  @Test(arguments: ["cortex-m0", "cortex-m3", "cortex-m4", "cortex-m23", "cortex-m33"])
  func hostsAgree(model: String) throws {
    let guest = try ARMGuest(model: model)
    try forEachProgram(guest) { program in
      let expected = try run(program, guest, InterpreterHost.self, passes: false)
      return try disagreement(expected, run(program, guest, X86_64Host.self, passes: true), program)
    }
  }

  @Test(arguments: ["cortex-m0", "cortex-m3", "cortex-m4", "cortex-m23", "cortex-m33"])
  func userModeEmulationAgrees(model: String) throws {
    let guest = try ARMGuest(model: model)
    guard let emulator = UserMode() else {
      print("qemu-arm is not installed: not compared")
      return
    }
    try forEachProgram(guest) { program in
      try disagreement(
        emulator.run(program, version8: guest.model.features.contains(.v8)),
        run(program, guest, X86_64Host.self, passes: true), program)
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

  func run(_ program: RandomProgram, version8: Bool) throws -> [UInt8] {
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
    process.arguments = ["timeout", "100", executable, "-cpu", version8 ? "max" : "cortex-a15", file.path]
    process.standardOutput = try FileHandle(forWritingTo: result)
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    var written = [UInt8](try Data(contentsOf: result))
    let scratch = Int(Place.scratch - Place.outputs)
    guard written.count == scratch + Place.scratchSize else { return [] }
    // CPSR, word 6, has more than the flags and GE.
    for number in 0..<program.caseCount {
      let flags = number * Int(Place.record) + 24
      (written[flags], written[flags + 1]) = (0, 0)
      written[flags + 2] &= 0x0F
      written[flags + 3] &= 0xF8
    }
    return Array(written.prefix(program.caseCount * Int(Place.record))) + written[scratch...]
  }

  /// A static executable: code, inputs, and zeroed memory for the rest.
  private func elf(_ program: RandomProgram) -> [UInt8] {
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
