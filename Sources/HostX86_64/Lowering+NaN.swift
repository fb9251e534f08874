// NaN results: x86 delivers the NaN it was given, or a negative one; guests here want the canonical NaN.
//
// A sum, product, quotient or root with a NaN among its operands is a NaN itself. So results are not looked at one by
// one: an SSE register may hold a NaN that is not canonical while it is only computed with, and one comparison of a
// result, where its bits are to be seen, speaks for all that it was computed from, and for another result besides. If a
// NaN turns up, all registers that may hold such a one are put right, out of line. Bits are seen by stores, moves to
// integer registers and guest state, operations on signs, calls, and all ways out of the block; when a memory access
// ends in an exception, its site knows which registers to put right.

import Bits
import HostKit
import IR

/// Results of the block at hand that may be NaNs other than the canonical one.
struct PendingNaNs {
  /// A result: the results it was computed from, by number, 0 for none.
  struct Result: BitwiseCopyable {
    var first: UInt16
    var second: UInt16
    /// It is known not to be a NaN, or was put right.
    var isClean = false
    /// Another result was computed from it.
    var isConsumed = false
    var isDouble: Bool
  }

  /// By number, from 1.
  let results: RawTable<Result>
  private(set) var count = 0
  /// By SSE register number: the number of the result in it, 0 for anything that is as guests want it.
  var inRegister = InlineArray<16, UInt16>(repeating: 0)

  init() { results = RawTable(capacity: Self.limit + 1) }
  private static var limit: Int { 1 << 12 }

  mutating func begin() {
    guard count != 0 else { return }
    count = 0
    inRegister = InlineArray(repeating: 0)
  }

  /// Notes a new result in `register`, computed from what was in two others. False if there is no room for it.
  mutating func add(_ register: VectorRegister, from first: UInt16, _ second: UInt16, isDouble: Bool) -> Bool {
    guard count < Self.limit else { return false }
    if first != 0 { results[Int(first)].isConsumed = true }
    if second != 0 { results[Int(second)].isConsumed = true }
    count += 1
    results[count] = Result(first: first, second: second, isDouble: isDouble)
    inRegister[Int(register.rawValue)] = UInt16(truncatingIfNeeded: count)
    return true
  }

  /// The result in `register` that must be looked at, 0 for none.
  func pending(_ register: VectorRegister) -> UInt16 {
    let number = inRegister[Int(register.rawValue)]
    return number == 0 || results[Int(number)].isClean ? 0 : number
  }

  /// Notes that a result, and so all it was computed from, is no NaN. The numbers are added to `journal`.
  mutating func clean(_ number: UInt16, _ journal: inout [UInt16]) {
    guard number != 0, !results[Int(number)].isClean else { return }
    results[Int(number)].isClean = true
    journal.append(number)
    clean(results[Int(number)].first, &journal)
    clean(results[Int(number)].second, &journal)
  }

  /// The registers that may hold a NaN to be put right.
  var mask: NaNMask {
    var mask = NaNMask()
    guard count != 0 else { return mask }
    for index in UInt8(0)..<16 {
      let number = pending(.xmm(index))
      if number != 0 { mask.insert(.xmm(index), isDouble: results[Int(number)].isDouble) }
    }
    return mask
  }
}

/// A set of SSE registers by number, of doubles in the lower and of boxed singles in the upper half.
struct NaNMask: BitwiseCopyable {
  var bits: UInt32 = 0
  var isEmpty: Bool { bits == 0 }

  mutating func insert(_ register: VectorRegister, isDouble: Bool) {
    bits |= 1 << (UInt32(register.rawValue) + (isDouble ? 0 : 16))
  }

  /// Takes one out; the set is not empty.
  mutating func removeFirst() -> (register: VectorRegister, isDouble: Bool) {
    let index = bits.trailingZeroBitCount
    bits &= bits - 1
    return (.xmm(UInt8(truncatingIfNeeded: index & 15)), index < 16)
  }
}

/// What is to be looked at before the block is left, and what is to be put right if that turns up a NaN.
public struct NaNChecks: BitwiseCopyable {
  var looked = NaNMask()
  var pending = NaNMask()
}

extension Lowering<X86_64> {
  /// Notes that `register` was written with what may be seen as it is.
  @inline(__always)
  mutating func noteWritten(_ register: VectorRegister) {
    target.noteWritten(register, copyOf: nil)
  }

  /// Notes a result in `register`, computed from results `first` and `second` (0 for none).
  mutating func addResult(_ register: VectorRegister, _ type: Type, from first: UInt16, _ second: UInt16 = 0) {
    if target.nans.add(register, from: first, second, isDouble: type == .f64) { return }
    target.nans.inRegister[Int(register.rawValue)] = 0
    var mask = target.nans.mask
    mask.insert(register, isDouble: type == .f64)
    emitLook(register, register, isDouble: type == .f64, mask)
  }

  /// The number of the result that `value` is, where it is in a register.
  func result(_ value: ValueID) -> UInt16 {
    let state = values[Int(value.index)]
    return state.place == .vector ? target.nans.inRegister[Int(state.vector.rawValue)] : 0
  }

  /// Before the bits of `value` are seen.
  mutating func observe(_ value: ValueID) {
    let state = values[Int(value.index)]
    if state.place == .vector { observe(state.vector) }
  }

  mutating func observe(_ register: VectorRegister) {
    let number = target.nans.pending(register)
    guard number != 0 else { return }
    let isDouble = target.nans.results[Int(number)].isDouble
    let mask = target.nans.mask
    let other = partner(of: number, isDouble) ?? register
    var journal: [UInt16] = []
    target.nans.clean(number, &journal)
    target.nans.clean(target.nans.pending(other), &journal)
    emitLook(register, other, isDouble: isDouble, mask)
  }

  /// The oldest other result that nothing was computed from: likely one to be seen soon.
  @inline(__always)
  private func partner(of number: UInt16, _ isDouble: Bool) -> VectorRegister? {
    var best: VectorRegister?
    var oldest = UInt16.max
    for index in UInt8(0)..<16 {
      let register = VectorRegister.xmm(index)
      let candidate = target.nans.pending(register)
      guard candidate != 0, candidate != number, candidate < oldest else { continue }
      if ABI.vectorTemporaries.contains(register), freeVectors.contains(register) { continue }
      let result = target.nans.results[Int(candidate)]
      guard result.isDouble == isDouble, !result.isConsumed else { continue }
      oldest = candidate
      best = register
    }
    return best
  }

  /// Looks at two registers at once; if one holds a NaN, all of `mask` are put right.
  private mutating func emitLook(_ first: VectorRegister, _ second: VectorRegister, isDouble: Bool, _ mask: NaNMask) {
    assembler.vector(isDouble ? .ucomisd : .ucomiss, first, second)
    let label = assembler.makeLabel()
    assembler.jcc(.p, label)
    var part = FloatColdPart(kind: .nan, label: label, resume: assembler.count)
    part.mask = mask
    target.floatCold.append(part)
  }

  // MARK: Leaving

  /// What to look at where the block is left: guest registers alone matter then. Changes nothing.
  mutating func nanChecks() -> NaNChecks {
    var checks = NaNChecks()
    guard target.nans.count != 0 else { return checks }
    var pins: [(number: UInt16, register: VectorRegister)] = []
    for index in ABI.vectorTemporaryCount..<16 {
      let number = target.nans.pending(.xmm(index))
      if number != 0 { pins.append((number, .xmm(index))) }
    }
    checks.pending = target.nans.mask
    // The newest first: they speak for the others.
    pins.sort { $0.number > $1.number }
    var journal: [UInt16] = []
    for (number, register) in pins where target.nans.pending(register) != 0 {
      checks.looked.insert(register, isDouble: target.nans.results[Int(number)].isDouble)
      target.nans.clean(number, &journal)
    }
    for number in journal { target.nans.results[Int(number)].isClean = false }
    return checks
  }

  mutating func emit(_ checks: NaNChecks) {
    var rest = checks.looked
    while !rest.isEmpty {
      let (first, isDouble) = rest.removeFirst()
      var following = rest
      var second = first
      if !following.isEmpty {
        let next = following.removeFirst()
        if next.isDouble == isDouble {
          second = next.register
          rest = following
        }
      }
      emitLook(first, second, isDouble: isDouble, checks.pending)
    }
  }

  /// Before a call, after which every register is as guests want it.
  mutating func settleNaNs() {
    guard target.nans.count != 0 else { return }
    emit(nanChecks())
    target.nans.inRegister = InlineArray(repeating: 0)
  }

  // MARK: Cold parts

  /// Puts the registers of a cold part right; few in line, many by a call.
  mutating func emitCanonicalization(_ part: FloatColdPart) {
    guard part.mask.bits.nonzeroBitCount > 2 else {
      var rest = part.mask
      while !rest.isEmpty {
        let (register, isDouble) = rest.removeFirst()
        assembler.vector(isDouble ? .ucomisd : .ucomiss, register, register)
        let over = assembler.shortJcc(.np)
        assembler.vector(.movsd, register, target.constantOperand(isDouble ? .nanDouble : .nanSingle))
        assembler.land(over)
      }
      assembler.jmp(toAddress: assembler.address + UInt64(part.resume))
      return
    }
    var site = FloatSite(operation: FloatOperation(rawValue: 0), resume: UInt32(blockOffset + part.resume))
    site.nans = part.mask
    emitSlow(target.floatSites.count)
    target.floatSites.append(site)
  }
}

extension SavedRegisters {
  /// Makes the NaNs among the registers of `mask` canonical.
  func canonicalize(_ mask: NaNMask) {
    var rest = mask
    while !rest.isEmpty {
      let (register, isDouble) = rest.removeFirst()
      let bits = self[register]
      if isDouble {
        if bits & 0x7FFF_FFFF_FFFF_FFFF > 0x7FF0_0000_0000_0000 { self[register] = FloatConstant.nanDouble.bits }
      } else if bits & 0x7FFF_FFFF > 0x7F80_0000 {
        self[register] = FloatConstant.nanSingle.bits
      }
    }
  }
}
