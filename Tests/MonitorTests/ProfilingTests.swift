// Owns the tests of what profilers get to see: names of translated code, and `why`.

import Foundation
import Machine
import Monitor
import Testing

@Suite struct ProfilingTests {
  /// A line of a perf map.
  struct Line {
    var start, size: UInt64
    var name: String

    init?(_ text: Substring) {
      let words = text.split(separator: " ", maxSplits: 2)
      guard words.count == 3, let start = UInt64(words[0], radix: 16), let size = UInt64(words[1], radix: 16) else {
        return nil
      }
      (self.start, self.size, name) = (start, size, String(words[2]))
    }
  }

  private func temporaryFolder() throws -> String {
    let path = NSTemporaryDirectory() + "/martlet-profiling-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
  }

  private func lines(_ path: String) throws -> [Line] {
    let text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(text.isEmpty || text.hasSuffix("\n"))
    return try text.split(separator: "\n").map { try #require(Line($0), "\($0)") }
  }

  @Test func perfMapNamesBlocksByGuestSymbol() throws {
    let bench = try Bench(host: "jit")
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = folder + "/perf.map"
    #expect(bench.machine.perform { (try? $0.writePerfMap(to: path)) != nil })
    bench.finish()
    let first = try lines(path)
    let names = first.map(\.name)
    for name in ["_start", "loop", "twice"] { #expect(names.contains(name), "\(names)") }
    #expect(names.contains { $0.hasPrefix("martlet ") })
    let sorted = first.sorted { $0.start < $1.start }
    for (line, next) in zip(sorted, sorted.dropFirst()) { #expect(line.start + line.size <= next.start) }

    // Host addresses are used again after a flush: only what is there now has a name.
    _ = bench("flush")
    #expect(try lines(path).map(\.name).allSatisfy { $0.hasPrefix("martlet ") })
    _ = bench("set $pc = twice")
    _ = bench("step block")
    let second = try lines(path).map(\.name)
    #expect(second.contains { $0.hasPrefix("twice") }, "\(second)")
    #expect(!second.contains("loop"), "\(second)")
  }

  @Test func perfMapNeedsMachineCode() throws {
    let bench = try Bench(host: "interpreter")
    let message = bench.machine.perform { machine -> String in
      do throws(MachineError) {
        try machine.writePerfMap(to: "/dev/null")
        return ""
      } catch { return error.description }
    }
    #expect(message.contains("no machine code"))
  }

  @Test func jitDumpHoldsCodeWithNames() throws {
    let bench = try Bench(host: "jit")
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = try #require(bench.machine.perform { try? $0.writeJITDump(inFolder: folder) })
    bench.finish()
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    func number(_ offset: Int, _ size: Int) -> UInt64 {
      (0..<size).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
    }
    try #require(bytes.count > 40)
    #expect(number(0, 4) == 0x4A69_5444)
    #expect(number(4, 4) == 1)
    #expect(number(8, 4) == 40)
    #expect(number(20, 4) == UInt64(getpid()))
    var names: [String] = []
    var offset = 40
    var (time, index) = (number(24, 8), UInt64(0))
    while offset < bytes.count {
      try #require(offset + 56 <= bytes.count)
      let size = Int(number(offset + 4, 4))
      let codeSize = Int(number(offset + 40, 8))
      try #require(size >= 56 + codeSize && offset + size <= bytes.count)
      #expect(number(offset, 4) == 0)
      #expect(number(offset + 8, 8) >= time)
      #expect(number(offset + 48, 8) == index)
      time = number(offset + 8, 8)
      index += 1
      let name = bytes[offset + 56..<offset + size - codeSize]
      #expect(name.last == 0)
      names.append(String(decoding: name.dropLast(), as: UTF8.self))
      offset += size
    }
    for name in ["_start", "loop", "twice"] { #expect(names.contains(name), "\(names)") }
  }

  @Test(arguments: ["jit", "interpreter"])
  func whyNamesWhatIsSlow(host: String) throws {
    let bench = try Bench(host: host)
    #expect(bench.monitor.execute("why").text.contains("profile on"))
    _ = bench("profile on")
    bench.finish()
    let rows = bench.lines("why")
    #expect(rows.first?.contains("jump misses") == true, "\(rows)")
    let loop = try #require(rows.first { $0.contains("loop ") }, "\(rows)")
    let words = loop.split(separator: " ")
    // block, pc, symbol, runs, entries
    #expect(words[3] == "4", "\(loop)")
    #expect(UInt64(words[4]).map { $0 > 0 } == true, "\(loop)")
    // The function returns to where no jump has led before.
    let json = bench("why --json")
    #expect(json.contains("\"jump_misses\":1"), "\(json)")
    #expect(bench("why loop").contains("block "))
    #expect(bench.monitor.execute("why nowhere").isError)
  }
}
