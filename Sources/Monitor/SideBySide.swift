// Owns what a block's listing consists of: guest instructions, the IR ops each became, the host code of each op.

import Bits
import Engine
import HostKit
import IR
import Machine

/// A block's code, guest instruction by guest instruction.
struct SideBySide {
  /// What one guest instruction became. The first may be what comes before any instruction (counters).
  struct Part {
    var guest: GuestLine?
    /// Index of the instruction's marker, for hosts that make code of it.
    var marker: Int?
    var ops: [(index: Int, text: String)] = []
  }
  private(set) var parts: [Part] = []
  private var hostByOp: [Int: [HostLine]] = [:]
  /// Host code that no op's place is in.
  private(set) var cold: [HostLine] = []
  /// Address of the first byte of host code.
  let start: UInt64
  private let memory: DebugMemory
  private let hostText: HostText
  /// The guest registers that live in host registers: `a0=rbx`.
  private let pinned: [String]

  init(_ view: BlockInspection, _ machine: Machine, _ memory: DebugMemory) {
    self.memory = memory
    hostText = HostText(machine, block: view.id)
    start = view.host.first?.address ?? 0
    let registers = machine.guest.registerFile.registers
    pinned = view.pinned.map { number, host in "\(registers[number].aliases.first ?? registers[number].name)=\(host)" }
    let texts = machine.engine.printer.lines(view.compiled)
    // Labels belong to the instruction they stand before.
    var labels: [(index: Int, text: String)] = []
    for (index, op) in view.compiled.ops.enumerated() {
      if op.opcode == .instruction {
        let pc = UInt64(bitPattern: op.imm)
        let line = view.guest.first { $0.pc == pc }
        parts.append(Part(guest: line, marker: index, ops: labels))
        labels = []
      } else if op.opcode == .label {
        labels.append((index, texts[index]))
      } else {
        if parts.isEmpty { parts.append(Part()) }
        parts[parts.count - 1].ops.append((index, texts[index]))
      }
    }
    for line in view.host {
      if let op = line.op { hostByOp[op, default: []].append(line) } else { cold.append(line) }
    }
  }

  /// The host code of an op, or of an instruction's marker.
  func host(_ op: Int) -> [HostLine] { hostByOp[op] ?? [] }

  func text(_ line: HostLine) -> String { hostText.text(line) }

  /// What host registers stand for, in as many lines as it takes.
  func legend(_ columns: Int) -> [String] {
    [("pinned", pinned.joined(separator: " ")), ("host", hostText.legend)].filter { !$0.1.isEmpty }
      .flatMap { ListingStyle.wrapped(padded($0.0, 8) + $0.1, columns, indent: 8) }
  }

  // MARK: JSON

  var value: Value {
    .list(
      parts.map { part in
        .object([
          NamedValue("pc", part.guest.map { memory.address($0.pc) } ?? .nothing),
          NamedValue("encoding", part.guest.map { .text(DebugMemory.encoding($0.bytes)) } ?? .nothing),
          NamedValue("text", part.guest.map { .text($0.text) } ?? .nothing),
          NamedValue(
            "ir",
            .list(
              part.ops.map { op in
                .object([
                  NamedValue("op", .count(op.index)), NamedValue("text", .text(op.text)),
                  NamedValue("host", .list(host(op.index).map(hostValue))),
                ])
              })),
        ])
      } + [.object([NamedValue("out of line", .list(cold.map(hostValue)))])])
  }

  private func hostValue(_ line: HostLine) -> Value {
    .object([
      NamedValue("address", .hex(line.address)), NamedValue("bytes", .text(DebugMemory.encoding(line.bytes))),
      NamedValue("text", .text(line.text)), NamedValue("shown", .text(text(line))),
    ])
  }
}
