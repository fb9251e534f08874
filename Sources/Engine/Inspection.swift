// Owns the views into a translation block: guest code, IR at each stage, host code. Made again on demand.

import GuestKit
import HostKit
import IR

/// A guest instruction of a block.
public struct GuestLine: Sendable {
  public var pc: UInt64
  public var bytes: [UInt8]
  public var text: String
}

extension Engine {
  /// The guest instructions of a block, disassembled from memory as it is now.
  public func guestListing(_ id: BlockID) -> [GuestLine] {
    let block = store[id]
    var lines: [GuestLine] = []
    var offset: UInt64 = 0
    for _ in 0..<block.instructionCount {
      let physical = block.key.physicalPC &+ offset
      var count = 16
      var bytes: [UInt8] = []
      while count > 0, bytes.isEmpty {
        bytes = (try? space.copyOut(at: physical, count: count)) ?? []
        count -= 2
      }
      guard !bytes.isEmpty else { break }
      let pc = block.key.pc &+ offset
      let (text, length) = guest.disassemble(bytes, pc: pc)
      lines.append(GuestLine(pc: pc, bytes: Array(bytes.prefix(length)), text: text))
      offset &+= UInt64(max(1, length))
    }
    return lines
  }

  func logTranslation(_ id: BlockID, _ block: Block, _ optimized: Block) {
    guard log.isOn(.inAsm) else { return }
    log.write(.inAsm, "block \(hex(block.pc)), flags \(hex(UInt64(store[id].key.flags)))")
    for line in guestListing(id) { log.write(.inAsm, "  \(hex(line.pc)):  \(line.text)") }
  }
}
