// Owns the kind `codegen/x86_64`: a block and its exact host code, so that a slower translation shows as a diff.

import GuestKit
import HostKit
import HostX86_64
import IR
import Optimizer
import TestSupport
import Testing

/// Compiles the case's blocks for x86-64 and lists them: each IR op (behind its guest instruction, if the case is guest
/// code) and under it the host code it became, then the parts out of line.
///
/// Guest code is optimised first, IR text compiled as it is. Directives are those of ``GuestCode``; IR text without
/// `cpu` is of the test guest. `tier: thorough` compiles hot code. `path: window`, `tlb` or `slow`: how memory is reached, if not as the guest's state says.
///
/// Nothing in the text depends on where code or state lies: jump targets are labels (`L1`) or names of shared code
/// (`@leave`), fields of the state are named (`[cpu.x10]`), as are the addresses of helpers.
@Sendable func compileForX86_64(_ file: FileCase) throws -> String {
  let code = try file.directives("cpu").first.map { try GuestCode(file, model: $0) }
  let names = code?.names ?? TestGuest.names
  var blocks: [Block]
  if GuestCode.isIR(file) {
    blocks = try Parser(names).blocks(file.input)
    for block in blocks { try (code?.verifier ?? TestGuest.verifier).verify(block) }
  } else {
    let code = try #require(code, "guest code needs a directive `cpu`")
    blocks = try code.blocks()
    let optimizer = Optimizer(helpers: code.guest.helpers.map(\.effects))
    for index in blocks.indices { optimizer.run(&blocks[index]) }
  }
  let path: DataPath =
    switch file.directives("path").first {
    case "window": .window
    case "tlb": .tlb
    case "slow": .slow
    default: code.map { $0.guest.memoryMode($0.flags) == .tlb ? .tlb : .window } ?? .window
    }
  let listing = try HostListing(code?.guest)
  let printer = Printer(names)
  let isHot = file.directives("tier").first == "thorough"
  var text = isHot ? "" : "pinned \(listing.pins)\n"
  var exit: UInt32 = 0
  for block in blocks {
    let (compiled, _) = try listing.host.compile(block, dataPath: path, isHot: isHot)
    if isHot { text += "pinned \(listing.pins(of: compiled))\n" }
    let host = listing.lines(compiled, of: block, path)
    text += "\nblock \(hex(block.pc)), \(compiled.size) bytes\n"
    for (index, (op, line)) in zip(block.ops, printer.lines(block)).enumerated() {
      text += code?.disassembly(op).map { "; \(hex(UInt64(bitPattern: op.imm)))  \($0)\n" } ?? ""
      let isExit = op.opcode == .exit || op.opcode == .exitIf
      if op.opcode != .instruction || code?.disassembly(op) == nil {
        text += "  " + line + (isExit ? "  ; exit \(exit)" : "") + "\n"
      }
      if isExit { exit += 1 }
      text += host.filter { $0.op == index }.map(\.text).joined()
    }
    let cold = host.filter { $0.op == nil }
    if !cold.isEmpty { text += "  out of line\n" + cold.map(\.text).joined() }
  }
  return text
}

/// An x86-64 host for one guest, and the names of all that its code refers to.
private struct HostListing {
  let host: X86_64Host
  private let registers: [String]
  /// By host address.
  private var places: [UInt64: String] = [:]
  /// Host address of the floating-point constants, 16 bytes each.
  private let constants: UInt64
  /// By offset in the state.
  private var fields: [Int: String]

  /// - Parameter guest: nil for the test guest.
  init(_ guest: (any Guest)?) throws {
    let registers = guest?.registerFile.registers ?? TestGuest.file.registers
    var configuration = TestGuest.configuration
    if let guest {
      configuration.registers = registers.map { RegisterSlot(offset: $0.offset, type: $0.type) }
      configuration.pinOrder = guest.registerFile.pinOrder
      configuration.helpers = guest.helpers
      configuration.floatEnvironment = guest.registerFile.floatEnvironment
    }
    host = try X86_64Host(configuration)
    self.registers = registers.map(\.name)
    for helper in configuration.helpers {
      places[UInt64(unsafe unsafeBitCast(helper.function, to: UInt.self))] = "@" + helper.name
    }
    // The host shows no one the places of its shared code; reflection knows them by name.
    let trampolines = try #require(Mirror(reflecting: host).descendant("trampolines"))
    for case let (name?, offset as Int) in Mirror(reflecting: trampolines).children {
      places[host.jumpTarget(CodeAddress(UInt32(offset)))] = "@" + name
    }
    let constants = try #require(Mirror(reflecting: trampolines).descendant("floats", "constants") as? Int)
    self.constants = host.jumpTarget(CodeAddress(UInt32(constants)))
    fields = Self.header
    for register in registers { fields[register.offset] = register.name }
  }

  private static var tables: [Int: String] {
    [
      SoftTLB.readTags: "readTags", SoftTLB.writeTags: "writeTags", SoftTLB.addends: "addends",
      SoftTLB.hostPages: "hostPages",
    ]
  }

  private static var header: [Int: String] {
    [
      StateOffset.pc: "pc", StateOffset.budget: "budget", StateOffset.exitReason: "exitReason",
      StateOffset.exitSite: "exitSite", StateOffset.exceptionCause: "exceptionCause",
      StateOffset.exceptionValue: "exceptionValue", StateOffset.jumpCache: "jumpCache",
      StateOffset.windowLimit: "windowLimit", StateOffset.dataBase: "dataBase",
      StateOffset.budgetStart: "budgetStart",
      StateOffset.pendingRetired: "pendingRetired", StateOffset.currentPC: "currentPC",
      StateOffset.accessOutcome: "accessOutcome",
    ]
  }

  /// `x10=rbx x11=r12`
  var pins: String { text(host.pinnedRegisters) }
  func pins(of block: CompiledBlock) -> String { text(host.pinnedRegisters(of: block)) }
  private func text(_ pins: [(register: Int, hostRegister: String)]) -> String {
    pins.map { "\(registers[$0.register])=\($0.hostRegister)" }.joined(separator: " ")
  }

  /// The lines of a block's host code, indented, each with the index of the op it comes from.
  func lines(_ block: CompiledBlock, of ir: Block, _ path: DataPath) -> [(op: Int?, text: String)] {
    let code = host.listing(block, of: ir, dataPath: path)
    let start = host.jumpTarget(block.entry)
    let targets = Set(code.compactMap(target)).filter { start..<start + UInt64(block.size) ~= $0 }.sorted()
    let labels = Dictionary(uniqueKeysWithValues: zip(targets, 1...))
    return code.map { line in
      let label = labels[line.address].map { "     L\($0):\n" } ?? ""
      return (line.op, label + "        " + text(line, labels, path) + "\n")
    }
  }

  /// Where a jump or call with a known target leads.
  private func target(_ line: HostLine) -> UInt64? {
    guard let match = line.text.wholeMatch(of: /(?:j[a-z]+|call) 0x([0-9a-f]+)/) else { return nil }
    return UInt64(match.1, radix: 16)
  }

  private func text(_ line: HostLine, _ labels: [UInt64: Int], _ path: DataPath) -> String {
    if let target = target(line) {
      let mnemonic = line.text.prefix { $0 != " " }
      return mnemonic + " " + (labels[target].map { "L\($0)" } ?? places[target] ?? "elsewhere")
    }
    let constant = line.text.replacing(/\[rip ([+-]) 0x([0-9a-f]+)\]/) { match in
      let distance = UInt64(match.2, radix: 16)!
      let next = line.address + UInt64(line.bytes.count)
      let address = match.1 == "-" ? next &- distance : next &+ distance
      return "[constant \((address - constants) / 16)]"
    }
    let data =
      path == .tlb
      ? constant.replacing(/gs:\[(\w+)\*8(?: \+ 0x([0-9a-f]+))?\]/) { match in
        let offset = match.2.flatMap { Int($0, radix: 16) } ?? 0
        return "[tlb.\(Self.tables[offset] ?? String(offset)) + \(match.1)*8]"
      } : constant
    let text = data.replacing(/\[rbp(?: \+ (?:0x([0-9a-f]+)|(\d+)))?\]/) { match in
      let offset = match.1.flatMap { Int($0, radix: 16) } ?? match.2.flatMap { Int($0) } ?? 0
      return "[cpu.\(fields[offset] ?? String(offset))]"
    }
    guard text.hasPrefix("movabs ") else { return text }
    return text.replacing(/0x([0-9a-f]+)$/) { match in
      UInt64(match.1, radix: 16).flatMap { places[$0] } ?? String(match.0)
    }
  }
}
