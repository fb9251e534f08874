// The allocation checker: it has nothing to say of what allocation does, and finds each fault planted in it.

import HostKit
import IR
import Testing

/// Guest registers 0 to 5 are i64, 6 and 7 f64. 0, 1 and 6 are pinned; in hot blocks, what their loops use most is.
@Suite struct AllocationCheckerTests {
  private static let names = TextNames(
    registers: (0..<6).map { "x\($0)" } + ["d0", "d1"], helpers: ["pure", "change"])

  private static var configuration: HostConfiguration {
    unsafe HostConfiguration(
      registers: (0..<8).map { RegisterSlot(offset: StateOffset.registers + 8 * $0, type: $0 < 6 ? .i64 : .f64) },
      pinOrder: [0, 1, 6, 2, 3, 4, 5, 7],
      helpers: [
        Helper("pure", []) { _, a, _, _, _ in a },
        Helper("change", [.readsRegisters, .writesRegisters]) { _, a, _, _, _ in a },
      ],
      slowAccess: { _, _, _, _, _ in 0 }, checksAllocation: true)
  }

  /// Lowers `text` with `fault` at each op `count`.
  /// - Returns: the instructions.
  @discardableResult
  private func lower(
    _ text: String, isHot: Bool = false, _ fault: ((inout Lowering<PaperTarget>) -> Void)? = nil
  ) throws -> [String] {
    let block = try #require(try Parser(Self.names).blocks("block 0x1000\n" + text).first)
    var lowering = Lowering(Self.configuration, pins: [0, 1], vectorPins: [6], target: PaperTarget())
    lowering.target.fault = fault
    defer { lowering.deallocate() }
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 128, alignment: 16)
    defer { unsafe memory.deallocate() }
    _ = try block.withView { (view) throws(HostError) in
      try unsafe lowering.lower(view, .window, isHot: isHot, into: memory, runningAt: 0, offset: 16)
    }
    return lowering.target.lines
  }

  /// Whether the checker finds `fault`, and nothing without it.
  private func expectFound(
    _ text: String, _ what: String, isHot: Bool = false, _ fault: @escaping (inout Lowering<PaperTarget>) -> Void,
    at location: SourceLocation = #_sourceLocation
  ) throws {
    #expect(throws: Never.self, sourceLocation: location) { try lower(text, isHot: isHot) }
    var found = ""
    do throws(any Error) {
      try lower(text, isHot: isHot, fault)
    } catch HostError.unsupported(let text) {
      found = text
    }
    #expect(found.hasPrefix("register allocation") && found.contains(what), "\(found)", sourceLocation: location)
  }

  // MARK: Nothing to say

  @Test func ordinaryBlocksPass() throws {
    // More values than registers, read again in another order.
    let lines = try lower(
      """
        %0 = get.i64 x2
        %1 = get.i64 x3
        %2 = add.i64 %0, %1
        %3 = xor.i64 %0, %1
        %4 = sub.i64 %0, %1
        %5 = and.i64 %0, %1
        %6 = or.i64 %5, %2
        %7 = or.i64 %6, %3
        %8 = or.i64 %7, %4
        set x0, %8
        exit -> 0x1004 retired 0

      """)
    #expect(lines.contains { $0.hasPrefix("spill") } && lines.contains { $0.hasPrefix("reload") })
    // Two guest registers change places, one of them pinned; a value survives a call that changes them.
    try lower(
      """
        %0 = get.i64 x0
        %1 = get.i64 x2
        set x0, %1
        set x2, %0
        %2 = call.i64 @change(%0)
        %3 = add.i64 %0, %2
        set x1, %3
        exit -> 0x1004 retired 0

      """)
    try lower(
      """
        %0 = get.f64 d0
        %1 = get.f64 d1
        %2 = fadd.f64 dyn %0, %1
        %3 = fmul.f64 dyn %0, %1
        %4 = fsub.f64 dyn %2, %3
        %5 = fadd.f64 dyn %4, %1
        %6 = bitcast.i64 %5
        set d0, %5
        set d1, %4
        set x0, %6
        exit -> 0x1004 retired 0

      """)
  }

  // MARK: Registers

  private static let twoSums = """
      %0 = get.i64 x2
      %1 = get.i64 x3
      %2 = add.i64 %0, %1
      %3 = sub.i64 %0, %1
      count 0
      %4 = xor.i64 %2, %3
      set x4, %4
      exit -> 0x1004 retired 0

    """

  @Test func aWrongRegisterIsFound() throws {
    try expectFound(Self.twoSums, "value 2 is read in register") { lowering in
      lowering.values[2].register = lowering.values[3].register
    }
  }

  @Test func aRegisterGivenAwayIsFound() throws {
    try expectFound(Self.twoSums, "value 2 is read in register") { lowering in
      let register = lowering.values[2].register
      lowering.release(register)
      let taken = lowering.allocate(avoiding: PaperRoles.temporaries.subtracting(RegisterSet(register)))
      #expect(taken == register)
    }
  }

  @Test func aMissingSpillIsFound() throws {
    try expectFound(Self.twoSums, "value 2 is read in spill") { lowering in
      lowering.release(lowering.values[2].register)
      lowering.values[2].place = .spill
      lowering.values[2].slot = 0
      lowering.spillCount = 1
    }
  }

  @Test func aWrongSpillSlotIsFound() throws {
    try expectFound(Self.twoSums, "value 2 is read in spill") { lowering in
      for value in 2...3 { lowering.evict(lowering.values[value].register) }
      lowering.values[2].slot = lowering.values[3].slot
    }
  }

  @Test func anOperandOverwrittenIsFound() throws {
    try expectFound(
      """
        %0 = get.i64 x2
        %1 = get.i64 x3
        %2 = add.i64 %0, %1
        count 0
        %3 = sub.i64 %2, %1
        %4 = xor.i64 %3, %2
        set x4, %4
        exit -> 0x1004 retired 0

      """, "operand 2"
    ) { lowering in
      // Within one op: an operand is read, and its register taken for something else.
      let register = lowering.register(ValueID(2))
      lowering.locked.remove(register)
      lowering.free.insert(register)
      _ = lowering.allocate(avoiding: PaperRoles.temporaries.subtracting(RegisterSet(register)))
      lowering.give(register, to: 2)
    }
  }

  @Test func aValueLostInACallIsFound() throws {
    try expectFound(
      """
        %0 = get.i64 x2
        %1 = get.i64 x3
        %2 = add.i64 %0, %1
        count 0
        %3 = call.i64 @pure(%0)
        %4 = xor.i64 %2, %3
        set x4, %4
        exit -> 0x1004 retired 0

      """, "value 2 is read in register"
    ) { lowering in
      // Nobody is known to be in it, so that it is not saved.
      let register = lowering.values[2].register
      lowering.owners[Int(register.number)] = 0xFFFF
    }
  }

  // MARK: Vector registers

  private static let twoProducts = """
      %0 = get.f64 d0
      %1 = get.f64 d1
      %2 = fmul.f64 dyn %0, %1
      %3 = fadd.f64 dyn %0, %0
      count 0
      %4 = fsub.f64 dyn %2, %3
      set d1, %4
      exit -> 0x1004 retired 0

    """

  @Test func aWrongVectorRegisterIsFound() throws {
    try expectFound(Self.twoProducts, "value 2 is read in vector") { lowering in
      lowering.values[2].vector = lowering.values[3].vector
    }
  }

  @Test func aMissingVectorSpillIsFound() throws {
    try expectFound(Self.twoProducts, "value 2 is read in spill") { lowering in
      let register = lowering.values[2].vector
      lowering.vectorOwners[Int(register.number)] = 0xFFFF
      lowering.freeVectors.insert(register)
      lowering.values[2].place = .spill
      lowering.values[2].slot = 3
    }
  }

  // MARK: Guest registers

  @Test func aGuestRegisterOverwrittenUnderAValueIsFound() throws {
    for (register, place) in [("x0", "register"), ("x2", "state")] {
      try expectFound(
        """
          %0 = get.i64 \(register)
          %1 = get.i64 x3
          %2 = add.i64 %1, %1
          count 0
          set \(register), %2
          %3 = sub.i64 %0, %2
          set x4, %3
          exit -> 0x1004 retired 0

        """, "value 0 is read in \(place)"
      ) { lowering in
        for guest in 0..<8 { lowering.mirrors[guest] = 0xFFFF }
      }
    }
  }

  @Test func aStaleHomeIsFound() throws {
    try expectFound(
      """
        %0 = get.i64 x2
        %1 = get.i64 x3
        %2 = add.i64 %0, %1
        set x4, %2
        %3 = sub.i64 %0, %1
        set x4, %3
        count 0
        %4 = xor.i64 %2, %3
        set x5, %4
        exit -> 0x1004 retired 0

      """, "value 2 is read in state"
    ) { lowering in
      lowering.values[2].home = 4
      lowering.contents[4] = 2
      lowering.evict(lowering.values[2].register)
    }
  }

  @Test func aWriteLeftOutIsFound() throws {
    try expectFound(
      """
        %0 = get.i64 x2
        count 0
        %1 = add.i64 %0, %0
        count 0
        set x0, %1
        exit -> 0x1004 retired 0

      """, "guest register 0 is seen in register"
    ) { lowering in
      // The value is computed in a temporary, and then said to be in the guest register already.
      if lowering.values[1].place == .none {
        lowering.values[1].hint = 0xFF
      } else {
        lowering.values[1].register = PaperRoles.pinned(0)
        lowering.values[1].slot = 0
      }
    }
  }

  @Test func aResultSeenTooEarlyIsFound() throws {
    try expectFound(
      """
        %0 = get.i64 x2
        %1 = const.i64 1
        count 0
        %2 = add.i64 %0, %1
        %3 = compare.i64 eq %2, %0
        exit.if %3 -> 0x2000 retired 0
        set x0, %2
        exit -> 0x1004 retired 0

      """, "guest register 0 is seen in register"
    ) { lowering in lowering.values[2].hint = 0 }
  }

  // MARK: A hot block's own assignment

  @Test func aWayOutWithoutAStoreIsFound() throws {
    let loop = """
        label 0x1000 retired 0
        %0 = get.i64 x4
        %1 = get.i64 x5
        %2 = add.i64 %0, %1
        set x4, %2
        count 0
        %3 = compare.i64 ne %2, %1
        exit.if %3 -> 0x1000 budget retired 1
        exit -> 0x1004 retired 1

      """
    let lines = try lower(loop, isHot: true)
    #expect(
      lines.contains("load r9 \(StateOffset.registers + 32)") || lines.contains("load r8 \(StateOffset.registers + 32)")
    )
    try expectFound(loop, "guest register 4 is seen in state", isHot: true) { lowering in
      for index in 0..<lowering.moves.count { lowering.moves[index].isWritten = false }
    }
  }
}
