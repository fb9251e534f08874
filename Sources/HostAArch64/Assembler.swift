// The assembler's core: instruction words, bounds-checked, and the labels of branches. The instructions are in Encoder.swift.

import HostKit

/// Writes AArch64 machine code into memory the caller owns, which must stay valid until the last call.
///
/// An instruction that does not fit is left out and `failure` says so. Nothing is ever written outside the memory.
@safe
public struct Assembler {
  /// Why the code assembled so far is unusable.
  public enum Failure: Sendable {
    case none
    case bufferFull
    /// A branch is farther from its target than its field can say.
    case outOfReach
  }

  /// A field that holds a distance in words.
  enum Field {
    /// 26 bits from bit 0, of `b` and `bl`; 19 bits from bit 5, of `b.cond`.
    case long, short
  }

  /// A branch to a label that was not bound yet.
  private struct Fixup: BitwiseCopyable {
    var label: Label
    var offset: Int
    var field: Field
  }

  private var memory: UnsafeMutableRawBufferPointer
  private var offsets: [Int] = []
  private var fixups: [Fixup] = []
  /// Bytes assembled so far: the offset of the next instruction.
  public private(set) var count = 0
  public private(set) var failure = Failure.none
  /// The address at which the first byte will run.
  public private(set) var address: UInt64

  public init(_ memory: UnsafeMutableRawBufferPointer, runningAt address: UInt64) {
    unsafe self.memory = memory
    self.address = address
  }

  /// Starts again in other memory, forgetting all labels and any failure.
  mutating func restart(_ memory: UnsafeMutableRawBufferPointer, runningAt address: UInt64) {
    unsafe self.memory = memory
    self.address = address
    offsets.removeAll(keepingCapacity: true)
    fixups.removeAll(keepingCapacity: true)
    count = 0
    failure = .none
  }

  public mutating func put(_ word: UInt32) {
    guard unsafe count + 4 <= memory.count else { return failure = .bufferFull }
    unsafe memory.storeBytes(of: word.littleEndian, toByteOffset: count, as: UInt32.self)
    count += 4
  }

  // MARK: Labels

  public mutating func makeLabel() -> Label {
    offsets.append(-1)
    return Label(index: UInt32(offsets.count - 1))
  }

  /// Puts `label` before the next instruction. Once per label.
  public mutating func bind(_ label: Label) { offsets[Int(label.index)] = count }

  /// Appends `word` with the distance to `label` in `field`, now or when labels are resolved.
  mutating func put(_ word: UInt32, _ field: Field, to label: Label) {
    fixups.append(Fixup(label: label, offset: count, field: field))
    put(word)
  }

  /// Appends `word` with the distance to the byte `target` away from the first byte of the code in `field`.
  mutating func put(_ word: UInt32, _ field: Field, toOffset target: Int) {
    put(word | distance(from: count, to: target, field))
  }

  /// Completes the branches to labels; all of them must be bound.
  public mutating func resolveLabels() {
    for fixup in fixups where fixup.offset + 4 <= count {
      let target = offsets[Int(fixup.label.index)]
      precondition(target >= 0, "a label is bound")
      let field = distance(from: fixup.offset, to: target, fixup.field)
      let word = unsafe UInt32(littleEndian: memory.load(fromByteOffset: fixup.offset, as: UInt32.self))
      unsafe memory.storeBytes(of: (word | field).littleEndian, toByteOffset: fixup.offset, as: UInt32.self)
    }
    fixups.removeAll(keepingCapacity: true)
  }

  private mutating func distance(from place: Int, to target: Int, _ field: Field) -> UInt32 {
    let words = (target - place) >> 2
    let bits = field == .long ? 26 : 19
    if words >> (bits - 1) != 0 && words >> (bits - 1) != -1 { failure = .outOfReach }
    let value = UInt32(truncatingIfNeeded: words) & (1 << UInt32(bits) - 1)
    return field == .long ? value : value << 5
  }
}
