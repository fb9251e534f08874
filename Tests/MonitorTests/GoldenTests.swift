// Owns the tests of what listings look like, character by character, where they depend on nothing but the program.

import Testing

@Suite struct GoldenTests {
  /// Stopped at `done`, after five turns of the loop; nothing has dropped a block.
  static func atDone(_ host: String) throws -> Bench {
    let bench = try Bench(host: host, tiers: .thorough)
    _ = bench("profile on")
    _ = bench("break done")
    bench.finish()
    return bench
  }

  func expect(_ bench: Bench, _ command: String, _ lines: String) {
    #expect(bench(command) == lines, "\(command)")
  }

  @Test(arguments: UnharmedTests.hosts) func guestCode(_ host: String) throws {
    let bench = try Self.atDone(host)
    expect(
      bench, "x/4i done-8",
      """
         0x0000000080000010 <loop+0x8>  fff50513  addi    a0, a0, -1
         0x0000000080000014 <loop+0xc>  fe051ae3  bnez    a0, 0x80000008
      =>*0x0000000080000018 <done>      001007b7  lui     a5, 0x100
         0x000000008000001c <done+0x4>  000052b7  lui     t0, 0x5
      """)
    expect(
      bench, "info breakpoints",
      """
      number  kind   place                      hits  what
           1  break  0x0000000080000018 <done>     1  -
           -  break  0x000000008000002c <spin>     -  -
      """)
    expect(bench, "info registers a3 a0", "a3 0x000000000000000f   a0 0x0000000000000000")
    expect(
      bench, "info symbols oo",
      """
      address             size  name
      0x0000000080000008    16  loop
      """)
    expect(
      bench, "walk loop",
      """
      virtual   0x0000000080000008 <loop>
      no translation in this mode
      physical  0x0000000080000008  (ram)
      """)
  }

  @Test(arguments: UnharmedTests.hosts) func irOfABlock(_ host: String) throws {
    let bench = try Self.atDone(host)
    expect(
      bench, "ir loop before",
      """
      block 0x0000000080000008 <loop>, as decoded: 18 ops
        0x80000008  addi    a3, a3, 3
          %0 = get.i64 a3
          %1 = const.i64 3
          %2 = add.i64 %0, %1
          set a3, %2
        0x8000000c  sd      a3, 0(sp)
          %3 = get.i64 sp
          store u8 [%3], %2
        0x80000010  addi    a0, a0, -1
          %4 = get.i64 a0
          %5 = const.i64 -1
          %6 = add.i64 %4, %5
          set a0, %6
        0x80000014  bnez    a0, 0x80000008
          %7 = const.i64 0
          %8 = compare.i64 ne %6, %7
          exit.if %8 -> 0x80000008 budget retired 4
          exit -> 0x80000018 retired 4
      """)
    let start = bench.lines("ir diff _start ConstantFolding")
    #expect(start.first == "ConstantFolding: 22 -> 21 ops, 4 lines out, 3 in")
    #expect(
      start.filter { !$0.hasPrefix(" ") }.dropFirst() == [
        "- %6 = add.i64 %1, %5", "+ %6 = const.i64 4", "- %8 = compare.i64 ne %6, %7",
        "- exit.if %8 -> 0x80000008 budget retired 6", "- exit -> 0x80000018 retired 6", "+ %8 = const.i1 1",
        "+ exit -> 0x80000008 budget retired 6",
      ])
    #expect(bench("ir after").hasPrefix("block 0x0000000080000018 <done>, as compiled: "))
  }

  @Test(arguments: UnharmedTests.hosts) func opByOp(_ host: String) throws {
    let bench = try Bench(host: host)
    _ = bench("step op")
    expect(
      bench, "step op",
      """
      block 0x80000000, op 2 of 18
             -- 0x0000000080000000 <_start>  auipc   sp, 0x10
            1   %0 = const.i64 0x80010000  ; 0x80010000
      =>    2   set sp, %0
             -- 0x0000000080000004 <_start+0x4>  li      a0, 5
            4   %1 = const.i64 5
            5   set a0, %1
             -- 0x0000000080000008 <loop>  addi    a3, a3, 3
      """)
    expect(bench, "step op finish", "block 0x80000000 left: 0x0000000080000008 <loop>  addi    a3, a3, 3")
  }

  /// Without the host's column, which is each host's own.
  @Test func sideBySide() throws {
    let bench = try Self.atDone("interpreter")
    // The counter's host address is another one in every run.
    let lines = bench.lines("block loop", columns: 200).filter { line in
      !["count 0x", "size", "host code"].contains(where: line.contains)
    }
    let columns = lines.map { line in
      let parts = line.split(separator: "|", omittingEmptySubsequences: false)
      return parts.count < 3 ? line.split(separator: "+").prefix(2).joined(separator: "+") : "\(parts[0])|\(parts[1])|"
    }
    #expect(
      columns.joined(separator: "\n") == """
        block 2 at 0x0000000080000008 <loop>
          tier          thorough
          flags         0x10f
          mode          machine mode, FS off
          physical      0x0000000080000008
          ends with     conditional branch
          retranslated  0
          executions    4
          reached from  #1 0x80000000 <_start> #2 0x80000008 <loop>
          exit 0        -> 0x80000008 <loop>  chained to #2
          exit 1        -> 0x80000018 <done>  not chained
          guest                            | IR                                        |
          ---------------------------------+-------------------------------------------
          ---------------------------------+-------------------------------------------
          80000008  addi    a3, a3, 3      | %0 = get.i64 a3                           |
                                           | %1 = const.i64 3                          |
                                           | %2 = add.i64 %0, %1                       |
                                           | set a3, %2                                |
          ---------------------------------+-------------------------------------------
          8000000c  sd      a3, 0(sp)      | %3 = get.i64 sp                           |
                                           | store u8 [%3], %2                         |
          ---------------------------------+-------------------------------------------
          80000010  addi    a0, a0, -1     | %4 = get.i64 a0                           |
                                           | %5 = const.i64 -1                         |
                                           | %6 = add.i64 %4, %5                       |
                                           | set a0, %6                                |
          ---------------------------------+-------------------------------------------
          80000014  bnez    a0, 0x80000008 | %7 = const.i64 0                          |
                                           | %8 = compare.i64 ne %6, %7                |
                                           | exit.if %8 -> 0x80000008 budget retired 4 |
                                           | exit -> 0x80000018 retired 4              |
        """)
  }

  @Test func sideBySideOnX86() throws {
    let bench = try Self.atDone("jit")
    let lines = bench.lines("block loop", columns: 200)
    // Each op's code stands beside it.
    let text = lines.joined(separator: "\n")
    #expect(lines.contains { $0.contains("| %2 = add.i64 %0, %1") && $0.contains("add ") }, "\(text)")
    #expect(lines.contains { $0.contains("80000014  bnez    a0, 0x80000008 |") })
    #expect(lines.contains { $0.contains("(out of line)") })
    #expect(lines.contains { $0.contains("pinned  a5=") })
    #expect(lines.last?.hasSuffix("host    $NAME=[rbp + …] spill=rsp budget=r15 memory=gs") == true)
  }

  @Test(arguments: UnharmedTests.hosts) func blocksAndChains(_ host: String) throws {
    let bench = try Self.atDone(host)
    let hot = bench.lines("blocks sort hot")
    #expect(hot[0].hasSuffix("runs  share %"))
    #expect(hot[1].contains("0x0000000080000008  loop         4       16      22"))
    #expect(hot[1].hasSuffix("0     4     72.7"))
    #expect(bench("unchain") == "2 chains cut")
    #expect(bench("chain forbid loop loop").hasSuffix("0x0000000080000008  0x0000000080000008"))
    #expect(bench("block loop").contains("chaining forbidden"))
    #expect(bench("flush loop") == "2 blocks dropped")
  }
}
