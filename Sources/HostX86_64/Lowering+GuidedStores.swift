// Lowering of guided stores: those of instructions that keep storing beside code (`StoreGuide`).

import HostKit
import IR

extension Lowering<X86_64> {
  /// Whether stores of the instruction at hand are guided.
  @inline(__always)
  var isGuided: Bool { !guidedPCs.isEmpty && guidedPCs.contains(currentPC) }

  /// Looks the store's line up, and stores in the view behind the guide, or by the slow path.
  mutating func lowerGuidedStore(_ op: Op) {
    let is32 = values[Int(op.a.index)].type != .i64
    let known = constant(op.a)
    guard let displacement = Int32(exactly: op.imm) else { return lowerSlowAccess(op) }
    let base = known == nil ? register(op.a) : nil
    let datum = datum(op)
    var stub: Label?
    checkAlignment(op, &stub)
    let slow = stub ?? assembler.makeLabel()
    let isAddress = !is32 && displacement == 0
    let address = isAddress ? base ?? allocate() : allocate()
    let line = allocate()
    if let base {
      if !isAddress { assembler.lea(is32 ? .dword : .qword, address, Memory(base, displacement)) }
    } else {
      let target = (known ?? 0) &+ op.imm
      assembler.mov(address, is32 ? target & 0xFFFF_FFFF : target)
    }
    emitGuide(address: address, line: line, is32: is32, fails: slow)
    let home: ValueHome = if let base { .register(base) } else { .none }
    emitAccess(
      op, datum, at: Memory(line, address, .x1, 0), makeSite(op, base: home, (known ?? 0) &+ op.imm), slow,
      isLookedUp: true)
  }

  /// Looks up the line of an address, if it is in the window.
  ///
  /// - Parameter line: takes what leads from addresses to the view behind the guide.
  mutating func emitGuide(address: Register, line: Register, is32: Bool, fails: Label) {
    if !is32 {
      assembler.alu(.cmp, .qword, address, ABI.state(StateOffset.windowLimit))
      assembler.jcc(.ae, fails)
    }
    assembler.mov(.qword, line, address)
    assembler.shift(.shr, .qword, line, by: UInt8(StoreGuide.lineShift))
    assembler.alu(.add, .qword, line, ABI.state(StateOffset.storeGuide))
    assembler.alu(.cmp, .byte, Memory(line, Int32(-StoreGuide.size)), Int32(StoreGuide.open))
    assembler.jcc(.ne, fails)
    assembler.load(.qword, line, ABI.state(StateOffset.storeGuide))
  }
}
