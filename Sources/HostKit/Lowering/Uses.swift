// Owns the backward pass: what each value is needed for, and how long.

import Bits
import IR

extension Lowering {
  /// Finds each value's last use and number of uses, the pinned register it should be computed in, and the
  /// comparisons that need not become values.
  @inlinable mutating func findUses() {
    let (ops, values, pinOfRegister, opcodeEffects) = (ops, values, pinOfRegister, opcodeEffects)
    // For each pinned register: the value it is set to next, valid while nothing in between observes it.
    var pending = InlineArray<64, UInt16>(repeating: ValueState.noValue)
    var pendingMask: UInt64 = 0
    var next = opCount
    while next > 0 {
      next &-= 1
      let index = next
      let op = ops[index]
      if op.opcode == .instruction || op.opcode == .const { continue }
      if op.opcode == .setRegister {
        let pin = pinOfRegister[Int(op.imm)]
        Self.use(op.a, at: index, values)
        if pin != ValueState.noPin, (pin >= UInt8(ABI.pinnedCount)) == values[Int(op.a.index)].type.usesVectorRegister {
          pending[Int(pin)] = op.a.index
          pendingMask |= 1 &<< UInt64(pin)
          values[Int(op.a.index)].hint = pin
        }
        continue
      }
      if op.opcode == .getRegister {
        let pin = pinOfRegister[Int(op.imm)]
        if pin != ValueState.noPin { pendingMask &= ~(1 &<< UInt64(pin)) }
        continue
      }
      let effects = opcodeEffects[Int(op.opcode.rawValue)]
      var wanted = ValueState.noPin
      if !op.result.isNone {
        let result = Int(op.result.index)
        let hint = values[result].hint
        if hint != ValueState.noPin && pendingMask &>> UInt64(hint) & 1 != 0 && pending[Int(hint)] == op.result.index {
          wanted = hint
        } else {
          values[result].hint = ValueState.noPin
        }
        if values[result].uses == 0 && effects.isDisjoint(with: .observable) { continue }
      }
      if !effects.isDisjoint(with: [.mayRaise, .exits, .terminates, .readsMemory, .writesMemory]) || op.opcode == .call
      {
        pendingMask = 0
        wanted = ValueState.noPin
      }
      var place = index
      if op.opcode == .compare, values[Int(op.result.index)].uses == 1 {
        let user = Int(values[Int(op.result.index)].lastUse)
        if (ops[user].opcode == .exitIf || ops[user].opcode == .select) && ops[user].a == op.result {
          values[Int(op.result.index)].place = .compare
          values[Int(op.result.index)].immediate = Int64(index)
          place = user
        }
      }
      if !op.a.isNone {
        let isLast = values[Int(op.a.index)].uses == 0
        Self.use(op.a, at: place, values)
        if isLast && wanted != ValueState.noPin && op.opcode != .select,
          (wanted >= UInt8(ABI.pinnedCount)) == values[Int(op.a.index)].type.usesVectorRegister
        {
          pending[Int(wanted)] = op.a.index
          values[Int(op.a.index)].hint = wanted
        }
      }
      if !op.b.isNone { Self.use(op.b, at: place, values) }
      if !op.c.isNone { Self.use(op.c, at: place, values) }
    }
  }

  @inlinable @inline(__always)
  static func use(_ value: ValueID, at index: Int, _ values: RawTable<ValueState>) {
    let number = Int(value.index)
    values[number].uses = values[number].uses == 0 ? 1 : 2
    values[number].lastUse = max(values[number].lastUse, Int32(truncatingIfNeeded: index))
  }
}
