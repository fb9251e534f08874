// Callers through exceptions within exceptions, against what the program is known to do.

import GuestKit
import Machine
import TestSupport
import Testing

@Suite(.enabled(if: CallProgram.canBuild, "clang is not installed")) struct ExceptionUnwindTests {
  /// Runs to each call of `leaf`, and returns the names of the frames there: of exceptions in angle brackets.
  private static func stops(_ guest: CallProgram.Guest, _ flags: [String], count: Int) throws -> [String] {
    let program = try CallProgram(guest, flags, source: "interrupts")
    let machine =
      guest == .arm
      ? try MachineTests.machine("mps2_an386", of: "arm") { $0.kernel = program.path }
      : try MachineTests.machine("virt") { $0.bios = program.path }
    let leaf = try #require(machine.symbols.named("leaf").first).address
    machine.engine.insertBreakpoint(leaf)
    return (0..<count).map { _ in
      _ = machine.run(ticks: .max)
      let frames = Unwinder(machine, machine.engine.vcpus[0])?.backtrace(limit: 50).frames ?? []
      return frames.map { frame in
        if case .exception(let name) = frame.kind { return "<\(name)>" }
        return machine.symbols.covering(frame.codeAddress)?.symbol.name ?? "?"
      }.joined(separator: " ")
    }
  }

  static let flags = [["-O2", "-g0"], ["-Og", "-g"], ["-O0", "-g0"]]

  /// With a frame of floating point, from the process stack, and PendSV out of SVCall's handler.
  @Test(arguments: flags) func arm(_ flags: [String]) throws {
    let stops = try Self.stops(.arm, flags, count: 6)
    let outer = "call thread main"
    let expected = [
      "leaf pended pendsv_handler <PendSV> served svc_handler <SVCall> \(outer)",
      "leaf served svc_handler <SVCall> \(outer)", "leaf \(outer)",
    ]
    for (index, stop) in stops.enumerated() {
      // Compilers may jump where a call is a function's last act.
      let words = stop.split(separator: " ").filter {
        !["pendsv_handler", "svc_handler", "reset_handler"].contains($0)
      }
      let truth = expected[index % 3].split(separator: " ").filter { !["pendsv_handler", "svc_handler"].contains($0) }
      let without = truth.filter { !["pended", "served"].contains($0) }
      #expect(words == truth || words.filter { !["pended", "served"].contains($0) } == without, "\(stop)")
    }
  }

  @Test(arguments: flags) func riscv(_ flags: [String]) throws {
    let stops = try Self.stops(.riscv64, flags, count: 6)
    let trap = "<environment call from M-mode>"
    let expected = [
      "leaf handle trap <exception> handle trap <exception> call main", "leaf handle trap <exception> call main",
      "leaf call main",
    ]
    for (index, stop) in stops.enumerated() {
      let plain = stop.replacing(trap, with: "<exception>").replacing(" _start", with: "")
      #expect(plain == expected[index % 3], "\(stop)")
      if index % 3 != 2 { #expect(stop.contains(trap)) }
    }
  }
}
