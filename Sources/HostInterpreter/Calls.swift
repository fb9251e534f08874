// Owns the interpreter's calls out of its code: the memory slow path, helpers, floating point.

import HostKit
import IR

extension Interpreter {
  /// Makes an access by the slow path; its result is at ``IR/Place/scratch``.
  ///
  /// - Parameter pc: that of the current instruction.
  /// - Returns: false if translated code is to be left before that instruction; the header says why.
  @inline(never)
  func access(
    _ op: PackedOp, _ address: UInt64, _ b: UInt64, _ c: UInt64, _ cpu: VCPUState, _ pc: UInt64, _ budget: Int64
  ) -> Bool {
    updateHeader(op, cpu, pc, budget)
    if op.type == .v128, op.opcode == .store {
      cpu.store(cpu.loadVector(op.b).high, at: StateOffset.upperData)
    }
    let request = Op(op.opcode, op.type, aux: op.wholeAccess.rawValue, extra: op.extra)
    let address = op.isInFarSpace && op.opcode != .atomic ? address &- UInt64(op.c.rawValue) : address
    let slowAccess = unsafe configuration.slowAccess
    let result = unsafe slowAccess(cpu.base, address, b, c, SlowAccess(request).rawValue)
    cpu.store(result, at: Int(Place.scratch.number) * 8)
    return isCompleted(op, cpu, pc, hasLeft: cpu.accessOutcome == .left)
  }

  /// Calls a helper, likewise.
  @inline(never)
  func call(
    _ op: PackedOp, _ a: UInt64, _ b: UInt64, _ c: UInt64, _ immediate: UInt64, _ cpu: VCPUState, _ pc: UInt64,
    _ budget: Int64
  ) -> Bool {
    let helper = helpers[Int(op.aux)]
    cpu.budget = budget
    if helper.callsOut { updateHeader(op, cpu, pc, budget) }
    let result = unsafe helper.function(cpu.base, a, b, c, immediate)
    cpu.store(result, at: Int(Place.scratch.number) * 8)
    guard helper.callsOut else { return true }
    return isCompleted(op, cpu, pc, hasLeft: helper.mayRaise && cpu.exitReason != nil)
  }

  @inline(never)
  func float(_ op: PackedOp, _ a: UInt64, _ b: UInt64, _ c: UInt64, _ cpu: VCPUState) -> UInt64 {
    // Floating-point ops are not compiled without one.
    let environment = configuration.floatEnvironment ?? FloatEnvironment(flags: 0, rounding: 0)
    let operation = FloatOperation(Op(op.opcode, op.type, aux: op.aux), source: op.source)
    return operation.evaluate(a, b, c, cpu, environment)
  }

  @inline(never)
  func vector(_ op: PackedOp, _ cpu: VCPUState) {
    let operation = VectorOperation(rawValue: op.aux)
    let shape = operation.kind.row.shape
    func operand(_ place: Place, _ number: Int) -> Vector128 {
      shape.isVector(number) ? cpu.loadVector(place) : Vector128(cpu.load(Int(place.number) &* 8))
    }
    let result = operation.evaluate(operand(op.a, 0), operand(op.b, 1), operand(op.c, 2))
    if op.type == .v128 { return cpu.store(result, at: op.result) }
    cpu.store(result.low, at: Int(op.result.number) &* 8)
  }

  private func updateHeader(_ op: PackedOp, _ cpu: VCPUState, _ pc: UInt64, _ budget: Int64) {
    cpu.budget = budget
    cpu.pc = pc
    cpu.store(op.begun, at: StateOffset.pendingRetired)
    cpu.store(pc, at: StateOffset.currentPC)
  }

  private func isCompleted(_ op: PackedOp, _ cpu: VCPUState, _ pc: UInt64, hasLeft: Bool) -> Bool {
    cpu.store(UInt64(0), at: StateOffset.pendingRetired)
    guard hasLeft else { return true }
    cpu.pc = pc
    cpu.budget &-= Int64(bitPattern: op.begun)
    return false
  }
}
