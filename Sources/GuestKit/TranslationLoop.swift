// Owns the translation loop: decode at a PC, translate, until the block ends.

import IR

/// What a decoder found at a place.
public enum Decoding<Instruction> {
  case instruction(Instruction, length: Int)
  /// The bytes there are all belong to one instruction, which has at least this many.
  case incomplete(Int)
}

/// The state of one translation, which the loop has decode and translate one instruction after the other.
///
/// Instructions may be of any length up to 16 bytes. Most guests decode a 16-bit or 32-bit encoding by a ``DecodeTable``;
/// one whose instructions grow by prefixes and suffixes reads byte after byte, and says ``Decoding/incomplete(_:)`` where
/// they end too soon.
public protocol BlockTranslator: ~Copyable {
  /// What the translator asks for rows and features.
  associatedtype Front: AnyObject
  associatedtype Decoded

  /// A block without a region has no more instructions, whatever is asked for.
  static var blockLimit: Int { get }
  /// Whether the block has ended, unless a label follows.
  var hasEnded: Bool { get }
  /// `value` as an address: wrapped around at the end of the address space.
  func address(_ value: UInt64) -> UInt64
  /// Whether an exit of the block so far leads to `pc`, ahead in it.
  func leads(to pc: UInt64) -> Bool
  /// Whether the block may be entered at `pc`, which is next.
  func mayLabel(_ pc: UInt64) -> Bool
  /// Begins a part of the block with an entry of its own at `pc`: nothing is known of registers there.
  mutating func label(pc: UInt64)
  /// What stands at `offset` of `code`, which has a byte there at least.
  func decode(_ code: CodeBytes, _ offset: Int, for guest: Front) -> Decoding<Decoded>
  /// Begins the instruction at `pc`.
  mutating func begin(pc: UInt64, length: Int)
  /// Translates the instruction that was begun, at `offset` of the request's code.
  mutating func translate(
    _ instruction: Decoded, _ offset: Int, of request: borrowing TranslationRequest, for guest: Front)
  /// Raises an exception at the instruction that was begun.
  mutating func raise(_ exception: GuestException)
  /// Ends the block before the instruction at `pc`, which has not begun, if it has not ended by itself.
  mutating func stop(before pc: UInt64)
  /// Whether an instruction is one of those that ``SystemRegisters/systemAccess(_:)`` speaks of.
  func reachesSystem(_ instruction: Decoded) -> Bool
  /// Ends the block with the instruction that was begun undone (`ExitReason.step`).
  mutating func holdBack()
}

extension BlockTranslator where Self: ~Copyable {
  @inlinable public static var blockLimit: Int { 64 }
  @inlinable public func mayLabel(_ pc: UInt64) -> Bool { true }
  @inlinable public func reachesSystem(_ instruction: Decoded) -> Bool { false }
  @inlinable public mutating func holdBack() {}

  /// Translates an extended basic block: on through branches that fall through, up to the first unconditional jump,
  /// exception, change of state or end of the page; and on from there if an earlier branch leads to what follows.
  @inlinable
  public mutating func translateBlock(_ request: borrowing TranslationRequest, for guest: Front) {
    let region = request.region
    let limit = min(max(request.maximumInstructions, 1), region == nil ? Self.blockLimit : Int.max)
    let count = request.code.count
    let stops = request.stopBefore
    var (offset, nextStop, number) = (0, 0, 0)
    while number < limit {
      var pc = address(request.pc &+ UInt64(truncatingIfNeeded: offset))
      var isLabel = false
      if number > 0 {
        isLabel = leads(to: pc)
        if let region {
          guard goOn(at: &pc, region) else { return }
          offset = Int(truncatingIfNeeded: address(pc &- request.pc))
          isLabel = leads(to: pc) || region.isLabel(pc)
        } else if hasEnded, !isLabel || !mayLabel(pc) {
          return
        }
        while nextStop < stops.count, stops[nextStop] < pc { nextStop += 1 }
        if offset >= count || nextStop < stops.count && stops[nextStop] == pc { return stop(before: pc) }
      }
      guard case .instruction(let instruction, let length) = decode(request.code, offset, for: guest) else {
        // Only at the start of a block does an instruction reach into the next page.
        return number == 0 ? translateAcrossPages(request, for: guest) : stop(before: pc)
      }
      let isHeldBack = request.holdsSystemBack && reachesSystem(instruction)
      if isHeldBack, number > 0 { return stop(before: pc) }
      if isLabel, mayLabel(pc) { label(pc: pc) }
      begin(pc: pc, length: length)
      if isHeldBack { return holdBack() }
      translate(instruction, offset, of: request, for: guest)
      offset &+= length
      number &+= 1
    }
    stop(before: address(request.pc &+ UInt64(truncatingIfNeeded: offset)))
  }

  /// Moves `pc`, where a region so far leads to, on to where there is more to translate; false if there is none.
  @inlinable mutating func goOn(at pc: inout UInt64, _ region: RegionShape) -> Bool {
    if !hasEnded {
      if region.contains(pc) { return true }
      stop(before: pc)
    }
    guard let label = region.label(from: pc), mayLabel(label) else { return false }
    pc = label
    return true
  }

  /// Translates the one instruction of a block that begins with the last bytes of its page.
  @inlinable mutating func translateAcrossPages(_ request: borrowing TranslationRequest, for guest: Front) {
    var found = decode(request.code, 0, for: guest)
    while case .incomplete(let needed) = found {
      switch request.code.beyond(needed) {
      case .success(let bytes): found = bytes.withCode { decode($0, 0, for: guest) }
      case .failure(let exception):
        begin(pc: request.pc, length: needed)
        return raise(exception)
      }
    }
    guard case .instruction(let instruction, let length) = found else { return }
    begin(pc: request.pc, length: length)
    if request.holdsSystemBack, reachesSystem(instruction) { return holdBack() }
    translate(instruction, 0, of: request, for: guest)
    stop(before: address(request.pc &+ UInt64(truncatingIfNeeded: length)))
  }
}
