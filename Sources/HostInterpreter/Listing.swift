// Owns the interpreter's code as text.

import HostKit
import IR

extension Interpreter {
  public func listing(_ block: CompiledBlock) -> [HostLine] { listing(block, sources: [:]) }

  /// - Parameter sources: which op of the IR the code of each place comes from, from the first place on.
  func listing(_ block: CompiledBlock, sources: [Int: Int]) -> [HostLine] {
    let first = Int(block.entry.offset)
    return places(of: block).map {
      HostLine(address: UInt64($0), bytes: [], text: text(code[$0]), op: sources[$0 - first])
    }
  }

  /// Where the ops of a block are; between them are words.
  func places(of block: CompiledBlock) -> [Int] {
    var index = Int(block.entry.offset)
    let end = index + block.size / MemoryLayout<PackedOp>.stride
    var places: [Int] = []
    while index < end {
      places.append(index)
      let op = code[index]
      index += op.hasWord ? 2 : 1
      // Whatever follows a call is entered, so there is a word before it.
      if entryLimit != nil, op.isCall { index += 1 }
    }
    return places
  }

  /// `add.i64 r5, %1, 3 -> r5`: what an op of the code does to which places.
  private func text(_ instruction: PackedOp) -> String {
    let info = instruction.opcode.info
    let isConstant = instruction.opcode == .copy && instruction.b == .immediate
    var text =
      "\(isConstant ? Opcode.const.info.name : info.name)"
      + (instruction.type == .none ? "" : ".\(instruction.type.name)")
    if instruction.opcode.mayWiden, instruction.signBit != 0 { text += ".sx" }
    var operands: [String] = []
    switch instruction.opcode {
    case .exit, .exitIf, .exitWith:
      if instruction.a != .none { operands.append(place(instruction.a)) }
      if instruction.opcode == .exitIf, instruction.isFused {
        text += " \(instruction.condition.name)"
        operands.append(place(instruction.b))
      }
      if let entry = instruction.chainedEntry {
        operands.append("[\(entry)]")
        break
      }
      let distance = (instruction.target < 0 ? "" : "+") + "\(instruction.target)"
      operands.append(instruction.hasTargetWord ? Self.nextWord : distance)
    case .const: operands.append(Self.nextWord)
    case .copy where isConstant: operands.append("\(instruction.immediate)")
    case .signExtend: operands += [place(instruction.a), "\(instruction.immediate)"]
    case .load, .store:
      let displacement = instruction.isInFarSpace ? 0 : instruction.displacement
      operands.append("[\(place(instruction.a)) + \(displacement)]")
      if instruction.opcode == .store { operands.append(place(instruction.b)) }
    case .getRegister, .setRegister:
      operands.append("state+\(instruction.immediate)")
      if instruction.opcode == .setRegister { operands.append(place(instruction.a)) }
    default:
      if instruction.opcode == .compare { text += " \(Condition(rawValue: instruction.aux)?.name ?? "?")" }
      if info.operands > 0 { operands.append(place(instruction.a)) }
      if info.operands > 1 {
        let isImmediate = instruction.b == .immediate
        operands.append(isImmediate ? "\(instruction.immediate)" : place(instruction.b))
      }
      if info.operands > 2 { operands.append(place(instruction.c)) }
    }
    if !operands.isEmpty { text += " " + operands.joined(separator: ", ") }
    return info.result == .none ? text : text + " -> " + place(instruction.result)
  }

  private static let nextWord = "the next word"

  /// A value by its number, a guest register likewise.
  private func place(_ place: Place) -> String {
    if place == .none { return "0" }
    if place.isValue { return "%\(place.rawValue & 0x7FFF)" }
    let offset = Int(place.rawValue) * 8
    return configuration.registers.firstIndex { $0.offset == offset }.map { "r\($0)" } ?? "state+\(offset)"
  }
}

extension InterpreterHost {
  public func listing(_ block: CompiledBlock, of ir: Block?, dataPath: DataPath) -> [HostLine] {
    interpreter.listing(block, sources: ir.map { sources($0, dataPath) } ?? [:])
  }

  private func sources(_ ir: Block, _ dataPath: DataPath) -> [Int: Int] {
    var configuration = interpreter.configuration
    configuration.codeCacheSize = (2 * ir.ops.count + 4) * MemoryLayout<PackedOp>.stride
    var starts: [Int]? = []
    var outline = BlockOutline()
    guard let host = try? InterpreterHost(configuration),
      let compiled = try? ir.withView({ (view) throws(HostError) in
        try host.compile(view, dataPath: dataPath, &outline, starts: &starts)
      })
    else { return [:] }
    // Of those that begin at one place the last one has code.
    return Dictionary(
      (starts ?? []).enumerated().map { ($1 - Int(compiled.entry.offset), $0) }, uniquingKeysWith: { $1 })
  }
}
