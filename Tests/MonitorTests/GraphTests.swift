// `graph`: which blocks, how often each exit was taken, and the forms it is shown in.

import Foundation
import Monitor
import TestSupport
import Testing

@Suite struct GraphTests {
  private struct Graph: Decodable {
    struct Block: Decodable {
      var block: Int
      var pc: String
      var symbol: String?
      var runs: UInt64?
    }
    struct Exit: Decodable {
      var from: Int
      var to: Int?
      var pc: String
      var taken: UInt64?
      var obstacle: String?
    }
    var blocks: [Block]
    var exits: [Exit]
  }

  private static func graph(_ bench: Bench, _ words: String) throws -> Graph {
    try JSONDecoder().decode(Graph.self, from: Data(bench("graph \(words) --json").utf8))
  }

  /// The samples in the documentation are what is shown.
  private static let article: String = {
    let root = String(#filePath.dropLast("Tests/MonitorTests/GraphTests.swift".count))
    return (try? String(contentsOfFile: root + "Sources/Monitor/Monitor.docc/Monitor.md", encoding: .utf8)) ?? ""
  }()

  @Test(arguments: UnharmedTests.hosts) func asText(_ host: String) throws {
    let bench = try GoldenTests.atDone(host)
    #expect(
      bench("graph") == """
        #1 0x0000000080000000 <_start>  6 instructions, thorough, run 1 time, 27.3 %
          -> #2 0x0000000080000008 <loop>  1 time   chained
        #2 0x0000000080000008 <loop>  4 instructions, thorough, run 4 times, 72.7 %
          -> #2 0x0000000080000008 <loop>  3 times  chained
        """)
    #expect(
      bench("graph loop") == """
        #2 0x0000000080000008 <loop>  4 instructions, thorough, run 4 times, 72.7 %
          -> #2 0x0000000080000008 <loop>  3 times  chained
          -> 0x0000000080000018 <done>     1 time   not chained
        """)
    #expect(Self.article.contains("(martlet) graph loop\n" + bench("graph loop") + "\n"))
  }

  @Test(arguments: UnharmedTests.hosts) func asDot(_ host: String) throws {
    let bench = try GoldenTests.atDone(host)
    #expect(
      bench.lines("graph dot from _start").dropFirst(4).joined(separator: "\n") == #"""
          b1 [label="_start\n#1  0x80000000\n6 instructions, thorough\n1 run, 27.3 %" fillcolor="0.058 0.460 1.000"];
          b2 [label="loop\n#2  0x80000008\n4 instructions, thorough\n4 runs, 72.7 %" fillcolor="0.000 0.700 1.000"];
          b1 -> b2 [label=" 1" penwidth=2.4];
          b2 -> b2 [label=" 3" penwidth=3.5];
        }
        """#)
    #expect(Self.article.contains("(martlet) graph dot from _start\n" + bench("graph dot from _start") + "\n"))
  }

  @Test func blocksAreChosen() throws {
    let bench = try GoldenTests.atDone("jit")
    #expect(try Self.graph(bench, "hot 1").blocks.map(\.symbol) == ["loop"])
    #expect(try Self.graph(bench, "hot").blocks.map(\.symbol) == ["loop", "_start"])
    #expect(try Self.graph(bench, "#1").blocks.count == 2)
    #expect(try Self.graph(bench, "from loop").blocks.count == 1)
    #expect(try Self.graph(bench, "hot 5 _start").blocks.map(\.symbol) == ["_start"])
    #expect(bench("graph twice").hasPrefix("ERROR: twice is in no translated block"))
    #expect(bench("graph nowhere").hasPrefix("ERROR: no symbol 'nowhere'"))
    #expect(bench("graph hot 0").hasPrefix("ERROR: '0' is no count"))
    #expect(bench("graph from").hasPrefix("ERROR: usage: graph"))
    #expect(bench("graph to x.png").contains("'dot -Tpng F.dot'"))
    _ = bench("profile off")
    #expect(
      bench("graph hot")
        == "ERROR: executions are not counted; switch that on with 'profile on', or start with --count-blocks")
    _ = bench("flush")
    #expect(bench("graph") == "ERROR: no translated blocks")
  }

  /// As many ways lead out of a block as into it, but for indirect jumps, whatever was made into regions.
  @Test(.enabled(if: CallProgram.canBuild, "clang is not installed"), arguments: ["quick", "adaptive", "thorough"])
  func exitsAddUpToRuns(_ tiers: String) throws {
    let program = try CallProgram(.riscv64, ["-O1", "-g"])
    let bench = try Bench(host: "jit", tiers: .init(rawValue: tiers) ?? .quick, image: program.path)
    _ = bench("profile on")
    for _ in 0..<50 {
      _ = bench("reset halt")
      _ = bench("until rest")
    }
    for function in ["early", "choose", "fib", "main"] {
      let graph = try Self.graph(bench, function)
      #expect(!graph.blocks.isEmpty)
      for block in graph.blocks {
        let exits = graph.exits.filter { $0.from == block.block }
        let out = exits.reduce(0) { $0 + ($1.taken ?? 0) }
        // A region's inner turns come on top of its runs.
        if exits.contains(where: { $0.to == block.block }) { continue }
        #expect(out <= block.runs ?? 0, "\(function): \(block) \(exits)")
      }
      // The sum of the taken exits into a block is at most its runs, and never wraps.
      for block in graph.blocks {
        let into = graph.exits.filter { $0.to == block.block && $0.pc == block.pc }.reduce(0) { $0 + ($1.taken ?? 0) }
        #expect(into <= block.runs ?? 0, "\(function): into \(block)")
      }
    }
  }

  @Test func filesAreWritten() throws {
    let bench = try GoldenTests.atDone("jit")
    let folder = FileManager.default.temporaryDirectory.appending(path: "martlet-graph-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    func write(_ line: String) -> MonitorResult { bench.monitor.execute(line, files: .below(folder.path())) }
    #expect(write("graph loop to loop.dot").text == "1 block, 2 exits, written to loop.dot")
    #expect(try String(contentsOf: folder.appending(path: "loop.dot"), encoding: .utf8).hasPrefix("digraph chains {"))
    #expect(write("graph text to loop.dot").text == "2 blocks, 2 exits, written to loop.dot")
    #expect(write("graph to ../loop.dot").isError)
    #expect(bench("graph to loop.dot").hasPrefix("ERROR: files of the host cannot be used from here"))
  }

  @Test(.enabled(if: Toolchain.find("dot") != nil, "graphviz is not installed")) func asPicture() throws {
    let bench = try GoldenTests.atDone("jit")
    let picture = bench("graph svg")
    #expect(picture.hasPrefix("<?xml") && picture.contains("<svg") && picture.contains("4 runs, 72.7 %"))
    let json = try Self.graph(bench, "svg hot 1")
    #expect(json.blocks.count == 1)
  }
}
