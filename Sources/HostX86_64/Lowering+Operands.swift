// Operands as x86-64 instructions take them: the last one may be in memory, an integer one a number.

import HostKit
import IR

/// An operand as an instruction takes it.
enum Source {
  case register(Register)
  case memory(Memory)
  case immediate(Int32)
}

/// An operand as a floating-point instruction takes it.
enum VectorSource {
  case register(VectorRegister)
  case memory(Memory)
}

extension Lowering<X86_64> {
  /// `value` as the last operand of an instruction of 32 or 64 bits.
  mutating func source(_ value: ValueID) -> Source {
    noteUse(value)
    let state = values[Int(value.index)]
    switch state.place {
    case .constant:
      if let immediate = Int32(exactly: state.immediate) { return .immediate(immediate) }
      return .register(register(value))
    case .state:
      return state.lastUse == position
        ? .memory(ABI.state(registers[Int(state.slot)].offset)) : .register(register(value))
    case .spill:
      return .memory(ABI.spill(Int(state.slot)))
    case .none, .register, .vector, .compare:
      return .register(register(value))
    }
  }

  /// `value` as the last operand of an instruction.
  mutating func vectorSource(_ value: ValueID) -> VectorSource {
    noteUse(value)
    let state = values[Int(value.index)]
    switch state.place {
    case .state where state.lastUse == position: return .memory(ABI.state(registers[Int(state.slot)].offset))
    case .spill: return .memory(ABI.spill(Int(state.slot)))
    default: return .register(vector(value))
    }
  }
}
