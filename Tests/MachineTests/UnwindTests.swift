// Callers found by every method, against a record of the calls that a program makes, instruction by instruction.

import Engine
import GuestKit
import Machine
import TestSupport
import Testing

/// A way to compile the program.
struct CallVariant: CustomTestStringConvertible, Sendable {
  var guest: CallProgram.Guest
  var flags: [String]
  var isStripped = false
  var testDescription: String { "\(guest) \(flags.joined(separator: " "))" + (isStripped ? " stripped" : "") }

  private static let bare = ["-g0", "-fomit-frame-pointer", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables"]
  /// Those whose callers are found at each instruction.
  static let exact: [CallVariant] = [
    .init(guest: .riscv64, flags: ["-O2"] + bare), .init(guest: .riscv32, flags: ["-Os", "-msave-restore"] + bare),
    .init(guest: .riscv64, flags: ["-O0", "-g0", "-fno-omit-frame-pointer", "-fno-unwind-tables"]),
    .init(guest: .arm, flags: ["-O2"] + bare), .init(guest: .arm, flags: ["-O0", "-g0", "-fno-unwind-tables"]),
    .init(guest: .arm, flags: ["-O2"] + bare, isStripped: true),
    .init(guest: .riscv64, flags: ["-O2"] + bare, isStripped: true),
  ]
  /// With debugging information.
  static let described: [CallVariant] = [
    .init(guest: .riscv64, flags: ["-Og", "-g"]), .init(guest: .riscv32, flags: ["-O2", "-g"]),
    .init(guest: .arm, flags: ["-Og", "-g"]), .init(guest: .arm, flags: ["-O2", "-g"]),
  ]
}

/// A program on its board, stepped, with a record of the calls that it is in.
final class RecordedCalls {
  let machine: Machine
  private let program: CallProgram
  private let guest: any Guest & Unwinding
  /// Where calls will return, the outermost first, with the stack pointer there.
  private(set) var calls: [(pc: UInt64, stack: UInt64)] = []

  init(_ variant: CallVariant) throws {
    program = try CallProgram(variant.guest, variant.flags, isStripped: variant.isStripped)
    let path = program.path
    machine =
      switch variant.guest {
      case .arm: try MachineTests.machine("mps2_an386", of: "arm") { $0.kernel = path }
      case .riscv32:
        try MachineTests.machine("virt") {
          $0.bios = path
          $0.cpuModel = "rv32"
        }
      case .riscv64: try MachineTests.machine("virt") { $0.bios = path }
      }
    guest = try #require(machine.guest as? any Guest & Unwinding)
  }

  var vcpu: VCPU { machine.engine.vcpus[0] }
  private var stack: UInt64 { guest.readRegister(vcpu.state, guest.stackPointer) }

  func step() {
    let pc = vcpu.state.pc
    let before = stack
    let bytes = (UInt64(0)..<4).compactMap { machine.space.peek(pc + $0, size: 1) }.map { UInt8($0) }
    let instruction = guest.frameInstruction(bytes, pc: pc)
    machine.resume(.step(hart: 0))
    while machine.isRunning { machine.runRounds(1) }
    guard let instruction else { return }
    let next = pc + UInt64(instruction.length)
    if let last = calls.last, vcpu.state.pc == last.pc, stack == last.stack { calls.removeLast() }
    if instruction.flow == .call, vcpu.state.pc != next { calls.append((next, before)) }
  }

  /// PCs of all frames, the innermost first, as they are and as they are found.
  var truth: [UInt64] { [vcpu.state.pc] + calls.reversed().map(\.pc) }
  var found: [UInt64] { Unwinder(machine, vcpu)?.backtrace(limit: 100).frames.map(\.pc) ?? [] }

  func text(_ pcs: [UInt64]) -> String {
    pcs.map { machine.symbols.describe($0) ?? String($0, radix: 16) }.joined(separator: " < ")
  }
}

@Suite(.enabled(if: CallProgram.canBuild, "clang is not installed")) struct UnwindTests {
  /// Instructions that are tried. Where a program rests in the end, nothing but symbols tells where a function begins.
  private static func count(_ variant: CallVariant) -> Int { variant.isStripped ? 800 : 2500 }

  /// Steps through a program, and compares what is found with the calls it has made.
  private func stepsThrough(_ variant: CallVariant) throws {
    let calls = try RecordedCalls(variant)
    var wrong = 0
    for _ in 0..<Self.count(variant) {
      calls.step()
      guard calls.found != calls.truth else { continue }
      wrong += 1
      if wrong <= 3 { Issue.record("\(calls.text(calls.found)) is not \(calls.text(calls.truth))") }
    }
    #expect(wrong == 0)
  }

  @Test(arguments: CallVariant.exact) func codeTellsCallersAtEveryInstruction(_ variant: CallVariant) throws {
    try stepsThrough(variant)
  }

  @Test(arguments: CallVariant.described) func callFrameInformationTellsCallers(_ variant: CallVariant) throws {
    try stepsThrough(variant)
  }
}
