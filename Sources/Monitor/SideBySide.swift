// Owns the three-column listing of a block: guest instruction, IR ops, host code, aligned with each other.

import Bits
import Engine
import HostKit
import IR
import Machine

/// A block's code in three columns.
struct SideBySide {
  /// What one guest instruction became. The first may be what comes before any instruction (counters).
  private struct Part {
    var guest: GuestLine?
    /// Index of the instruction's marker, for hosts that make code of it.
    var marker: Int?
    var ops: [(index: Int, text: String)] = []
  }
  private var parts: [Part] = []
  private var hostByOp: [Int: [HostLine]] = [:]
  private var cold: [HostLine] = []
  private let memory: DebugMemory
  private let pinned: [(register: String, host: String)]

  init(_ view: BlockInspection, _ machine: Machine, _ memory: DebugMemory) {
    self.memory = memory
    let registers = machine.guest.registerFile.registers
    pinned = view.pinned.map { number, host in
      (registers[number].aliases.first ?? registers[number].name, host)
    }
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
    var last = 0
    for line in view.host {
      // Code that comes after the block's last op, or goes back to an earlier one, stands out of line.
      guard let op = line.op, op >= last, cold.isEmpty else {
        cold.append(line)
        continue
      }
      last = op
      hostByOp[op, default: []].append(line)
    }
  }

  // MARK: Text

  private struct Row {
    var guest = ""
    var ir = ""
    var host = ""
  }

  /// Without trailing spaces; a rule between guest instructions.
  var lines: [String] {
    var groups: [[Row]] = parts.map(rows)
    if !cold.isEmpty { groups.append(cold.map { Row(host: hostText($0)) }) }
    if !cold.isEmpty { groups[groups.count - 1][0].guest = "(out of line)" }
    let all = groups.flatMap { $0 }
    let guestWidth = max(all.map(\.guest.count).max() ?? 0, 5)
    let irWidth = max(all.map(\.ir.count).max() ?? 0, 2)
    let hostWidth = min(all.map(\.host.count).max() ?? 0, 60)
    let rule =
      String(repeating: "-", count: guestWidth) + "-+-" + String(repeating: "-", count: irWidth) + "-+-"
      + String(repeating: "-", count: max(hostWidth, 4))
    func line(_ row: Row) -> String {
      trimmed(padded(row.guest, guestWidth) + " | " + padded(row.ir, irWidth) + " | " + row.host)
    }
    var lines = [line(Row(guest: "guest", ir: "IR", host: "host"))]
    for group in groups { lines += [rule] + group.map(line) }
    if !pinned.isEmpty {
      lines += ["", "pinned  " + pinned.map { "\($0.register)=\($0.host)" }.joined(separator: " ")]
    }
    return lines
  }

  private func rows(_ part: Part) -> [Row] {
    var rows = (part.marker.flatMap { hostByOp[$0] } ?? []).map { Row(host: hostText($0)) }
    for (index, text) in part.ops {
      let host = hostByOp[index] ?? []
      rows.append(Row(ir: text, host: host.first.map(hostText) ?? ""))
      rows += host.dropFirst().map { Row(host: hostText($0)) }
    }
    if rows.isEmpty { rows.append(Row()) }
    if let guest = part.guest {
      rows[0].guest = guest.pc.hex() + "  " + guest.text
    }
    return rows
  }

  private func hostText(_ line: HostLine) -> String { line.address.hex() + "  " + line.text }

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
                  NamedValue("host", .list((hostByOp[op.index] ?? []).map(hostValue))),
                ])
              })),
        ])
      } + [.object([NamedValue("out of line", .list(cold.map(hostValue)))])])
  }

  private func hostValue(_ line: HostLine) -> Value {
    .object([NamedValue("address", .hex(line.address)), NamedValue("text", .text(line.text))])
  }
}
