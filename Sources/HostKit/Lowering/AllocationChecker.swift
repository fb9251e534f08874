// Owns the proof, for tests, that register allocation is right: what each place holds, worked out from what was emitted
// alone, against what is read.
//
// Nothing here looks at what allocation believes. Every place (host register, spill slot, guest register in the state) has
// the set of the block's values that are in it now; moves copy sets, whatever is overwritten loses its own, and a read of a
// value from a place whose set is without it is a fault. So are a guest register that does not hold what it was set to where
// somebody could see it, and an operand that is overwritten before its op is complete. The method is that of regalloc2's
// checker; labels need no merging of sets, since no value lives across them.

import IR

/// A place in which a value may be.
@usableFromInline enum CheckedPlace: Hashable {
  case register(UInt8)
  case vector(UInt8)
  case spill(Int)
  /// The bytes of a guest register in the state.
  case state(Int)
}

@usableFromInline final class AllocationChecker {
  /// A value by its number, or what a guest register held at some time by a number above those.
  fileprivate typealias Content = UInt32

  private var holds: [CheckedPlace: Set<Content>] = [:]
  /// By guest register: what it must hold.
  private var contents: [Content] = []
  private var nextContent: Content = 0
  /// Of the op at hand: registers read as operands, and places that hold its results once it is complete.
  private var operands: [CheckedPlace: Content] = [:]
  private var results: [CheckedPlace: Content] = [:]
  /// Values that have been computed, by an op that is complete or as another name of one.
  private var computed: Set<Content> = []
  private var op = ""
  /// The first fault found since the last ``begin(guestRegisters:)``.
  @usableFromInline private(set) var fault: String?

  @usableFromInline init() {}

  @usableFromInline func begin(guestRegisters count: Int) {
    fault = nil
    computed.removeAll()
    enter(guestRegisters: count)
  }

  /// Starts anew, as at a label: nothing is known but that guest registers hold what they hold.
  @usableFromInline func enter(guestRegisters count: Int) {
    holds.removeAll()
    operands.removeAll()
    results.removeAll()
    nextContent = 1 << 16
    contents = (0..<count).map { _ in freshContent() }
  }

  private func freshContent() -> Content {
    nextContent += 1
    return nextContent
  }

  private func report(_ what: String) {
    if fault == nil { fault = "register allocation, \(op): \(what)" }
  }

  // MARK: Ops

  @usableFromInline func beginOp(_ position: Int32, _ opcode: Opcode) { op = "op \(position) (\(opcode))" }

  /// The op is complete: its results are where they were to be computed.
  @usableFromInline func endOp() {
    for (place, value) in results {
      holds[place] = [value]
      computed.insert(value)
    }
    results.removeAll()
    operands.removeAll()
  }

  // MARK: Values

  @usableFromInline func read(_ value: UInt16, in place: CheckedPlace) {
    guard holds[place]?.contains(Content(value)) != true else { return }
    report("value \(value) is read in \(place), which holds \(holds[place].map { "\($0.sorted())" } ?? "none")")
  }

  /// `value` is an operand of the op at hand, which finds it in `place`.
  @usableFromInline func use(_ value: UInt16, in place: CheckedPlace) {
    read(value, in: place)
    operands[place] = Content(value)
  }

  /// `place` is for something else from now on, that is no value yet.
  @usableFromInline func overwrite(_ place: CheckedPlace) {
    results[place] = nil
    overwrite(place, with: [])
  }

  private func overwrite(_ place: CheckedPlace, with values: Set<Content>) {
    if let operand = operands[place], !values.contains(operand) {
      report("operand \(operand) in \(place) is overwritten")
    }
    holds[place] = values
  }

  @usableFromInline func copy(_ source: CheckedPlace, to place: CheckedPlace) {
    overwrite(place, with: holds[source] ?? [])
  }

  /// `value`, a constant or a comparison made now, is put in `place`.
  @usableFromInline func make(_ value: UInt16, in place: CheckedPlace) { overwrite(place, with: [Content(value)]) }

  /// From now on `value` is sought in `place`: as the op's result, unless it has been computed before.
  ///
  /// - Parameter isAnew: whether it may be computed more than once.
  @usableFromInline func expect(_ value: UInt16, in place: CheckedPlace, isAnew: Bool = false) {
    if holds[place]?.contains(Content(value)) == true { return }
    if isAnew || !computed.contains(Content(value)) { results[place] = Content(value) }
  }

  /// What the op at hand has read in `place` it will read elsewhere.
  @usableFromInline func release(_ place: CheckedPlace) { operands[place] = nil }

  /// `value` is the low bits of `original`, or the same.
  @usableFromInline func name(_ value: UInt16, as original: UInt16) { name(Content(value), as: Content(original)) }

  private func name(_ value: Content, as original: Content) {
    computed.insert(value)
    for (place, values) in holds where values.contains(original) { holds[place]!.insert(value) }
  }

  // MARK: Guest registers

  /// Guest register `guest`, which lives in `place`, is read as `value`.
  @usableFromInline func get(_ value: UInt16, _ guest: Int, in place: CheckedPlace) {
    check(guest, in: place)
    name(Content(value), as: contents[guest])
  }

  /// Guest register `guest`, which lives in `place`, has been set to `value`.
  @usableFromInline func set(_ guest: Int, _ value: UInt16, in place: CheckedPlace) {
    contents[guest] = Content(value)
    check(guest, in: place)
  }

  /// Guest register `guest` is seen, in `place`.
  @usableFromInline func check(_ guest: Int, in place: CheckedPlace) {
    if holds[place]?.contains(contents[guest]) == true { return }
    report("guest register \(guest) is seen in \(place), which does not hold what it was set to")
  }

  /// `place` holds what guest register `guest` does.
  @usableFromInline func hold(_ guest: Int, in place: CheckedPlace) { holds[place] = [contents[guest]] }

  /// Guest register `guest` may have been changed by others.
  @usableFromInline func change(_ guest: Int) { contents[guest] = freshContent() }

  /// What places hold at some time.
  @usableFromInline struct Snapshot {
    fileprivate let holds: [CheckedPlace: Set<Content>]
    fileprivate let operands: [CheckedPlace: Content]
  }

  @usableFromInline var snapshot: Snapshot { Snapshot(holds: holds, operands: operands) }

  /// Forgets what places hold, but not what guest registers must hold.
  @usableFromInline func forget() {
    holds.removeAll()
    operands.removeAll()
  }

  @usableFromInline func restore(_ snapshot: Snapshot) {
    holds = snapshot.holds
    operands = snapshot.operands
  }
}
