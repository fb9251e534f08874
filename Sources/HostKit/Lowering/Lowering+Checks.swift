// What the allocation checker is told of a block while it is lowered, and asked of it.

import Bits
import IR

extension Lowering {
  /// The place where a value is found, of those that it may be read from.
  @inlinable func checkedPlace(_ state: ValueState) -> CheckedPlace? {
    switch state.place {
    case .register: .register(state.register.number)
    case .vector: .vector(state.vector.number)
    case .state: .state(Int(state.slot))
    case .spill: .spill(Int(state.slot))
    case .none, .constant, .compare: nil
    }
  }

  /// Where guest register `guest` lives while the block runs.
  @inlinable func checkedPlace(ofGuest guest: Int) -> CheckedPlace {
    let pin = pinOfRegister[guest]
    return pin == ValueState.noPin ? .state(guest) : checkedPlace(ofPin: pin)
  }

  @inlinable func checkedPlace(ofPin pin: UInt8) -> CheckedPlace {
    Int(pin) < ABI.pinnedCount
      ? .register(ABI.pinned(Int(pin)).number) : .vector(ABI.pinnedVector(Int(pin) - ABI.pinnedCount).number)
  }

  /// An op reads `value` where it is found, not by ``register(_:)`` or ``vector(_:)``.
  @inlinable @inline(__always)
  public func noteUse(_ value: ValueID) {
    if let checker, let place = checkedPlace(values[Int(value.index)]) { checker.use(value.index, in: place) }
  }

  /// `value` is brought from where it is found to `place`.
  @inlinable func checkLoad(_ value: UInt16, to place: CheckedPlace, _ checker: AllocationChecker) {
    guard let source = checkedPlace(values[Int(value)]) else { return checker.make(value, in: place) }
    checker.read(value, in: source)
    checker.copy(source, to: place)
  }

  // MARK: Ops

  @inlinable func checkBegin(_ op: Op, _ checker: AllocationChecker) {
    checker.beginOp(position, op.opcode)
    let isSeen = opcodeEffects[Int(op.opcode.rawValue)].isDisjoint(with: [.mayRaise, .exits, .terminates]) == false
    if isSeen || op.opcode == .label || op.opcode == .call { checkGuestRegisters(checker) }
  }

  @inlinable mutating func checkEnd(_ op: Op, _ checker: AllocationChecker) {
    checker.endOp()
    if op.opcode == .label { checkEntry(checker) }
    if let fault = checker.fault { unsupported(fault) }
  }

  /// Whether all guest registers are where the block, or the engine, expects them.
  @inlinable func checkGuestRegisters(_ checker: AllocationChecker) {
    for guest in registers.indices { checker.check(guest, in: checkedPlace(ofGuest: guest)) }
  }

  /// Code is entered here, by the block's own assignment.
  @inlinable func checkEntry(_ checker: AllocationChecker) {
    checker.enter(guestRegisters: registers.count)
    for guest in registers.indices { checker.hold(guest, in: checkedPlace(ofGuest: guest)) }
    holdUnwritten(checker)
  }

  /// What the block's own assignment brought to registers and never writes is as it was in the state.
  @inlinable func holdUnwritten(_ checker: AllocationChecker) {
    for index in 0..<moves.count {
      let guest = Int(moves[index].inside)
      let isWritten = (0..<opCount).contains { ops[$0].opcode == .setRegister && Int(ops[$0].imm) == guest }
      if !isWritten { checker.hold(guest, in: .state(guest)) }
    }
  }

  // MARK: The block's own assignment

  /// Where guest register `guest` lives outside the block.
  @inlinable func commonPlace(ofGuest guest: Int) -> CheckedPlace {
    for index in 0..<moves.count {
      if Int(moves[index].outside) == guest { return checkedPlace(ofPin: moves[index].place) }
      if Int(moves[index].inside) == guest { return .state(guest) }
    }
    return checkedPlace(ofGuest: guest)
  }

  /// The block is entered by the common assignment; what is emitted then must lead to its own.
  @inlinable mutating func checkMovesIn(_ checker: AllocationChecker) {
    checker.begin(guestRegisters: registers.count)
    checker.beginOp(-1, .label)
    for guest in registers.indices { checker.hold(guest, in: commonPlace(ofGuest: guest)) }
    emitMovesIn()
    checkGuestRegisters(checker)
  }

  /// Wherever the block is left, what is emitted must lead to the common assignment.
  @inlinable mutating func checkMovesOut(_ checker: AllocationChecker) {
    let snapshot = checker.snapshot
    checker.forget()
    for guest in registers.indices { checker.hold(guest, in: checkedPlace(ofGuest: guest)) }
    holdUnwritten(checker)
    emitMovesOut()
    for guest in registers.indices { checker.check(guest, in: commonPlace(ofGuest: guest)) }
    checker.restore(snapshot)
    if let fault = checker.fault { unsupported(fault) }
  }

  // MARK: Calls

  /// Guest registers in pinned registers from number `first` on, and in all vector registers, have been brought to the
  /// state.
  @inlinable public func notePinsSaved(from first: Int) {
    guard let checker else { return }
    for (index, guest) in pins.enumerated() where index >= first {
      checker.copy(.register(ABI.pinned(index).number), to: .state(guest))
    }
    for (index, guest) in vectorPins.enumerated() {
      checker.copy(.vector(ABI.pinnedVector(index).number), to: .state(guest))
    }
  }

  /// A function was called that kept none of `lost` and no vector register, and may have changed guest registers in the
  /// state; then pinned registers from number `first` on were brought back.
  @inlinable public func noteCall(losing lost: RegisterSet, changes: Bool, pinsFrom first: Int) {
    guard let checker else { return }
    checker.endOp()
    var rest = lost
    while !rest.isEmpty {
      checker.overwrite(.register(rest.first.number))
      rest.remove(rest.first)
    }
    for number in UInt8(0)..<32 { checker.overwrite(.vector(number)) }
    if changes {
      for guest in registers.indices {
        checker.change(guest)
        checker.hold(guest, in: .state(guest))
      }
    }
    for (index, guest) in pins.enumerated() where index >= first {
      checker.copy(.state(guest), to: .register(ABI.pinned(index).number))
    }
    for (index, guest) in vectorPins.enumerated() {
      checker.copy(.state(guest), to: .vector(ABI.pinnedVector(index).number))
    }
  }
}
