// Owns a case of the differential tests: a few instructions and the registers they start from.

import GuestKit
import GuestRISCV

/// Where things are, for every executor alike.
enum Place {
  static let code: UInt64 = 0x1000_0000
  static let initial: UInt64 = 0x1800_0000
  /// The memory that cases work on, across a page boundary.
  static let scratch: UInt64 = 0x2000_0E00
  static let scratchSize = 1024
  /// What pointer registers are near to; displacements from there stay inside.
  static let pointer = scratch + 384
  static let displacements = -256..<512
  static let output: UInt64 = 0x2800_0000
  /// Engine only: page tables, and the handler of exceptions; nowhere near a value that cases start from.
  static let tables: UInt64 = 0x7A5C_4000
  static let handler = tables + 0x1_0000
}

/// Registers that hold pointers into the scratch memory: `sp`, and two that compressed instructions can name.
let pointerRegisters = [2, 8, 9]

/// One instruction of a case. A jump leads over `span` instructions; an indirect one is preceded by two that compute
/// its target.
struct CaseInstruction {
  var form: InstructionForm
  var bits: UInt32
  var span = 0

  var size: Int { form.kind == .indirectJump ? 8 + form.length : form.length }
}

struct RandomCase {
  var instructions: [CaseInstruction]
  /// x0–x31; x0 is 0.
  var x: [UInt64]
  var f: [UInt64]
  var fcsr: UInt64
  /// `mstatus.FS`
  var floatState: UInt64
  /// An integer register that no instruction writes: user-mode programs keep a pointer in it.
  var reserved: Int

  /// The bytes of its code; jumps lead forward only, at most to its end.
  var code: [UInt8] {
    var starts: [Int] = [0]
    for instruction in instructions { starts.append(starts.last! + instruction.size) }
    var bytes: [UInt8] = []
    func emit(_ bits: UInt32, _ length: Int) {
      for byte in 0..<UInt32(length) { bytes.append(UInt8(truncatingIfNeeded: bits >> (8 * byte))) }
    }
    for (index, instruction) in instructions.enumerated() {
      let target = starts[min(index + max(1, instruction.span), instructions.count)] - starts[index]
      let form = instruction.form
      switch form.kind {
      case .branch: emit(form.setting("i", to: target, in: instruction.bits) ?? instruction.bits, form.length)
      case .indirectJump:
        let base = form.pattern.extract("s", from: instruction.bits)
        emit(Assembler.upper(0x17, base, 0), 4)
        emit(Assembler.immediate(0x13, 0, base, base, target), 4)
        emit(instruction.bits, form.length)
      case .plain, .memory: emit(instruction.bits, form.length)
      }
    }
    return bytes
  }

  /// The disassembly of its code as it stands at `pc`, and the registers it starts from.
  func text(_ guest: RISCVGuest, at pc: UInt64) -> String {
    var lines: [String] = []
    let bytes = code
    var offset = 0
    while offset < bytes.count {
      let address = pc &+ UInt64(offset)
      let (text, length) = guest.disassemble(Array(bytes[offset...].prefix(4)), pc: address)
      let word = bytes[offset..<offset + length].reversed().map { hex(UInt64($0), digits: 2) }.joined()
      lines.append("  \(hex(address, digits: 8)) \(word) \(text)")
      offset += length
    }
    let integers = (1..<32).map { "x\($0)=\(hex(x[$0]))" }.joined(separator: " ")
    let floats = (0..<32).map { "f\($0)=\(hex(f[$0]))" }.joined(separator: " ")
    return lines.joined(separator: "\n") + "\n  from fcsr=\(hex(fcsr)) FS=\(floatState) \(integers)\n  \(floats)"
  }
}

func hex(_ value: some BinaryInteger, digits: Int = 1) -> String {
  let text = String(value, radix: 16)
  return String(repeating: "0", count: max(0, digits - text.count)) + text
}
