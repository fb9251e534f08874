// Owns the sharing of TLB look-ups: which accesses of a block lie near one another, so that the page found by one of them
// serves the others.
//
// Addresses are taken apart into a root (a value nothing is known of, the number 0) and a constant distance from it. The
// first access to a neighbourhood looks up the page of the neighbourhood's lowest address, and keeps two registers: that
// address' offset in its page, and what leads to host memory. Accesses behind it only compare the offset: whoever lies
// in the same page is done. The others make a look-up of their own, out of line. So a check that fails costs time and
// nothing else, and nothing has to be proved of addresses that are close to a page's end.
//
// The registers are pseudo-values of the block: whatever needs a register may take one of theirs, which ends the sharing.
// An access by the slow path may change what is mapped; when it is complete, the offset is replaced by one that fits no
// page (`MemorySite.sharedOffset`).

import Bits
import IR

/// How an access to memory shares its look-up.
public struct AccessPlan: BitwiseCopyable {
  /// The value its address starts from, and the distance; `noValue` as a root if it shares nothing.
  public var root = ValueID.none.index
  public var distance: Int64 = 0
  /// Of the accesses of its neighbourhood from here on: the least distance, index of the last one, number behind this one.
  public var lowest: Int64 = 0
  public var lastUse: Int32 = -1
  public var followers: UInt16 = 0
  /// Whether one of them, this one included, is a store.
  public var stores = false

  @inlinable init() {}
}

/// A value as a root and a distance.
public struct RootedValue: BitwiseCopyable {
  public var root: UInt16
  public var distance: Int64

  @inlinable init(root: UInt16, distance: Int64) {
    self.root = root
    self.distance = distance
  }
}

/// What a guest register holds, as far as the pass has come.
public struct RootedRegister: BitwiseCopyable {
  public var value: RootedValue
  public var type: Type
  public var stamp: UInt32

  @inlinable init(value: RootedValue, type: Type, stamp: UInt32) {
    self.value = value
    self.type = type
    self.stamp = stamp
  }
}

/// The accesses to one neighbourhood behind the place where the backward pass stands.
public struct Neighbourhood: BitwiseCopyable {
  public var lowest: Int64
  public var lastUse: Int32
  public var count: UInt16
  public var stores: Bool
  public var stamp: UInt32

  @inlinable init(lowest: Int64, lastUse: Int32, count: UInt16, stores: Bool, stamp: UInt32) {
    self.lowest = lowest
    self.lastUse = lastUse
    self.count = count
    self.stores = stores
    self.stamp = stamp
  }
}

/// The look-up that is shared now.
public struct SharedCheck: BitwiseCopyable {
  public var root: UInt16
  /// Distance from the root of the address whose offset in the page is kept.
  public var distance: Int64
  public var forWrites: Bool
  /// Whether the second register leads from guest addresses, not from offsets, to host memory.
  public var isWide: Bool
  /// Accesses that may still use it.
  public var followers: UInt16
  /// Bytes behind the first one that were compared with what is watched, where that is what is shared.
  public var extent: Int64

  @inlinable public init(
    root: UInt16 = ValueID.none.index, distance: Int64 = 0, forWrites: Bool = false, isWide: Bool = false,
    followers: UInt16 = 0, extent: Int64 = 0
  ) {
    self.root = root
    self.distance = distance
    self.forWrites = forWrites
    self.isWide = isWide
    self.followers = followers
    self.extent = extent
  }
}

/// The tables of the passes.
public struct PageChecks {
  /// By index of op.
  public let plans: RawTable<AccessPlan>
  /// By value number.
  public let roots: RawTable<RootedValue>
  /// By guest register number.
  public let registers: RawTable<RootedRegister>
  /// By value number of the root.
  public let neighbourhoods: RawTable<Neighbourhood>
  /// Entries of the two with another stamp count as empty.
  public var stamp: UInt32 = 0
  public var shared = SharedCheck()

  @inlinable init(valueLimit: Int, opLimit: Int, registerCount: Int) {
    plans = RawTable(capacity: opLimit)
    roots = RawTable(capacity: valueLimit + 1)
    registers = RawTable(capacity: registerCount)
    neighbourhoods = RawTable(capacity: Int(Self.constants) + 1)
    for index in 0..<registerCount {
      registers[index] = RootedRegister(value: RootedValue(root: 0, distance: 0), type: .none, stamp: 0)
    }
  }

  @inlinable mutating func deallocate() {
    plans.deallocate()
    roots.deallocate()
    registers.deallocate()
    neighbourhoods.deallocate()
  }

  /// The root of constants; no value has this number.
  @inlinable static var constants: UInt16 { ValueID.none.index - 1 }
  /// How far apart the accesses of a neighbourhood may lie.
  @inlinable static var reach: Int64 { 1024 }

  @inlinable mutating func nextStamp() { stamp &+= 1 }
}

extension Lowering {
  /// Numbers of the pseudo-values that are in the registers of the shared check: behind those of the block's values.
  @inlinable @inline(__always)
  public var offsetValue: UInt16 { firstPseudoValue }
  @inlinable @inline(__always)
  public var pageValue: UInt16 { firstPseudoValue + 1 }

  /// Finds out which accesses may share look-ups, or comparisons with what is watched (`Lowering+WatchedAccesses.swift`).
  /// Does nothing for other blocks.
  @inlinable mutating func planPageChecks() {
    checks.shared = SharedCheck()
    values[Int(offsetValue)] = ValueState(type: .i64)
    values[Int(pageValue)] = ValueState(type: .i64)
    guard dataPath == .tlb || dataPath == .window && !watchedPCs.isEmpty else { return }
    findRoots()
    findNeighbourhoods()
  }

  @inlinable mutating func findRoots() {
    checks.nextStamp()
    for index in 0..<opCount {
      let op = ops[index]
      switch op.opcode {
      case .const:
        checks.roots[Int(op.result.index)] = RootedValue(
          root: PageChecks.constants, distance: signExtended(op.imm, op.type))
      case .copy where op.type == values[Int(op.a.index)].type:
        checks.roots[Int(op.result.index)] = checks.roots[Int(op.a.index)]
      case .getRegister: rootGet(op)
      case .setRegister:
        checks.registers[Int(op.imm)] = RootedRegister(
          value: checks.roots[Int(op.a.index)], type: values[Int(op.a.index)].type, stamp: checks.stamp)
      case .add, .sub: rootSum(op)
      case .label: checks.nextStamp()
      case .call:
        if helpers[Int(op.aux)].effects.contains(.writesRegisters) { checks.nextStamp() }
        rootAnew(op)
      case .load, .store:
        checks.plans[index] = AccessPlan()
        if mayShare(op) {
          let base = checks.roots[Int(op.a.index)]
          checks.plans[index].root = base.root
          checks.plans[index].distance = base.distance &+ op.imm
        }
        rootAnew(op)
      default: rootAnew(op)
      }
    }
  }

  @inlinable @inline(__always)
  func rootAnew(_ op: Op) {
    guard !op.result.isNone else { return }
    checks.roots[Int(op.result.index)] = RootedValue(root: op.result.index, distance: 0)
  }

  @inlinable func rootGet(_ op: Op) {
    let known = checks.registers[Int(op.imm)]
    if known.stamp == checks.stamp, known.type == op.type {
      checks.roots[Int(op.result.index)] = known.value
      return
    }
    rootAnew(op)
    checks.registers[Int(op.imm)] = RootedRegister(
      value: RootedValue(root: op.result.index, distance: 0), type: op.type, stamp: checks.stamp)
  }

  @inlinable func rootSum(_ op: Op) {
    guard op.type == .i64 || op.type == .i32 else { return rootAnew(op) }
    let (a, b) = (checks.roots[Int(op.a.index)], checks.roots[Int(op.b.index)])
    let isSum = op.opcode == .add
    if b.root == PageChecks.constants {
      let distance = isSum ? a.distance &+ b.distance : a.distance &- b.distance
      checks.roots[Int(op.result.index)] = RootedValue(root: a.root, distance: distance)
    } else if a.root == PageChecks.constants, isSum {
      checks.roots[Int(op.result.index)] = RootedValue(root: b.root, distance: a.distance &+ b.distance)
    } else {
      rootAnew(op)
    }
  }

  /// Whether an access may take part: one that the TLB serves, and that no address is too odd for.
  @inlinable func mayShare(_ op: Op) -> Bool {
    let access = op.access
    return access.space == .current && access.size <= 8 && (!access.aligned || access.size == 1)
      && Int32(exactly: op.imm) != nil
  }

  @inlinable mutating func findNeighbourhoods() {
    checks.nextStamp()
    let none = Neighbourhood(lowest: 0, lastUse: 0, count: 0, stores: false, stamp: 0)
    for value in 0..<Int(firstPseudoValue) { checks.neighbourhoods[value] = none }
    checks.neighbourhoods[Int(PageChecks.constants)] = none
    for index in stride(from: opCount - 1, through: 0, by: -1) {
      switch ops[index].opcode {
      case .label, .call: checks.nextStamp()
      case .load, .store: joinNeighbourhood(index)
      default: break
      }
    }
  }

  @inlinable func joinNeighbourhood(_ index: Int) {
    let plan = checks.plans[index]
    guard plan.root != ValueState.noValue else { return }
    let root = Int(plan.root)
    let known = checks.neighbourhoods[root]
    let isStore = ops[index].opcode == .store
    let apart = plan.distance &- known.lowest
    if known.stamp == checks.stamp, -PageChecks.reach <= apart, apart <= PageChecks.reach {
      checks.plans[index].lowest = min(plan.distance, known.lowest)
      checks.plans[index].lastUse = known.lastUse
      checks.plans[index].followers = known.count
      checks.plans[index].stores = isStore || known.stores
      checks.neighbourhoods[root].lowest = min(plan.distance, known.lowest)
      checks.neighbourhoods[root].count = known.count == .max ? .max : known.count + 1
      checks.neighbourhoods[root].stores = isStore || known.stores
    } else {
      checks.plans[index].lowest = plan.distance
      checks.plans[index].stores = isStore
      checks.neighbourhoods[root] = Neighbourhood(
        lowest: plan.distance, lastUse: Int32(truncatingIfNeeded: index), count: 1, stores: isStore,
        stamp: checks.stamp)
    }
  }

  // MARK: The shared check while the block is lowered

  /// The register that holds a pseudo-value now.
  @inlinable @inline(__always)
  public func pseudoRegister(_ value: UInt16) -> Register? {
    let state = values[Int(value)]
    guard state.place == .register, owners[Int(state.register.number)] == value else { return nil }
    return state.register
  }

  /// The registers of the shared check, while it stands: the offset in the page, and what leads to host memory.
  @inlinable public var sharedRegisters: (offset: Register, page: Register)? {
    guard checks.shared.root != ValueState.noValue, let offset = pseudoRegister(offsetValue),
      let page = pseudoRegister(pageValue)
    else { return nil }
    return (offset, page)
  }

  /// How far behind the address whose offset is kept an access lies, if it may use the shared check.
  @inlinable public func distanceFromShared(_ op: Op, _ plan: AccessPlan) -> Int64? {
    guard plan.root == checks.shared.root, plan.root != ValueState.noValue else { return nil }
    guard op.opcode == .load || checks.shared.forWrites else { return nil }
    let distance = plan.distance &- checks.shared.distance
    return 0 <= distance && distance <= 4096 - Int64(op.access.size) ? distance : nil
  }

  /// Lets the registers be used for something else.
  @inlinable public mutating func endSharing() {
    checks.shared.root = ValueState.noValue
    for value in [offsetValue, pageValue] {
      guard let register = pseudoRegister(value) else { continue }
      release(register)
    }
  }

  /// Keeps the registers of a look-up just emitted up to the last access of its neighbourhood.
  @inlinable
  public mutating func share(_ plan: AccessPlan, forWrites: Bool, isWide: Bool, offset: Register, page: Register) {
    checks.shared = SharedCheck(
      root: plan.root, distance: plan.lowest, forWrites: forWrites, isWide: isWide, followers: plan.followers)
    values[Int(offsetValue)].lastUse = plan.lastUse
    values[Int(pageValue)].lastUse = plan.lastUse
    give(offset, to: offsetValue)
    give(page, to: pageValue)
  }
}
