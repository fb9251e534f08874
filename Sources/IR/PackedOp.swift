// Owns the packed form of IR, which an interpreter executes as it stands: 16 bytes an op, with all that execution needs.
//
// Operands and results are places, see ``Place``. There are no `instruction` ops: what has to know the current
// instruction has its distance from the block's start. Before each entry lies a word with the block's PC, which counts
// how often the block was entered there; behind a call lies a word for its return.

/// An op of the code. Some are followed by a word of their own: ``hasWord``.
public struct PackedOp: BitwiseCopyable, Sendable {
  /// From bit 0: opcode (8), type (8), `aux` (16), a (16), b (16).
  @usableFromInline var head: UInt64
  /// From bit 0, unless it is a word as a whole: result (16), c (16), and what the op's kind asks for (32); or the
  /// result and an immediate (48).
  @usableFromInline var tail: UInt64

  @inlinable init(_ opcode: Opcode, _ type: Type = .none, aux: UInt16 = 0, a: Place = .none, b: Place = .none) {
    head =
      UInt64(opcode.rawValue) | UInt64(type.rawValue) << 8 | UInt64(aux) << 16 | UInt64(a.rawValue) << 32
      | UInt64(b.rawValue) << 48
    tail = 0xFFFF_FFFF
  }

  @inlinable public var opcode: Opcode { unsafe unsafeBitCast(UInt8(truncatingIfNeeded: head), to: Opcode.self) }
  @inlinable public var type: Type { unsafe unsafeBitCast(UInt8(truncatingIfNeeded: head >> 8), to: Type.self) }
  @inlinable public var a: Place { Place(rawValue: UInt16(truncatingIfNeeded: head >> 32)) }
  @inlinable public var b: Place { Place(rawValue: UInt16(truncatingIfNeeded: head >> 48)) }
  @inlinable public var aux: UInt16 {
    get { UInt16(truncatingIfNeeded: head >> 16) }
    set { head = head & ~0xFFFF_0000 | UInt64(newValue) << 16 }
  }
  @inlinable public var result: Place {
    get { Place(rawValue: UInt16(truncatingIfNeeded: tail)) }
    set { tail = tail & ~0xFFFF | UInt64(newValue.rawValue) }
  }
  @inlinable public var c: Place {
    get { Place(rawValue: UInt16(truncatingIfNeeded: tail >> 16)) }
    set { tail = tail & ~0xFFFF_0000 | UInt64(newValue.rawValue) << 16 }
  }
  @inlinable var upper: UInt32 {
    get { UInt32(truncatingIfNeeded: tail >> 32) }
    set { tail = tail & 0xFFFF_FFFF | UInt64(newValue) << 32 }
  }

  // MARK: Numbers

  /// All of the second half: the PC before an entry or behind a call, a counter's address, what follows a `call` or a
  /// large constant.
  @inlinable public var word: UInt64 {
    get { tail }
    set { tail = newValue }
  }

  /// A constant operand, the offset of a guest register, the bits that a sign extension adds.
  @inlinable public var immediate: Int64 {
    get { Int64(bitPattern: tail) >> 16 }
    set { tail = tail & 0xFFFF | UInt64(bitPattern: newValue) << 16 }
  }
  @inlinable public static func fits(_ immediate: Int64) -> Bool { (immediate << 16) >> 16 == immediate }

  /// The type of a floating-point op's first operand.
  @inlinable public var source: Type {
    get { Type(rawValue: UInt8(truncatingIfNeeded: upper)) ?? .none }
    set { upper = UInt32(newValue.rawValue) }
  }

  /// In `aux` of an op with an `i32` result that is written to 64 bits, sign-extended: see ``Opcode/mayWiden``.
  @inlinable public static var widening: UInt16 { 0x8000 }
  /// The bit of the result that is extended; 0 for none.
  @inlinable public var signBit: UInt64 { UInt64(aux) << 16 }

  // MARK: What may call out

  /// Guest instructions begun since the block's start or the last `retire`, without the current one, and bytes from the
  /// block's PC to the current instruction; below them the low bits of what ``extra`` says.
  @inlinable public mutating func note(begun: UInt32, distance: UInt64, kind: UInt32) {
    upper = kind & 0xF | begun << 4 | UInt32(truncatingIfNeeded: distance) << 16
  }
  @inlinable public static func canNote(begun: UInt32, distance: UInt64) -> Bool {
    begun < 1 << 12 && distance < 1 << 16
  }

  /// `extra` of a memory access: its ``AtomicKind``, or the words that follow it. The high bits are in `aux`.
  @inlinable public var extra: UInt32 { upper & 0xF | UInt32(aux >> 10 & 0xF) << 4 }
  @inlinable public var begun: UInt64 { UInt64(upper >> 4 & 0xFFF) }
  @inlinable public var distance: UInt64 { UInt64(upper >> 16) }

  /// The offset of a load's or store's address, in the place of `c`.
  @inlinable public var displacement: Int64 { Int64(Int16(bitPattern: c.rawValue)) }
  /// The ``MemoryAccess`` in `aux`, but for a space with a number above 2.
  @inlinable public var access: MemoryAccess { MemoryAccess(rawValue: aux & 0x3FF) }
  /// In `aux`: the ``AccessSpace`` is in the place of `c`, where there is no displacement then.
  @inlinable static var farSpace: UInt16 { 0x300 }
  @inlinable public var isInFarSpace: Bool { aux & Self.farSpace == Self.farSpace }
  /// The whole ``MemoryAccess``.
  @inlinable public var wholeAccess: MemoryAccess {
    isInFarSpace ? MemoryAccess(rawValue: aux & 0xFF | c.rawValue << 8) : access
  }
  /// Whether addresses have 32 bits.
  @inlinable public var hasShortAddress: Bool { aux & 0x8000 != 0 }
  @inlinable public mutating func makeAddressShort() { aux |= 0x8000 }
  /// Whether the softmmu TLB serves the access, as long as it stays within a page.
  @inlinable public var usesTLB: Bool { aux & 0x4000 != 0 }
  @inlinable public mutating func useTLB() { aux |= 0x4000 }

  // MARK: Ways out

  /// Instructions that retire: in the place of `b`, or in `aux` for a fused branch, which has operands in both.
  @inlinable public var retired: Int64 { Int64(Int16(bitPattern: b.rawValue)) }
  /// Bytes from the block's PC to the target, unless ``isFar``.
  @inlinable public var target: Int64 {
    get { Int64(Int32(bitPattern: upper)) }
    set { upper = UInt32(bitPattern: Int32(truncatingIfNeeded: newValue)) }
  }
  @inlinable public static func fits(target: Int64) -> Bool { Int64(Int32(truncatingIfNeeded: target)) == target }

  /// Words to the label of the block that the exit leads to, in the place of `c`; ``chainedSkip`` if it leads to the entry
  /// of a block, more if it leaves.
  @inlinable public var skip: UInt16 { c.rawValue }
  @inlinable public static var chainedSkip: UInt16 { 0xFFFE }
  @inlinable public var flags: ExitFlags { ExitFlags(rawValue: aux & 0xF) }

  /// Whether it is an unconditional call.
  @inlinable public var isCall: Bool { (opcode == .exit || opcode == .exitIndirect) && flags.contains(.isCall) }

  /// Makes an exit skip so many words.
  @inlinable mutating func stay(skipping words: Int) { c = Place(rawValue: UInt16(truncatingIfNeeded: words)) }

  /// The entry that a chained exit leads to.
  @inlinable public var chainedEntry: UInt32? { skip == Self.chainedSkip ? upper : nil }
  /// - Returns: what ``unchain(_:)`` needs.
  @inlinable public mutating func chain(to entry: UInt32) -> UInt32 {
    c = Place(rawValue: Self.chainedSkip)
    defer { upper = entry }
    return upper
  }
  /// Lets the exit leave again.
  @inlinable public mutating func unchain(_ before: UInt32) {
    c = .none
    upper = before
  }

  /// Whether the target is in a word of its own: in `aux`, of an exit that is not fused.
  @inlinable public var isFar: Bool { aux & 0x8000 != 0 }
  @inlinable mutating func makeFar() { aux |= 0x8000 }
  @inlinable public var hasTargetWord: Bool { isFar && !(opcode == .exitIf && isFused) }

  /// Whether a word for the return follows, likewise; never with a far target.
  @inlinable public var hasReturn: Bool { aux & 0x4000 != 0 }
  @inlinable mutating func addReturn() { aux |= 0x4000 }

  /// Whether a word follows: the immediate of a `call`, the cause of a `raise`, a large constant, a far target, a
  /// return, what lies before an entry.
  @inlinable public var hasWord: Bool {
    switch opcode {
    case .call, .raise, .const, .label: true
    case .exit, .exitIf, .exitWith: hasTargetWord || opcode == .exit && hasReturn
    case .exitIndirect: hasReturn
    default: false
    }
  }

  // MARK: Words

  /// What lies before an entry, `offset` bytes behind the start of the block at `pc`.
  @inlinable public init(entryOf pc: UInt64, offset: UInt64) {
    head = offset << 32
    tail = pc
  }
  /// How often the block was entered there.
  @inlinable public var entries: UInt32 { UInt32(truncatingIfNeeded: head) }
  @inlinable public mutating func countEntry() { head &+= 1 }
  @inlinable public var entryPC: UInt64 { tail &+ head >> 32 }

  /// What lies behind a call: where it returns to.
  @inlinable public init(returnTo pc: UInt64) {
    head = Self.returnMark
    tail = pc
  }
  /// In the high half of a word behind a call: operands that no exit has.
  @inlinable static var returnMark: UInt64 {
    UInt64(Place.none.rawValue) << 32 | UInt64(Place.immediate.rawValue) << 48
  }
  @inlinable public var isReturnWord: Bool { head >> 32 == Self.returnMark >> 32 }
  /// The entry at the return's target; 0 for none.
  @inlinable public var returnEntry: UInt32 {
    get { UInt32(truncatingIfNeeded: head) }
    set { head = Self.returnMark | UInt64(newValue) }
  }

  /// An `exit.if` that makes the comparison it depends on itself: ``fuse(_:retired:)``.
  @inlinable public var isFused: Bool { aux & 0x10 != 0 }
  @inlinable public var condition: Condition {
    unsafe unsafeBitCast(UInt8(truncatingIfNeeded: aux >> 5 & 0xF), to: Condition.self)
  }
  @inlinable public var fusedRetired: Int64 { Int64(Int16(bitPattern: aux) >> 9) }
  @inlinable public static func canFuse(retired: Int32) -> Bool { retired >= -1 << 6 && retired < 1 << 6 }
  @inlinable public mutating func fuse(_ condition: Condition, retired: Int32) {
    aux = aux & 0xF | 0x10 | condition.rawValue << 5 | UInt16(truncatingIfNeeded: retired) << 9
  }
  /// Changes what an exit that is not far retires. May be less than nothing: what is skipped is retired later.
  @inlinable mutating func retire(_ retired: Int32) {
    if opcode == .exitIf, isFused {
      aux = aux & 0x1FF | UInt16(truncatingIfNeeded: retired) << 9
    } else {
      head = head & ~(0xFFFF << 48) | UInt64(UInt16(truncatingIfNeeded: retired)) << 48
    }
  }
}
