// Owns the IR of one translation block: ops in a flat array, values by number.

import Bits

/// A value's number within its block. 0xFFFF means none.
public struct ValueID: Hashable, Sendable, BitwiseCopyable {
  public var index: UInt16
  @inlinable public init(_ index: UInt16) { self.index = index }
  @inlinable public static var none: ValueID { ValueID(0xFFFF) }
  @inlinable public var isNone: Bool { index == 0xFFFF }
}

/// One IR op, 24 bytes, trivial. Which fields count is said by ``Opcode/info``.
///
/// Three words, since the compiler passes and copies a struct of small fields field by field.
public struct Op: Equatable, Sendable, BitwiseCopyable {
  /// From bit 0: opcode (8), type (8), `aux` (16), result (16), a (16).
  @usableFromInline var head: UInt64
  /// From bit 0: b (16), c (16), `extra` (32).
  @usableFromInline var tail: UInt64
  public var imm: Int64

  @inlinable public var opcode: Opcode {
    get { unsafe unsafeBitCast(UInt8(truncatingIfNeeded: head), to: Opcode.self) }
    set { head = head & ~0xFF | UInt64(newValue.rawValue) }
  }
  @inlinable public var type: Type {
    get { unsafe unsafeBitCast(UInt8(truncatingIfNeeded: head >> 8), to: Type.self) }
    set { head = head & ~0xFF00 | UInt64(newValue.rawValue) << 8 }
  }
  /// ``Condition``, ``MemoryAccess``, ``ExitFlags``, helper number, instruction length…
  @inlinable public var aux: UInt16 {
    get { UInt16(truncatingIfNeeded: head >> 16) }
    set { head = head & ~0xFFFF_0000 | UInt64(newValue) << 16 }
  }
  @inlinable public var result: ValueID {
    get { ValueID(UInt16(truncatingIfNeeded: head >> 32)) }
    set { head = head & ~(0xFFFF << 32) | UInt64(newValue.index) << 32 }
  }
  @inlinable public var a: ValueID {
    get { ValueID(UInt16(truncatingIfNeeded: head >> 48)) }
    set { head = head & ~(0xFFFF << 48) | UInt64(newValue.index) << 48 }
  }
  @inlinable public var b: ValueID {
    get { ValueID(UInt16(truncatingIfNeeded: tail)) }
    set { tail = tail & ~0xFFFF | UInt64(newValue.index) }
  }
  @inlinable public var c: ValueID {
    get { ValueID(UInt16(truncatingIfNeeded: tail >> 16)) }
    set { tail = tail & ~0xFFFF_0000 | UInt64(newValue.index) << 16 }
  }
  /// Retired-instruction count, instruction number, ``AtomicKind``, words that follow a load or store.
  @inlinable public var extra: UInt32 {
    get { UInt32(truncatingIfNeeded: tail >> 32) }
    set { tail = tail & 0xFFFF_FFFF | UInt64(newValue) << 32 }
  }

  @inlinable public init(
    _ opcode: Opcode, _ type: Type = .none, result: ValueID = .none, a: ValueID = .none, b: ValueID = .none,
    c: ValueID = .none, aux: UInt16 = 0, extra: UInt32 = 0, imm: Int64 = 0
  ) {
    head =
      UInt64(opcode.rawValue) | UInt64(type.rawValue) << 8 | UInt64(aux) << 16 | UInt64(result.index) << 32
      | UInt64(a.index) << 48
    tail = UInt64(b.index) | UInt64(c.index) << 16 | UInt64(extra) << 32
    self.imm = imm
  }

  /// Words that may follow a load or store in the same instruction.
  @inlinable public static var mostFollowing: UInt32 { 63 }
  @inlinable public var access: MemoryAccess { MemoryAccess(rawValue: aux) }
  @inlinable public var condition: Condition { Condition(rawValue: aux) ?? .equal }
  @inlinable public var exitFlags: ExitFlags { ExitFlags(rawValue: aux) }
  @inlinable public var atomicKind: AtomicKind { AtomicKind(rawValue: extra) ?? .exchange }
}

/// An extended basic block: an entry at the top and one at each label, side exits, a final end.
public struct Block: Sendable {
  /// Guest PC of the first instruction.
  public var pc: UInt64
  public var ops: [Op] = []
  /// The type of each value, by number.
  public var valueTypes: [Type] = []

  @inlinable public init(pc: UInt64) { self.pc = pc }

  @inlinable public func type(of value: ValueID) -> Type { valueTypes[Int(value.index)] }

  /// Takes a fresh value of `type`.
  @inlinable public mutating func makeValue(_ type: Type) -> ValueID {
    valueTypes.append(type)
    return ValueID(UInt16(truncatingIfNeeded: valueTypes.count &- 1))
  }

  /// Guest instructions in the block (its `instruction` markers).
  @inlinable public var instructionCount: Int {
    var count = 0
    for op in ops where op.opcode == .instruction { count &+= 1 }
    return count
  }

  /// Whether `value` is a number of this block; `none` is not.
  @inlinable public func contains(_ value: ValueID) -> Bool { Int(value.index) < valueTypes.count }

  /// Drops the ops that passes turned into `nop`.
  @inlinable public mutating func compact() { ops.removeAll { $0.opcode == .nop } }
}

/// A block's ops and types where they lie, for a host to compile. Valid while its owner lives and does not change.
@safe public struct BlockView {
  public let pc: UInt64
  public let ops: RawTable<Op>
  public let opCount: Int
  /// The type of each value, by number.
  public let valueTypes: RawTable<Type>
  public let valueCount: Int

  @inlinable init(pc: UInt64, ops: RawTable<Op>, opCount: Int, valueTypes: RawTable<Type>, valueCount: Int) {
    self.pc = pc
    self.ops = ops
    self.opCount = opCount
    self.valueTypes = valueTypes
    self.valueCount = valueCount
  }

  @inlinable public func type(of value: ValueID) -> Type { valueTypes[Int(value.index)] }
}

extension Block {
  /// Calls `body` with a view of the block.
  public func withView<Result, Failure: Error>(
    _ body: (BlockView) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let (ops, types) = (RawTable(copying: ops), RawTable(copying: valueTypes))
    defer {
      ops.deallocate()
      types.deallocate()
    }
    return try body(
      BlockView(pc: pc, ops: ops, opCount: self.ops.count, valueTypes: types, valueCount: valueTypes.count))
  }
}

extension Block: Equatable {
  /// Equal PCs, ops and types of results. Value numbers that no op defines do not count.
  public static func == (a: Block, b: Block) -> Bool {
    a.pc == b.pc && a.ops == b.ops
      && a.ops.allSatisfy { $0.result.isNone || a.type(of: $0.result) == b.type(of: $0.result) }
  }
}
