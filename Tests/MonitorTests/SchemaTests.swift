// Owns the tests that listings as JSON look as their schemas say, for every command. `BLESS=1` writes the schemas.

import Foundation
import Monitor
import Testing

@Suite struct SchemaTests {
  /// What is asked of a command, by its name; of objects whose keys are names of the guest's or of the host's, how deep they
  /// are.
  private static let samples: [(command: String, maps: Int, lines: [String])] = [
    ("stop", 0, ["stop"]), ("step", 0, ["step", "step 3"]), ("step block", 0, ["step block"]),
    ("until", 0, ["until loop"]), ("step op", 0, ["step op", "step op", "step op finish"]), ("sleep", 0, ["sleep 1"]),
    ("info status", 0, ["info status"]), ("info cpus", 0, ["info cpus"]), ("cpu", 0, ["cpu 0"]),
    ("info registers", 1, ["info registers", "info registers a0", "info registers all"]), ("set", 1, ["set $a5 = 7"]),
    ("reg", 0, ["reg a0", "reg a0 1"]), ("x", 0, ["x/4xw $sp", "x/2i loop", "x/s loop", "x/2c loop", "x/2i $pc"]),
    ("xp", 0, ["xp/4xb 0x80000000"]), ("print", 0, ["print $pc", "print 1", "print/x 5"]), ("peek", 0, ["peek 4 loop"]),
    ("poke", 0, ["poke 4 $sp 1"]), ("disassemble", 0, ["disassemble", "disassemble loop 3"]),
    ("info mtree", 0, ["info mtree"]), ("info qtree", 3, ["info qtree"]), ("info device", 3, ["info device plic"]),
    ("info devicetree", 0, ["info devicetree /cpus"]), ("device reads", 0, ["device reads"]),
    ("info irq", 1, ["info irq"]),
    ("info tlb", 0, ["info tlb"]), ("walk", 0, ["walk loop", "walk 0x10"]), ("info symbols", 0, ["info symbols"]),
    ("mdw", 0, ["mdw loop 3"]), ("mww", 0, ["mww $sp 3"]),
    ("break", 0, ["break done", "break twice if $a0 == 2", "break spin log \"{$a0}\""]), ("tbreak", 0, ["tbreak done"]),
    ("break exception", 0, ["break exception"]), ("break interrupt", 0, ["break interrupt"]),
    ("break console", 0, ["break console /ok/"]), ("break time", 0, ["break time 10ms"]),
    ("break instructions", 0, ["break instructions 1000000"]), ("break op", 0, ["break op loop 1"]),
    ("break translation", 0, ["break translation loop"]), ("break chain", 0, ["break chain"]),
    ("rbreak", 0, ["rbreak tw*"]), ("twatch", 0, ["twatch 0x80010000"]), ("watch csr", 0, ["watch csr mstatus"]),
    ("disable", 0, ["disable 1"]), ("enable", 0, ["enable 1"]),
    ("condition", 0, ["condition 1 $a0 == 0"]), ("ignore", 0, ["ignore 1 2"]), ("watch", 0, ["watch 0x80010000 8 rw"]),
    ("info breakpoints", 0, ["info breakpoints", "delete all", "info breakpoints"]), ("delete", 0, ["delete all"]),
    ("reset", 0, ["reset halt"]), ("until", 0, ["until twice"]), ("blocks", 0, ["blocks", "blocks sort hot 2"]),
    ("block", 0, ["block _start"]),
    ("host stubs", 1, ["host stubs"]),
    ("events", 0, ["events"]), ("info jit", 1, ["info jit"]), ("profile", 0, ["profile"]), ("why", 0, ["why"]),
    ("why causes", 0, ["why causes"]), ("why chains", 0, ["why chains loop", "why chains _start"]),
    ("stops", 0, ["stops"]), ("graph", 0, ["graph", "graph loop", "graph dot hot 1"]), ("unchain", 0, ["unchain"]),
    ("flush", 0, ["flush", "flush loop"]),
    ("ir", 0, ["ir loop", "ir loop before", "ir loop after DeadCodeElimination"]),
    ("ir diff", 0, ["ir diff loop CopyPropagation"]), ("pass list", 0, ["pass list"]),
    ("pass off", 0, ["pass off CopyPropagation in loop"]), ("pass on", 0, ["pass on all"]),
    ("retranslate", 0, ["retranslate loop"]), ("bisect", 0, ["bisect 100"]), ("flash banks", 0, ["flash banks"]),
    ("directory", 0, ["directory"]),
    ("flash erase_address", 0, ["flash erase_address pad 0x20000000 1"]), ("arm semihosting", 0, ["arm semihosting"]),
    ("backtrace", 0, ["backtrace"]), ("frame", 0, ["frame 0"]), ("finish", 0, ["reset halt", "until twice", "finish"]),
    ("help", 2, ["help"]), ("savevm", 0, ["savevm a"]), ("info snapshots", 0, ["info snapshots"]),
    ("loadvm", 0, ["loadvm a"]), ("columns", 0, ["columns", "columns 80"]), ("pager", 0, ["pager"]),
    ("log", 0, ["log"]),
    ("log filter", 0, ["log filter loop", "log filter all"]), ("reset", 0, ["reset halt"]), ("cont", 0, ["cont"]),
  ]

  private static var folder: URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Sources/Monitor/Schemas")
  }

  @Test func listingsAreAsTheirSchemasSay() throws {
    let blesses = ProcessInfo.processInfo.environment["BLESS"] == "1"
    var seen: [String: [Schema]] = [:]
    for (host, harts) in [("jit", 1), ("interpreter", 2)] {
      let bench = try Bench(host: host, harts: harts, tiers: .thorough)
      _ = bench("profile on")
      for (command, maps, lines) in Self.samples {
        for line in lines {
          let result = bench.monitor.execute(line + " --json")
          guard !result.isError, line.hasPrefix(command) else { continue }
          let value = try JSONSerialization.jsonObject(with: Data(result.text.utf8))
          seen[command, default: []].append(Schema(of: value, maps: maps))
          guard !blesses else { continue }
          let file = try Data(contentsOf: Self.url(command))
          let schema = try #require(Schema(file: try JSONSerialization.jsonObject(with: file)), "\(command)")
          #expect(schema.accepts(value), "\(line): \(result.text)")
        }
      }
    }
    for (command, _, _) in Self.samples { #expect(seen[command] != nil, "\(command) has shown nothing") }
    if blesses {
      try FileManager.default.createDirectory(at: Self.folder, withIntermediateDirectories: true)
      for (command, schemas) in seen {
        let text = Schema.merged(schemas)?.text() ?? ""
        try Data((text + "\n").utf8).write(to: Self.url(command))
      }
    }
  }

  /// What the samples leave out changes nothing but files, or is the guest's to say.
  @Test func everyCommandHasASchema() throws {
    let names = Monitor.commandNames
    let without = names.filter { !FileManager.default.fileExists(atPath: Self.url($0).path) }
    #expect(without.sorted() == Self.unsampled.sorted())
    let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path).map { String($0.dropLast(5)) }
    #expect(Set(files).isSubset(of: names.map { $0.replacing(" ", with: "_") }))
  }

  private static let unsampled = [
    "bookmark", "catch", "chain allow", "chain forbid", "complete", "cortex_m maskisr", "cortex_m vector_catch",
    "down", "dump_image", "dumpdtb", "flash write_image", "goto", "info line", "info sources", "info tasks",
    "last-access", "last-write", "load_image", "maskisr", "mdb", "mdd", "mdh", "memsave", "mwb", "mwd", "mwh", "next",
    "next-access", "next-write", "pmemsave", "quit", "resume", "reverse cont", "reverse finish", "reverse step",
    "reverse until", "rtt setup", "rtt start", "step line", "story chaining", "svd", "symbol-file", "system_reset",
    "threads", "timeline", "up", "verify_image", "wait_halt",
  ]

  private static func url(_ command: String) -> URL {
    folder.appendingPathComponent(command.replacing(" ", with: "_") + ".json")
  }
}
