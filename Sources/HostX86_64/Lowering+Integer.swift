// Lowering of integer arithmetic, logic, comparisons and conversions.

import HostKit
import IR

extension Lowering<X86_64> {
  /// The host registers that hold operands of `op` now, to keep a result out of.
  @inline(__always)
  func registersOf(_ op: Op) -> RegisterSet {
    registerSet(of: op.a).union(registerSet(of: op.b)).union(registerSet(of: op.c))
  }

  /// The host register that holds `value`, if one does.
  @inline(__always)
  private func registerSet(of value: ValueID) -> RegisterSet {
    guard !value.isNone, values[Int(value.index)].place == .register else { return RegisterSet() }
    return RegisterSet(values[Int(value.index)].register)
  }

  /// `register op= source`
  mutating func apply(_ operation: Arithmetic, _ width: Width, _ register: Register, _ source: Source) {
    switch source {
    case .register(let other): assembler.alu(operation, width, register, other)
    case .memory(let memory): assembler.alu(operation, width, register, memory)
    case .immediate(let value): assembler.alu(operation, width, register, value)
    }
  }

  mutating func lowerAdd(_ op: Op) {
    let (a, b) = constant(op.a) == nil ? (op.a, op.b) : (op.b, op.a)
    let width = op.type.width
    let right = source(b)
    switch right {
    case .immediate(let value):
      let left = register(a)
      let result = destination(op.result, reusing: a)
      if result == left {
        if value != 0 { assembler.alu(.add, width, result, value) }
      } else {
        assembler.lea(width, result, Memory(left, value))
      }
    case .register(let second):
      let left = register(a)
      let result = destination(op.result, reusing: a)
      if result == left {
        assembler.alu(.add, width, result, second)
      } else if result == second {
        assembler.alu(.add, width, result, left)
      } else {
        assembler.lea(width, result, Memory(left, second))
      }
    case .memory: lowerCommuting(.add, op)
    }
  }

  mutating func lowerCommuting(_ operation: Arithmetic, _ op: Op) {
    let (a, b) = constant(op.a) == nil ? (op.a, op.b) : (op.b, op.a)
    let width = op.type.width
    let right = source(b)
    let result = destination(op.result, reusing: a)
    if case .register(let second) = right, second == result, !holds(result, a) {
      apply(operation, width, result, source(a))
    } else {
      loadInto(result, a.index)
      apply(operation, width, result, right)
    }
  }

  mutating func lowerSubtract(_ op: Op) {
    let width = op.type.width
    let right = source(op.b)
    if case .register(let second) = right {
      let result = destination(op.result, reusing: op.a)
      if second == result && !holds(result, op.a) {
        assembler.unary(.neg, width, result)
        apply(.add, width, result, source(op.a))
        return
      }
      if constant(op.a) == 0 {
        if result != second { assembler.mov(width, result, second) }
        assembler.unary(.neg, width, result)
        return
      }
      loadInto(result, op.a.index)
      assembler.alu(.sub, width, result, second)
      return
    }
    let result = destination(op.result, reusing: op.a)
    loadInto(result, op.a.index)
    apply(.sub, width, result, right)
  }

  /// Whether `value` is found in `register`.
  @inline(__always)
  func holds(_ register: Register, _ value: ValueID) -> Bool {
    let state = values[Int(value.index)]
    return state.place == .register && state.register == register
  }

  mutating func lowerAndNot(_ op: Op) {
    let width = op.type.width
    if let mask = constant(op.b), let immediate = Int32(exactly: ~mask) {
      let result = destination(op.result, reusing: op.a)
      loadInto(result, op.a.index)
      assembler.alu(.and, width, result, immediate)
      return
    }
    let left = register(op.a)
    let right = register(op.b)
    assembler.andn(width, destination(op.result, reusing: op.a), right, left)
  }

  mutating func lowerMultiply(_ op: Op) {
    let (a, b) = constant(op.a) == nil ? (op.a, op.b) : (op.b, op.a)
    let width = op.type.width
    switch source(b) {
    case .immediate(let value):
      let left = register(a)
      assembler.imul(width, destination(op.result, reusing: a), left, value)
    case .register(let second):
      let left = register(a)
      let result = destination(op.result, reusing: a)
      if result == second {
        assembler.imul(width, result, left)
      } else {
        if result != left { assembler.mov(width, result, left) }
        assembler.imul(width, result, second)
      }
    case .memory(let memory):
      let result = destination(op.result, reusing: a)
      loadInto(result, a.index)
      assembler.imul(width, result, memory)
    }
  }

  mutating func lowerMultiplyHigh(_ op: Op) {
    guard op.type == .i64 else { return lowerMultiplyHighNarrow(op) }
    claim(.rax)
    claim(.rdx)
    let left = register(op.a)
    let right = register(op.b)
    assembler.mov(.qword, .rax, left)
    assembler.unary(op.opcode == .mulHighSigned ? .imul : .mul, .qword, right)
    if op.opcode == .mulHighSignedUnsigned {
      // Taken as unsigned, a negative left operand is too large by 2⁶⁴.
      assembler.mov(.qword, .rax, left)
      assembler.shift(.sar, .qword, .rax, by: 63)
      assembler.alu(.and, .qword, .rax, right)
      assembler.alu(.sub, .qword, .rdx, .rax)
    }
    settle(op.result, in: .rdx)
  }

  /// Both factors widened to 64 bits give the whole product.
  private mutating func lowerMultiplyHighNarrow(_ op: Op) {
    guard op.type == .i32 else { return unsupported("\(op.opcode) of \(op.type.name)") }
    let left = register(op.a)
    let right = register(op.b)
    let product = allocate()
    let factor = allocate()
    if op.opcode == .mulHighUnsigned {
      assembler.movzx(from: .dword, product, left)
    } else {
      assembler.movsx(from: .dword, to: .qword, product, left)
    }
    if op.opcode == .mulHighSigned {
      assembler.movsx(from: .dword, to: .qword, factor, right)
    } else {
      assembler.movzx(from: .dword, factor, right)
    }
    assembler.imul(.qword, product, factor)
    assembler.shift(.shr, .qword, product, by: 32)
    settle(op.result, in: product)
  }

  mutating func lowerDivide(_ op: Op) {
    let isSigned = op.opcode == .divSigned || op.opcode == .remSigned
    let isRemainder = op.opcode == .remSigned || op.opcode == .remUnsigned
    let width = op.type.width
    claim(.rax)
    claim(.rdx)
    var divisor: Register
    if op.type.bits < 32 {
      divisor = allocate()
      extend(.rax, op.a, signed: isSigned)
      extend(divisor, op.b, signed: isSigned)
    } else {
      divisor = register(op.b)
      loadInto(.rax, op.a.index)
    }
    let known = constant(op.b)
    // Division by 0 and by −1 have results of their own and must not trap.
    var finished: [ShortJump] = []
    if known == nil || known == 0 {
      assembler.test(width, divisor, divisor)
      let proceed = assembler.shortJcc(.ne)
      if isRemainder { assembler.mov(width, .rdx, .rax) } else { assembler.zero(.rax) }
      finished.append(assembler.shortJmp())
      assembler.land(proceed)
    }
    if isSigned && (known == nil || known == -1) {
      assembler.alu(.cmp, width, divisor, -1)
      let proceed = assembler.shortJcc(.ne)
      if isRemainder { assembler.zero(.rdx) } else { assembler.unary(.neg, width, .rax) }
      finished.append(assembler.shortJmp())
      assembler.land(proceed)
    }
    if isSigned {
      assembler.signIntoRDX(width)
      assembler.unary(.idiv, width, divisor)
    } else {
      assembler.zero(.rdx)
      assembler.unary(.div, width, divisor)
    }
    for jump in finished { assembler.land(jump) }
    settle(op.result, in: isRemainder ? .rdx : .rax)
  }

  /// Moves `value` into `register`, extended to 32 bits at least.
  mutating func extend(_ register: Register, _ value: ValueID, signed: Bool) {
    guard signed else { return loadExtended(register, value) }
    let type = values[Int(value.index)].type
    loadInto(register, value.index)
    if type.bits < 32 { assembler.movsx(from: type.exactWidth, to: .dword, register, register) }
  }

  // MARK: Shifts

  mutating func lowerShift(_ op: Op) {
    let width = op.type.width
    let bits = op.type.bits
    if let amount = constant(op.b) {
      let count = UInt8(truncatingIfNeeded: amount & Int64(bits - 1))
      let result = destination(op.result, reusing: op.a)
      if bits < 32 && op.opcode != .shiftLeft {
        extend(result, op.a, signed: op.opcode == .shiftRightArithmetic)
      } else {
        loadInto(result, op.a.index)
      }
      let shift: Shift =
        op.opcode == .shiftLeft ? .shl : op.opcode == .shiftRight ? .shr : .sar
      if count != 0 { assembler.shift(shift, width, result, by: count) }
      return
    }
    let shift: ControlledShift =
      op.opcode == .shiftLeft ? .shlx : op.opcode == .shiftRight ? .shrx : .sarx
    var amount = register(op.b)
    guard bits < 32 else {
      let left = register(op.a)
      assembler.shiftX(shift, width, destination(op.result, reusing: op.a), left, by: amount)
      return
    }
    let copy = allocate()
    assembler.mov(.dword, copy, amount)
    assembler.alu(.and, .dword, copy, Int32(bits - 1))
    amount = copy
    let left = allocate()
    extend(left, op.a, signed: op.opcode == .shiftRightArithmetic)
    assembler.shiftX(shift, .dword, left, left, by: amount)
    settle(op.result, in: left)
  }

  mutating func lowerRotate(_ op: Op) {
    let bits = op.type.bits
    if let amount = constant(op.b), bits >= 32 {
      let count = Int(amount) & (bits - 1)
      let left = register(op.a)
      let result = destination(op.result, reusing: op.a)
      assembler.rorx(
        op.type.width, result, left, by: UInt8(op.opcode == .rotateRight ? count : (bits - count) & (bits - 1)))
      return
    }
    claim(.rcx)
    let left = allocate()
    loadInto(.rcx, op.b.index)
    loadInto(left, op.a.index)
    assembler.shiftByCL(op.opcode == .rotateLeft ? .rol : .ror, op.type.exactWidth, left)
    settle(op.result, in: left)
  }

  // MARK: Bits

  mutating func lowerCount(_ op: Op) {
    let width = op.type.width
    let bits = op.type.bits
    if bits >= 32 {
      let operand = register(op.a)
      let result = destination(op.result, reusing: op.a)
      // Some CPUs make these depend on the old destination.
      if result != operand { assembler.zero(result) }
      assembler.count(bitCount(op.opcode), width, result, operand)
      return
    }
    let copy = allocate()
    loadExtended(copy, op.a)
    if op.opcode == .countTrailingZeros { assembler.bit(.bts, .dword, copy, UInt8(bits)) }
    assembler.count(bitCount(op.opcode), .dword, copy, copy)
    if op.opcode == .countLeadingZeros { assembler.alu(.sub, .dword, copy, Int32(32 - bits)) }
    settle(op.result, in: copy)
  }

  @inline(__always)
  private func bitCount(_ opcode: Opcode) -> BitCount {
    switch opcode {
    case .countLeadingZeros: .lzcnt
    case .countTrailingZeros: .tzcnt
    default: .popcnt
    }
  }

  mutating func lowerByteSwap(_ op: Op) {
    let result = destination(op.result, reusing: op.a)
    loadInto(result, op.a.index)
    switch op.type.bits {
    case 64: assembler.bswap(.qword, result)
    case 32: assembler.bswap(.dword, result)
    case 16: assembler.shift(.rol, .word, result, by: 8)
    default: break
    }
  }

  // MARK: Comparisons

  /// Sets the flags by comparison op number `index` and returns the condition under which it holds.
  mutating func emitCompare(_ index: Int) -> ConditionCode {
    let op = ops[index]
    var condition = op.condition
    var (a, b) = (op.a, op.b)
    if constant(a) != nil {
      (a, b) = (b, a)
      condition = condition.swapped
    }
    let width = op.type.exactWidth
    let left = register(a)
    if constant(b) == 0 && (condition == .equal || condition == .notEqual) {
      assembler.test(width, left, left)
    } else {
      apply(.cmp, width, left, source(b))
    }
    return condition.code
  }

  /// Computes comparison op number `index` as 0 or 1 into `target`, which none of its operands is found in.
  mutating func materializeCompare(_ index: Int, into target: Register) {
    assembler.zero(target)
    assembler.setcc(emitCompare(index), target)
  }

  /// Sets the flags by truth value `value` and returns the condition under which it is 1.
  mutating func emitCondition(_ value: ValueID) -> ConditionCode {
    let state = values[Int(value.index)]
    if state.place == .compare { return emitCompare(Int(state.immediate)) }
    let operand = register(value)
    assembler.test(.byte, operand, operand)
    return .ne
  }

  mutating func lowerSelect(_ op: Op) {
    if let known = constant(op.a) { return alias(op.result, known != 0 ? op.b : op.c) }
    let width = op.type.width
    let state = values[Int(op.a.index)]
    // All that may need a register is brought into one before the flags are set.
    let chosen: Source = values[Int(op.b.index)].place == .spill ? source(op.b) : .register(register(op.b))
    let compared = state.place == .compare ? registersOf(ops[Int(state.immediate)]) : RegisterSet()
    let avoided = compared.union(registerSet(of: op.a)).union(registerSet(of: op.b))
    let result = destination(op.result, reusing: op.c, avoiding: avoided)
    let condition = emitCondition(op.a)
    loadInto(result, op.c.index)
    switch chosen {
    case .register(let register): assembler.cmovcc(condition, width, result, register)
    case .memory(let memory): assembler.cmovcc(condition, width, result, memory)
    case .immediate: unsupported("a constant as a conditional move's source")
    }
  }

  // MARK: Conversions

  mutating func lowerSignExtend(_ op: Op) {
    let from = values[Int(op.a.index)].type
    let width = op.type.width
    if constant(op.a) != nil {
      return from == .i1 ? setConstant(op.result, -(constant(op.a) ?? 0)) : alias(op.result, op.a)
    }
    if from == .i1 {
      let result = destination(op.result, reusing: op.a)
      loadInto(result, op.a.index)
      assembler.unary(.neg, width, result)
      return
    }
    if from.bits >= op.type.bits { return alias(op.result, op.a) }
    if case .memory(let memory) = source(op.a) {
      let result = destination(op.result)
      assembler.movsx(from: from.exactWidth, to: width, result, memory)
      return
    }
    let operand = register(op.a)
    let result = destination(op.result, reusing: op.a)
    assembler.movsx(from: from.exactWidth, to: width, result, operand)
  }

  mutating func lowerZeroExtend(_ op: Op) {
    let from = values[Int(op.a.index)].type
    if let known = constant(op.a) {
      return setConstant(op.result, Int64(bitPattern: UInt64(bitPattern: known) & from.mask))
    }
    if from == .i1 || from.bits >= op.type.bits { return alias(op.result, op.a) }
    let result = destination(op.result, reusing: op.a)
    loadExtended(result, op.a)
  }

  mutating func lowerTruncate(_ op: Op) {
    guard op.type == .i1, constant(op.a) == nil else { return alias(op.result, op.a) }
    let result = destination(op.result, reusing: op.a)
    loadInto(result, op.a.index)
    assembler.alu(.and, .dword, result, 1)
  }

  private mutating func setConstant(_ value: ValueID, _ constant: Int64) {
    values[Int(value.index)].place = .constant
    values[Int(value.index)].immediate = signExtended(constant, values[Int(value.index)].type)
  }
}

extension Condition {
  var code: ConditionCode {
    switch self {
    case .equal: .e
    case .notEqual: .ne
    case .lessSigned: .l
    case .greaterEqualSigned: .ge
    case .lessEqualSigned: .le
    case .greaterSigned: .g
    case .lessUnsigned: .b
    case .greaterEqualUnsigned: .ae
    case .lessEqualUnsigned: .be
    case .greaterUnsigned: .a
    }
  }
}
