// What a guest uses and a model lacks is said once.

import Bits

/// Says once each what a guest uses that a model lacks.
public struct UnimplementedLog {
  private var said: Set<String> = []

  public init() {}

  /// Names the unimplemented fields of `register`, or of one of an array, that `value` sets.
  public mutating func write(_ value: UInt64, to register: RegisterInfo, index: Int, of context: DeviceContext) {
    guard value & register.unimplemented != 0 else { return }
    for field in register.fields where field.kind == .unimplemented && value.bits(field.bits) != 0 {
      once("\(register.name(at: index)).\(field.name) is not implemented", context)
    }
  }

  /// Names an access that no register answers.
  public mutating func unknown(offset: UInt64, isWrite: Bool, of context: DeviceContext) {
    let address = (context.node.regions.first?.base ?? 0) &+ offset
    let name = context.registerName(address, isWrite ? 0 : nil).map { " (\($0))" } ?? ""
    once("\(isWrite ? "write to" : "read of") offset \(offset.hex0x())\(name), where there is no register", context)
  }

  /// Logs a message the first time it, or its `key`, comes.
  public mutating func once(_ message: String, key: String? = nil, _ context: DeviceContext) {
    if said.insert(key ?? message).inserted { context.log(.unimplemented, message) }
  }
}
