// Owns the table of kinds of file tests: what each folder's text is and how its result comes about.

import Foundation
import HostInterpreter
import HostKit
import HostX86_64
import IR
import Optimizer
import TestSupport
import Testing

/// A folder of cases and the function from a case to its result.
struct FileKind: Sendable {
  let folder: String
  let run: @Sendable (FileCase) throws -> String
  var cases: [FileCase] { FileCase.all(in: "cases/" + folder) }

  /// Kinds whose results are the same everywhere.
  static let portable: [FileKind] = [
    FileKind(folder: "decode", run: decodeGuestCode),
    FileKind(folder: "decode-thumb", run: decodeGuestCode),
    FileKind(folder: "run", run: runBlocks),
  ]

  static let x86_64 = FileKind(folder: "codegen/x86_64", run: compileForX86_64)

  /// Whether this machine can list and run x86-64 code.
  static var isX86_64: Bool {
    #if arch(x86_64)
      true
    #else
      false
    #endif
  }
}

/// A host that can run here and a way to memory; whatever runs must do the same on each.
struct HostSetup: Sendable, CustomStringConvertible {
  let type: any HostKit.Host.Type
  let dataPath: DataPath

  var description: String { "\(type.name), \(dataPath)" }

  /// The first is the reference.
  static let all: [HostSetup] = [
    HostSetup(type: InterpreterHost.self, dataPath: .slow),
    HostSetup(type: X86_64Host.self, dataPath: .slow),
    HostSetup(type: X86_64Host.self, dataPath: .window),
    HostSetup(type: X86_64Host.self, dataPath: .tlb),
  ]
}

func verified(_ file: FileCase) throws -> [Block] {
  let blocks = try Parser(TestGuest.names).blocks(file.input)
  for block in blocks { try TestGuest.verifier.verify(block) }
  return blocks
}

/// Runs the first block on every host, as it is and optimised, and prints what changed. Exits lead to the other blocks of
/// the file unless a directive `chains: none` stands there; indirect ones likewise through the jump cache.
///
/// Directives: `budget: 5`, `set: x1 = 5`, `memory: 0x100 = 01 02 ff`.
@Sendable private func runBlocks(_ file: FileCase) throws -> String {
  let blocks = try verified(file)
  let optimizer = Optimizer(helpers: TestGuest.helpers.map(\.effects))
  var first: String?
  for setup in HostSetup.all {
    for optimizes in [false, true] {
      var blocks = blocks
      if optimizes { for index in blocks.indices { optimizer.run(&blocks[index]) } }
      let cpu = try startState(file)
      try run(blocks, on: setup, cpu, chained: file.directives("chains") != ["none"])
      // With paging, exits to another page are never chained, and so miss in the jump cache instead.
      let outcome =
        setup.dataPath == .tlb && first?.hasPrefix("unchained") == true
        ? cpu.outcome.replacingOccurrences(of: "indirect.miss", with: "unchained") : cpu.outcome
      let result = outcome + "\n" + cpu.changes(since: try startState(file))
      #expect(result == first ?? result, "\(setup), \(optimizes ? "optimised" : "as it is")")
      first = first ?? result
    }
  }
  return try #require(first)
}

private func run(_ blocks: [Block], on setup: HostSetup, _ cpu: TestCPU, chained: Bool) throws {
  let host = try setup.type.init(TestGuest.configuration)
  var entries: [UInt64: CodeAddress] = [:]
  var exits: [ChainSite] = []
  for block in blocks {
    let (compiled, outline) = try host.compile(block, dataPath: setup.dataPath)
    entries[block.pc] = compiled.entry
    exits += outline.exits.filter(\.mayChain)
  }
  if chained {
    for exit in exits { if let entry = entries[exit.target] { host.chain(exit.site, to: entry) } }
    for (pc, entry) in entries { cpu.cache(pc, host.jumpTarget(entry)) }
  }
  cpu.reachData(by: setup.dataPath)
  host.run(try #require(entries[blocks[0].pc]), cpu.state)
}

func startState(_ file: FileCase) throws -> TestCPU {
  let cpu = TestCPU(budget: Int64(file.directives("budget").first ?? "1000") ?? 1000)
  for directive in file.directives("set") {
    let (name, text) = try sides(directive)
    let number = try #require(TestGuest.registers.firstIndex { $0.name == name }, "no register \(name)")
    cpu[register: number] = try number64(text)
  }
  for directive in file.directives("memory") {
    let (address, bytes) = try sides(directive)
    for (index, byte) in bytes.split(separator: " ").enumerated() {
      cpu[memory: Int(try number64(address)) + index] = try #require(UInt8(byte, radix: 16))
    }
  }
  return cpu
}

func sides(_ directive: String) throws -> (String, String) {
  let parts = directive.split(separator: "=").map { $0.trimmingCharacters(in: .whitespaces) }
  try #require(parts.count == 2, "`\(directive)` is no assignment")
  return (parts[0], parts[1])
}

func number64(_ text: String) throws -> UInt64 {
  if text.hasPrefix("-") { return UInt64(bitPattern: try #require(Int64(text))) }
  return try #require(text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text))
}
