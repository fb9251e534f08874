// The checker of register allocation, for tests: after every op, what allocation believes must fit together.

import IR

extension Lowering {
  /// Whether all that is known of the values needed after the op at hand is consistent; else the compilation fails and
  /// says what is wrong.
  @usableFromInline mutating func checkAllocation() {
    for index in 0...Int(position) {
      let result = ops[index].result
      guard !result.isNone, isLive(result.index), !values[Int(result.index)].type.isFloat else { continue }
      if let fault = fault(of: result.index) {
        failure = .unsupported("register allocation, after op \(position): value \(result.index) \(fault)")
        return
      }
    }
    for number in UInt8(0)..<32 where ABI.temporaries.contains(Register(number: number)) {
      let register = Register(number: number)
      let owner = owners[Int(register.number)]
      if free.contains(register) != (owner == ValueState.noValue) {
        failure = .unsupported("register allocation, after op \(position): \(register) is free and owned, or neither")
      }
    }
  }

  /// What is wrong with the place of a value that is needed later.
  private mutating func fault(of value: UInt16) -> String? {
    let state = values[Int(value)]
    switch state.place {
    case .none: return "is nowhere"
    case .constant, .compare, .vector: return nil
    case .spill: return Int(state.slot) < spillCount ? nil : "is in a spill slot that was not given out"
    case .state:
      guard pinOfRegister[Int(state.slot)] == ValueState.noPin else {
        return "is sought in the state of a pinned register"
      }
      return isMirror(value, of: Int(state.slot)) ? nil : "would be missed when its guest register is written"
    case .register where ABI.temporaries.contains(state.register):
      return owners[Int(state.register.number)] == value ? nil : "is in \(state.register), which holds another"
    case .register:
      let pin = Int(state.slot) < registers.count ? pinOfRegister[Int(state.slot)] : ValueState.noPin
      guard pin != ValueState.noPin, ABI.pinned(Int(pin)) == state.register else {
        return "is in \(state.register), which does not hold its guest register"
      }
      return isMirror(value, of: Int(state.slot)) ? nil : "would be missed when its guest register is written"
    }
  }

  private mutating func isMirror(_ value: UInt16, of guest: Int) -> Bool {
    var current = mirrors[guest]
    while current != ValueState.noValue && current != value { current = values[Int(current)].next }
    return current == value
  }
}
