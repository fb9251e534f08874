// Owns the finding of a caller by the code ahead: the way to the function's return is walked with what registers hold.

import GuestKit

/// How a walk ended.
enum CodeEnd {
  /// The registers behind the return, the program counter among them.
  case returned(RegisterValues)
  /// The same of a return from an exception, by a register.
  case exceptionReturn(RegisterValues, by: Int)
}

/// Walks ahead from where a frame stands to its return.
///
/// What a function does to the stack it undoes on its way out, so the state behind the return is that of the caller. That
/// holds wherever the frame stands: before its prologue, behind it, in its epilogue, or without either.
struct CodeAhead {
  let guest: any Guest & Unwinding
  let code: GuestCode
  /// Whether a return there is one to a caller.
  let isReturnAddress: (UInt64) -> Bool
  private static var mostInstructions: Int { 20_000 }

  func end(from pc: UInt64, _ values: RegisterValues) -> CodeEnd? {
    var open = [(pc: pc, state: FrameSimulation(guest, code.memory, values))]
    var visited: Set<UInt64> = []
    var left = Self.mostInstructions
    while var (pc, state) = open.popLast() {
      var conditional = 0
      path: while left > 0, visited.insert(pc).inserted, let instruction = code.instruction(at: pc) {
        left -= 1
        let next = pc &+ UInt64(instruction.length)
        if conditional > 0 {
          conditional -= 1
          // On the other way it has no effect.
          if instruction.flow != .next { open.append((next, state)) }
        }
        for effect in instruction.effects { state.apply(effect) }
        switch instruction.flow {
        case .next: pc = next
        case .branch(let target):
          open.append((target, state))
          pc = next
        case .jump(let target): pc = target
        case .call:
          state.call()
          pc = next
        case .ownCall(let link, let target):
          state[link] = FrameValue(root: nil, offset: next)
          pc = target
        case .conditional(let count):
          conditional = count
          pc = next
        case .returns(let register):
          guard let target = state.number(register) else { break path }
          if register != guest.linkRegister, register != guest.programCounter, visited.contains(target &- 4) {
            pc = target
            continue
          }
          guard isReturnAddress(target), let values = result(state, values, pc: target) else { break path }
          return .returned(values)
        case .exceptionReturn(let register):
          guard let target = state.number(register), let values = result(state, values, pc: target) else { break path }
          return .exceptionReturn(values, by: register)
        case .unknown: break path
        }
      }
    }
    return nil
  }

  private func result(_ state: FrameSimulation, _ before: RegisterValues, pc: UInt64) -> RegisterValues? {
    guard state.number(guest.stackPointer) != nil else { return nil }
    var values = before
    for register in guest.registerFile.registers.indices { values[register] = state.number(register) }
    values[guest.programCounter] = pc
    return values
  }
}
