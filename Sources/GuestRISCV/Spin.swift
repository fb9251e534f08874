// Owns the recognition of loops that only wait: short, straight, with loads and computations that give the same each time
// round as long as memory does. What the engine makes of them changes no result (``GuestKit/VCPUContext/spins(_:)``).

import GuestKit
import IR

/// The instructions translated last, as far as they follow one another in memory.
struct Trail {
  private var encodings = InlineArray<8, UInt32>(repeating: 0)
  private var count = 0
  private var next = UInt64.max

  /// Of a loop, the branch included.
  static var limit: Int { 8 }

  @inline(__always)
  mutating func note(_ encoding: UInt32, at pc: UInt64, _ length: Int) {
    if pc != next { count = 0 }
    next = pc &+ UInt64(length)
    encodings[count & 7] = encoding
    count &+= 1
  }

  /// Whether an encoding is that of a backward branch: B-type, `c.beqz`, `c.bnez`.
  @inline(__always)
  static func mayClose(_ encoding: UInt32) -> Bool {
    encoding & 0x8000_007F == 0x8000_0063 || encoding & 0xD003 == 0xD001
  }

  /// The encodings from `target` up to `pc`, where the next instruction is; nil if they are not known, or too many.
  func body(from target: UInt64, to pc: UInt64) -> [UInt32]? {
    guard next == pc else { return nil }
    var (place, body) = (pc, [UInt32]())
    while place != target {
      guard body.count < min(count, Self.limit - 1) else { return nil }
      let encoding = encodings[(count - 1 - body.count) & 7]
      body.append(encoding)
      place &-= encoding & 3 == 3 ? 4 : 2
    }
    return body.reversed()
  }
}

extension RISCVGuest {
  private static let loads: Set<String> = ["lb", "lh", "lw", "ld", "lbu", "lhu", "lwu"]
  private static let computations: Set<String> = [
    "addi", "andi", "ori", "xori", "slli", "srli", "srai", "slti", "sltiu", "lui", "addiw", "slliw", "srliw", "sraiw",
    "add", "sub", "and", "or", "xor", "sll", "srl", "sra", "slt", "sltu", "addw", "subw", "fence",
  ]

  /// How many instructions the loop has that the branch at `pc` closes, if it does nothing but wait; else 0.
  ///
  /// It has a load, and no register that is read before it is written in the same turn: so each turn begins with what the one
  /// before began with, and whoever has seen one knows the next.
  @inline(never)
  func spinLength(_ trail: Trail, _ encoding: UInt32, _ length: Int, _ pc: UInt64) -> Int {
    guard let branch = decoder.decode(encoding, length: length) else { return 0 }
    let target = pc &+ UInt64(bitPattern: Int64(branch.i))
    guard target < pc, (target ^ pc) >> 12 == 0, extensions.contains(.c) || target & 2 == 0,
      let body = trail.body(from: target, to: pc)
    else { return 0 }
    var (written, begunWith, hasLoad): (UInt32, UInt32, Bool) = (0, 0, false)
    func read(_ register: Int) { if written >> UInt32(register) & 1 == 0 { begunWith |= 1 << UInt32(register) } }
    for encoding in body {
      guard let instruction = decoder.decode(encoding, length: encoding & 3 == 3 ? 4 : 2) else { return 0 }
      let row = decoder.rows[instruction.row]
      let name = row.shown ?? row.name
      let isLoad = Self.loads.contains(name)
      guard isLoad || Self.computations.contains(name), encoding != BaseInteger.pause else { return 0 }
      hasLoad = hasLoad || isLoad
      guard name != "fence" else { continue }
      read(instruction.s)
      read(instruction.t)
      written |= 1 << UInt32(instruction.d)
    }
    read(branch.s)
    read(branch.t)
    // x0 stays what it is.
    return hasLoad && begunWith & written & ~1 == 0 ? body.count + 1 : 0
  }
}
