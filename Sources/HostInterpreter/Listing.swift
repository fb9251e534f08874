// Owns the interpreter's code as text.

import IR

extension InterpreterHost {
  /// An op of the code as IR, with guest registers by number.
  func text(_ op: Op) -> String {
    var op = op
    switch op.opcode {
    case .getRegister, .setRegister:
      let offset = Int(op.imm)
      op.imm = Int64(configuration.registers.firstIndex { $0.offset == offset } ?? 0)
    case .load, .store, .atomic, .compareExchange:
      op.aux = op.plainAccess.rawValue
      op.extra &= 0xF
    case .exit, .exitIf, .raise:
      op.aux &= 0x7FFF
      op.result = .none
    default: break
    }
    return Printer(places: placeNames).line(op)
  }

  private var placeNames: [UInt16: String] {
    var names: [UInt16: String] = [:]
    for (number, register) in configuration.registers.enumerated() {
      names[Place.register(at: register.offset).rawValue] = "r\(number)"
    }
    return names
  }
}
