// Owns the evaluation of DWARF expressions (DWARF 5, 2.5), as far as call frame information uses them.

@unsafe @preconcurrency import CDW

/// A stack machine with bounds on its stack and its steps.
struct ExpressionMachine {
  private let state: FrameState
  private let addressSize: Int
  private let frameAddress: UInt64?
  private var stack: [UInt64] = []
  /// A register that an expression names as the place of a value.
  private var place: Int?
  /// The top of the stack is the value, not where it is.
  private var isValue = false
  private static var mostSteps: Int { 4096 }
  private static var deepest: Int { 256 }

  init(_ state: FrameState, addressSize: Int, frameAddress: UInt64?) {
    self.state = state
    self.addressSize = addressSize
    self.frameAddress = frameAddress
  }

  private var mask: UInt64 { addressSize == 4 ? 0xFFFF_FFFF : .max }
  private static var broken: DWARFError { DWARFError("a DWARF expression is broken") }

  /// What the expression leaves on the stack.
  mutating func value(_ operations: UnsafeBufferPointer<Dwarf_Op>) throws(DWARFError) -> UInt64 {
    try unsafe run(operations)
    if let place { return try register(place) }
    return try top() & mask
  }

  /// The value at the place that the expression describes, or the value itself if it says so.
  mutating func located(_ operations: UnsafeBufferPointer<Dwarf_Op>) throws(DWARFError) -> UInt64 {
    try unsafe run(operations)
    if let place { return try register(place) }
    let result = try top() & mask
    return isValue ? result : try load(result, addressSize)
  }

  private func register(_ number: Int) throws(DWARFError) -> UInt64 {
    guard let value = state.register(number) else { throw DWARFError("register \(number) of DWARF is not known here") }
    return value & mask
  }

  private func load(_ address: UInt64, _ size: Int) throws(DWARFError) -> UInt64 {
    guard let value = state.memory(address, size) else {
      throw DWARFError("the stack cannot be read at 0x\(String(address, radix: 16))")
    }
    return value
  }

  private func top(_ depth: Int = 0) throws(DWARFError) -> UInt64 {
    guard depth < stack.count else { throw Self.broken }
    return stack[stack.count - 1 - depth]
  }

  private mutating func pop() throws(DWARFError) -> UInt64 {
    guard let value = stack.popLast() else { throw Self.broken }
    return value
  }

  private mutating func push(_ value: UInt64) throws(DWARFError) {
    guard stack.count < Self.deepest else { throw Self.broken }
    stack.append(value & mask)
  }

  private mutating func run(_ operations: UnsafeBufferPointer<Dwarf_Op>) throws(DWARFError) {
    var index = 0
    var steps = 0
    while index < operations.count {
      steps += 1
      guard steps <= Self.mostSteps else { throw Self.broken }
      let operation = unsafe operations[index]
      index += 1
      switch Int(operation.atom) {
      case Int(DW_OP_skip): index = try unsafe target(operation, operations)
      case Int(DW_OP_bra): if try pop() != 0 { index = try unsafe target(operation, operations) }
      default: try execute(operation)
      }
    }
  }

  /// Where a branch leads: its operand counts from the byte behind it, 3 bytes on.
  private func target(
    _ operation: Dwarf_Op, _ operations: UnsafeBufferPointer<Dwarf_Op>
  ) throws(DWARFError) -> Int {
    let offset = operation.offset &+ 3 &+ operation.number
    if let index = unsafe operations.firstIndex(where: { $0.offset == offset }) { return index }
    return operations.count
  }

  private mutating func execute(_ operation: Dwarf_Op) throws(DWARFError) {
    let (atom, number) = (Int(operation.atom), operation.number)
    switch atom {
    case Int(DW_OP_lit0)...Int(DW_OP_lit31): try push(UInt64(atom - Int(DW_OP_lit0)))
    case Int(DW_OP_reg0)...Int(DW_OP_reg31): place = atom - Int(DW_OP_reg0)
    case Int(DW_OP_regx): place = Int(clamping: number)
    case Int(DW_OP_breg0)...Int(DW_OP_breg31): try push(register(atom - Int(DW_OP_breg0)) &+ number)
    case Int(DW_OP_bregx): try push(register(Int(clamping: number)) &+ operation.number2)
    case Int(DW_OP_addr), Int(DW_OP_const1u), Int(DW_OP_const1s), Int(DW_OP_const2u), Int(DW_OP_const2s),
      Int(DW_OP_const4u), Int(DW_OP_const4s), Int(DW_OP_const8u), Int(DW_OP_const8s), Int(DW_OP_constu),
      Int(DW_OP_consts):
      try push(number)
    case Int(DW_OP_call_frame_cfa):
      guard let frameAddress else { throw Self.broken }
      try push(frameAddress)
    case Int(DW_OP_dup): try push(top())
    case Int(DW_OP_drop): _ = try pop()
    case Int(DW_OP_over): try push(top(1))
    case Int(DW_OP_pick): try push(top(Int(clamping: number)))
    case Int(DW_OP_swap):
      let (a, b) = (try pop(), try pop())
      try push(a)
      try push(b)
    case Int(DW_OP_rot):
      let (a, b, c) = (try pop(), try pop(), try pop())
      try push(a)
      try push(c)
      try push(b)
    case Int(DW_OP_deref): try push(load(pop(), addressSize))
    case Int(DW_OP_deref_size):
      guard [1, 2, 4, 8].contains(number) else { throw Self.broken }
      try push(load(pop(), Int(number)))
    case Int(DW_OP_plus_uconst): try push(pop() &+ number)
    case Int(DW_OP_neg): try push(0 &- pop())
    case Int(DW_OP_not): try push(~pop())
    case Int(DW_OP_abs): try push(UInt64(signed(try pop()).magnitude))
    case Int(DW_OP_nop): break
    case Int(DW_OP_stack_value): isValue = true
    default:
      let (b, a) = (try pop(), try pop())
      try push(combine(atom, a, b))
    }
  }

  private func signed(_ value: UInt64) -> Int64 {
    addressSize == 4 ? Int64(Int32(truncatingIfNeeded: value)) : Int64(bitPattern: value)
  }

  private func combine(_ atom: Int, _ a: UInt64, _ b: UInt64) throws(DWARFError) -> UInt64 {
    let (left, right) = (signed(a), signed(b))
    switch atom {
    case Int(DW_OP_plus): return a &+ b
    case Int(DW_OP_minus): return a &- b
    case Int(DW_OP_mul): return a &* b
    case Int(DW_OP_and): return a & b
    case Int(DW_OP_or): return a | b
    case Int(DW_OP_xor): return a ^ b
    case Int(DW_OP_shl): return b < 64 ? a << b : 0
    case Int(DW_OP_shr): return b < 64 ? a >> b : 0
    case Int(DW_OP_shra): return UInt64(bitPattern: left >> Int64(clamping: b))
    case Int(DW_OP_eq): return left == right ? 1 : 0
    case Int(DW_OP_ne): return left != right ? 1 : 0
    case Int(DW_OP_lt): return left < right ? 1 : 0
    case Int(DW_OP_le): return left <= right ? 1 : 0
    case Int(DW_OP_gt): return left > right ? 1 : 0
    case Int(DW_OP_ge): return left >= right ? 1 : 0
    case Int(DW_OP_div), Int(DW_OP_mod):
      guard b != 0 else { throw Self.broken }
      return atom == Int(DW_OP_div) ? UInt64(bitPattern: left.dividedReportingOverflow(by: right).partialValue) : a % b
    default: throw Self.broken
    }
  }
}
