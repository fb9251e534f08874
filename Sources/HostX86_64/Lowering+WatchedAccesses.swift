// Lowering of watched accesses: those of instructions that keep accessing pages with a watchpoint, beside the bytes that are
// watched.
//
// The address is compared with the ranges in the `WatchGuide`; what hits none accesses a window in which nothing is
// protected for being watched. In windows the host address is kept in a register for later accesses of the block to the
// same bytes, which need no comparison; as with shared look-ups (`PageChecks`) the slow path makes it an address that
// faults, since what it did may have been a hit.

import HostKit
import IR

/// What code compares addresses with, as 64-bit words in the code cache: where unwatched memory is, and for each range its
/// first address, then the distances from there, for accesses of several sizes, within which the end of one hits.
enum WatchGuide {
  static var count: Int { 4 }
  /// Bytes behind the first one of an access: those with a distance of their own.
  static var extents: [UInt64] { [0, 1, 3, 7] }
  /// Offsets in bytes.
  static var base: Int { 0 }
  static func first(_ index: Int) -> Int { 8 + 40 * index }
  static func span(_ index: Int, _ extent: Int) -> Int { first(index) + 8 + 8 * extent }
  /// A multiple of what loop heads are aligned to, so that code lies as it would without.
  static var size: Int { 192 }
  /// What no guest accesses; the slow path would find it unwatched.
  static var nothing: ClosedRange<UInt64> { 1 << 63...1 << 63 }
}

extension Lowering<X86_64> {
  /// Whether accesses of the instruction at hand compare their addresses with what is watched.
  @inline(__always)
  var isWatched: Bool { !watchedPCs.isEmpty && watchedPCs.contains(currentPC) }

  /// The register with a host address that was compared, while it stands.
  var sharedHostAddress: Register? {
    guard dataPath == .window, checks.shared.root != ValueState.noValue else { return nil }
    return pseudoRegister(offsetValue)
  }

  /// Takes the slow path if anything accessed is watched, else accesses the window in which nothing is.
  mutating func lowerWatchedWindowAccess(_ op: Op) {
    let is32 = values[Int(op.a.index)].type != .i64
    let known = constant(op.a)
    guard let displacement = Int32(exactly: op.imm) else { return lowerSlowAccess(op) }
    let plan = checks.plans[Int(position)]
    if let shared = sharedHostAddress, let distance = distanceFromCompared(op, plan) {
      locked.insert(shared)
      noteUse(ValueID(offsetValue))
      let datum = datum(op)
      let site = makeSite(op, base: known == nil ? home(of: op.a) : .none, (known ?? 0) &+ op.imm)
      return emitAccess(op, datum, at: Memory(shared, distance), site, nil)
    }
    let base = known == nil ? register(op.a) : nil
    let home: ValueHome = if let base { .register(base) } else { .none }
    let shares = plan.root != ValueState.noValue && plan.followers > 0
    let datum = datum(op)
    if shares { endSharing() }
    let slow = assembler.makeLabel()
    let (address, end) = (allocate(), allocate())
    emitAddress(op, base, displacement, to: address)
    if op.access.aligned, op.access.size > 1 {
      assembler.test(.byte, address, Int32(op.access.size - 1))
      assembler.jcc(.ne, slow)
    }
    if !is32 {
      assembler.alu(.cmp, .qword, address, ABI.state(StateOffset.windowLimit))
      assembler.jcc(.ae, slow)
    }
    emitWatchCheck(op, address, end, hits: slow)
    assembler.alu(.add, .qword, address, guided(WatchGuide.base))
    if shares {
      checks.shared = SharedCheck(
        root: plan.root, distance: plan.distance, followers: plan.followers, extent: extent(op))
      values[Int(offsetValue)].lastUse = plan.lastUse
      give(address, to: offsetValue)
    }
    emitAccess(op, datum, at: Memory(address), makeSite(op, base: home, (known ?? 0) &+ op.imm), slow)
  }

  /// Likewise by the TLB that holds watched pages too.
  mutating func lowerWatchedTLBAccess(_ op: Op) {
    guard let displacement = Int32(exactly: op.imm) else { return lowerSlowAccess(op) }
    let known = constant(op.a)
    let base = known == nil ? register(op.a) : nil
    let datum = datum(op)
    let (offset, page) = (allocate(), allocate())
    let slow = assembler.makeLabel()
    emitAddress(op, base, displacement, to: offset)
    emitWatchCheck(op, offset, page, hits: slow)
    emitLookUp(
      op, base, displacement, offset: offset, page: page, forWrites: op.opcode == .store, behind: 0, fails: slow,
      in: SoftTLB.unwatched)
    let home: ValueHome = if let base { .register(base) } else { .none }
    emitAccess(
      op, datum, at: hostAddress(op, base, offset: offset, page: page, behind: 0),
      makeSite(op, base: home, (known ?? 0) &+ op.imm), slow)
  }

  private mutating func emitAddress(_ op: Op, _ base: Register?, _ displacement: Int32, to address: Register) {
    let is32 = values[Int(op.a.index)].type != .i64
    if let base {
      assembler.lea(is32 ? .dword : .qword, address, Memory(base, displacement))
    } else {
      let target = (constant(op.a) ?? 0) &+ op.imm
      assembler.mov(address, is32 ? target & 0xFFFF_FFFF : target)
    }
  }

  /// Bytes behind the first one that the instruction accesses from there, those of words that follow included.
  private func extent(_ op: Op) -> Int64 { Int64(op.access.size - 1) + 4 * Int64(op.extra & 0xFF) }

  /// How far behind the address that was compared an access lies, if all of it was compared with it.
  private func distanceFromCompared(_ op: Op, _ plan: AccessPlan) -> Int32? {
    guard plan.root == checks.shared.root, plan.root != ValueState.noValue else { return nil }
    let distance = plan.distance &- checks.shared.distance
    return 0 <= distance && distance + extent(op) <= checks.shared.extent ? Int32(distance) : nil
  }

  /// Jumps to `hits` if the bytes from `address` on that the instruction accesses are watched. Changes `end`.
  private mutating func emitWatchCheck(_ op: Op, _ address: Register, _ end: Register, hits: Label) {
    let extent = extent(op)
    let place = WatchGuide.extents.firstIndex(of: UInt64(extent))
    for index in 0..<target.watchRanges {
      if extent == 0 || place == nil {
        assembler.mov(.qword, end, address)
      } else {
        assembler.lea(.qword, end, Memory(address, Int32(extent)))
      }
      assembler.alu(.sub, .qword, end, guided(WatchGuide.first(index)))
      assembler.alu(.cmp, .qword, end, guided(WatchGuide.span(index, place ?? 0)))
      assembler.jcc(.be, hits)
      guard place == nil else { continue }
      // It may begin before the range and end in it.
      assembler.alu(.cmp, .qword, end, -Int32(extent))
      assembler.jcc(.ae, hits)
    }
  }

  /// A word of the guide.
  private func guided(_ offset: Int) -> Memory {
    Memory(codeOffset: Int32(truncatingIfNeeded: target.watchGuide + offset - blockOffset))
  }
}
