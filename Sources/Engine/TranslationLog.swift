// Owns the log of translations (`-d in_asm,op,op_opt,out_asm`), and the names that IR text uses.

import Bits
import GuestKit
import HostKit
import IR

extension Engine {
  /// The host's name, such as `x86_64`.
  public var hostName: String { type(of: host).name }

  /// The name of the host that executes what was translated at a tier.
  public func hostName(of tier: Tier) -> String { tier == .interpreted ? "interpreter" : type(of: host).name }

  /// See ``Printer``.
  public var printer: Printer { translator.printer }
}

extension Translator {
  /// IR text with the guest's register and helper names; a register goes by its first alias (`a0`), as in assembly.
  var printer: Printer {
    Printer(
      TextNames(
        registers: guest.registerFile.registers.map { $0.aliases.first ?? $0.name },
        helpers: guest.helpers.map(\.name)))
  }

  func logTranslation(_ id: BlockID, _ block: Block, _ optimized: Block) {
    guard log.covers(block.pc) else { return }
    let header = "block \(block.pc.hex0x()), flags \(UInt64(code.blocks[id].key.flags).hex0x())"
    if log.isOn(.inAsm) {
      log.write(.inAsm, header)
      for line in guestListing(code.blocks[id], block) { log.write(.inAsm, "  \(line.pc.hex0x()):  \(line.text)") }
    }
    if log.isOn(.op) {
      log.write(.op, header + ", \(block.ops.count) ops")
      for line in printer.lines(block) { log.write(.op, "  " + line) }
    }
    if log.isOn(.opOpt) {
      log.write(.opOpt, header + ", \(optimized.ops.count) ops after the passes")
      for line in printer.lines(optimized) { log.write(.opOpt, "  " + line) }
    }
    if log.isOn(.outAsm) {
      let compiled = code.blocks[id].compiled
      log.write(.outAsm, header + ", \(compiled.size) host bytes")
      let lines =
        code.blocks[id].tier == .interpreted
        ? interpreter?.listing(compiled) ?? []
        : code.host.listing(compiled, of: nil, dataPath: dataPath(code.blocks[id].key.flags))
      for line in lines {
        log.write(.outAsm, "  \(line.address.hex0x()):  \(line.text)")
      }
    }
  }

  /// The guest instructions of a block, disassembled from memory as it is now.
  func guestListing(_ block: TranslationBlock, _ decoded: Block) -> [GuestLine] {
    decoded.ops.compactMap { op in
      guard op.opcode == .instruction else { return nil }
      let pc = UInt64(bitPattern: op.imm)
      let physical = block.key.physicalPC &+ (pc &- block.key.pc)
      guard let bytes = try? space.copyOut(at: physical, count: Int(op.aux)) else { return nil }
      return GuestLine(pc: pc, bytes: bytes, text: guest.disassemble(bytes, pc: pc).text)
    }
  }
}
