// The monitor's ways through the past of a compiled program: to calls, places and accesses, and on again.

import Foundation
import Monitor
import TestSupport
import Testing

@Suite(.enabled(if: CallProgram.canBuild, "clang is not installed")) struct ReverseTests {
  private static func bench(_ guest: CallProgram.Guest, keepsPast: Bool = true) throws -> Bench {
    let program = try CallProgram(guest, ["-O0", "-g"], source: "lines")
    let bench = try Bench(host: "jit", image: program.path) { configuration in
      guard guest == .arm else { return }
      configuration.board = configuration.board.replacing("riscv/virt", with: "arm/mps2_an386")
      configuration.cpuModel = "cortex-m4f"
    }
    if keepsPast {
      let failure = bench.machine.perform { machine -> String? in
        do { try machine.keepTimeline(limit: 64 << 20) } catch { return "\(error)" }
        return nil
      }
      #expect(failure == nil)
    }
    #expect(bench("until main").contains("main"))
    return bench
  }

  /// Where the machine stands, in ticks.
  private static func ticks(_ bench: Bench) -> UInt64 { bench.machine.perform { $0.engine.vcpus[0].ticks } }

  @Test(arguments: [CallProgram.Guest.riscv64, .arm]) func finishGoesBackToTheCall(_ guest: CallProgram.Guest) throws {
    let bench = try Self.bench(guest)
    _ = bench("until *leaf")
    let inside = Self.ticks(bench)
    _ = bench("step 3")
    #expect(bench("reverse finish").contains("<work+"))
    #expect(Self.ticks(bench) == inside - 1)
    #expect(bench("step").contains("<leaf>"))
  }

  @Test(arguments: [CallProgram.Guest.riscv64, .arm]) func finishGoesBackInItsCallOfARecursion(
    _ guest: CallProgram.Guest
  ) throws {
    let bench = try Self.bench(guest)
    for _ in 0..<3 { _ = bench("until down") }
    var depth = bench.lines("bt").count { $0.contains("  down") }
    for _ in 0..<2 {
      #expect(bench("reverse finish").contains("<down+"))
      depth -= 1
      #expect(bench.lines("bt").count { $0.contains("  down") } == depth)
    }
    #expect(bench("reverse finish").contains("<main+"))
  }

  @Test(arguments: [CallProgram.Guest.riscv64, .arm]) func finishGoesBackOutOfHandlers(
    _ guest: CallProgram.Guest
  ) throws {
    let bench = try Self.bench(guest)
    let handler = guest == .arm ? "svc_handler" : "handler"
    #expect(bench("until *\(handler)").contains("<\(handler)>"))
    _ = bench("step 2")
    #expect(bench("reverse finish").contains("<main+"))
    #expect(bench("step").contains("<\(handler)>"))
  }

  @Test func untilGoesBackToTheLastPass() throws {
    let bench = try Self.bench(.riscv64)
    var last: UInt64 = 0
    for _ in 0..<2 {
      _ = bench("until *leaf")
      last = Self.ticks(bench)
    }
    _ = bench("until *unknown")
    #expect(bench("reverse until *leaf").contains("<leaf>"))
    #expect(Self.ticks(bench) >= last)
    #expect(bench("reverse until main").contains("<main"))
    // Nothing is left behind.
    #expect(bench("info breakpoints") == "No breakpoints or watchpoints.")
    #expect(bench("until *unknown").contains("<unknown>"))
  }

  /// One that is refused leaves a running guest alone, which comes by there all the time.
  @Test func aRunningGuestIsNotStopped() throws {
    let bench = try Self.bench(.riscv64)
    _ = bench("next 9")
    let place = bench("p $pc").prefix { $0 != " " }
    _ = bench("cont")
    for _ in 0..<20 { #expect(bench("reverse until *\(place)").hasPrefix("ERROR: the guest is running")) }
    #expect(bench.machine.perform(\.isRunning))
  }

  @Test func accessesAreFoundBothWays() throws {
    let bench = try Self.bench(.riscv64)
    _ = bench("until *unknown")
    let value = bench("p u32(&sink)")
    var places: [UInt64] = []
    for _ in 0..<3 {
      #expect(bench("next-write &sink 4").contains("wrote 4 bytes"))
      places.append(Self.ticks(bench))
    }
    #expect(Set(places).count == 3)
    // `sink++` reads before it writes.
    _ = bench("next-access &sink 4")
    let read = Self.ticks(bench)
    _ = bench("next-access &sink 4")
    #expect(read < Self.ticks(bench))
    _ = bench("last-access &sink 4")
    #expect(Self.ticks(bench) == read)
    for place in places.reversed() {
      _ = bench("last-write &sink 4")
      #expect(Self.ticks(bench) == place)
    }
    _ = bench("last-write &sink 4")
    #expect(bench("p u32(&sink)") == value)
    #expect(bench("info breakpoints") == "No breakpoints or watchpoints.")
    #expect(bench("last-write &sink 0").hasPrefix("ERROR: 1 to 1048576 bytes"))
  }

  @Test(arguments: ["reverse finish", "reverse until main", "reverse step", "reverse cont", "last-write main"])
  func withoutATimelineItSaysSo(command: String) throws {
    let bench = try Self.bench(.riscv64, keepsPast: false)
    _ = bench("until leaf")
    #expect(bench(command).hasPrefix("ERROR: ") && bench(command).contains("--timeline"), "\(bench(command))")
    #expect(bench("step").contains("leaf"))
  }
}
