// Owns the IR of one translation block: ops in a flat array, values by number.

/// A value's number within its block. 0xFFFF means none.
public struct ValueID: Hashable, Sendable, BitwiseCopyable {
  public var index: UInt16
  @inlinable public init(_ index: UInt16) { self.index = index }
  @inlinable public static var none: ValueID { ValueID(0xFFFF) }
  @inlinable public var isNone: Bool { index == 0xFFFF }
}

/// One IR op, 24 bytes, trivial. Which fields count is said by ``Opcode/info``.
public struct Op: Equatable, Sendable, BitwiseCopyable {
  public var opcode: Opcode
  public var type: Type
  /// ``Condition``, ``MemoryAccess``, ``ExitFlags``, helper number, instruction length…
  public var aux: UInt16
  public var result: ValueID
  public var a: ValueID
  public var b: ValueID
  public var c: ValueID
  /// Retired-instruction count, instruction number, ``AtomicKind``.
  public var extra: UInt32
  public var imm: Int64

  @inlinable public init(
    _ opcode: Opcode, _ type: Type = .none, result: ValueID = .none, a: ValueID = .none, b: ValueID = .none,
    c: ValueID = .none, aux: UInt16 = 0, extra: UInt32 = 0, imm: Int64 = 0
  ) {
    self.opcode = opcode
    self.type = type
    self.aux = aux
    self.result = result
    self.a = a
    self.b = b
    self.c = c
    self.extra = extra
    self.imm = imm
  }

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

extension Block: Equatable {
  /// Equal PCs, ops and types of results. Value numbers that no op defines do not count.
  public static func == (a: Block, b: Block) -> Bool {
    a.pc == b.pc && a.ops == b.ops
      && a.ops.allSatisfy { $0.result.isNone || a.type(of: $0.result) == b.type(of: $0.result) }
  }
}
