// Owns the translation loop: fetch, decode, translate, until the block ends.

import GuestKit
import IR

extension RISCVGuest {
  /// Blocks grow no longer than this, whatever is asked for.
  static let blockLimit = 64

  /// Translates an extended basic block: on through branches that fall through, up to the first unconditional jump,
  /// exception, change of state or end of the page; and on from there if an earlier branch leads to what follows.
  public func translate(_ request: borrowing TranslationRequest, into builder: inout Builder) {
    var translator = Translator(builder, guest: self, flags: request.flags, pc: request.pc)
    translate(request, with: &translator)
    builder = translator.takeBuilder()
  }

  private func translate(_ request: borrowing TranslationRequest, with translator: inout Translator) {
    let region = request.region
    let limit = min(max(request.maximumInstructions, 1), region == nil ? Self.blockLimit : Int.max)
    let count = request.code.count
    var offset = 0
    let stops = request.stopBefore
    var nextStop = 0
    var number = 0
    while number < limit {
      var pc = translator.address(request.pc &+ UInt64(truncatingIfNeeded: offset))
      var isLabel = false
      if number > 0 {
        isLabel = translator.builder.targets.contains(pc)
        if let region {
          guard translator.goOn(at: &pc, region) else { return }
          offset = Int(truncatingIfNeeded: translator.address(pc &- request.pc))
          isLabel = translator.builder.targets.contains(pc) || region.isLabel(pc)
        } else if !isLabel, translator.builder.isTerminated {
          return
        }
        while nextStop < stops.count, stops[nextStop] < pc { nextStop += 1 }
        if offset >= count || nextStop < stops.count && stops[nextStop] == pc { return translator.stop(before: pc) }
      }
      guard let (encoding, length) = fetch(request.code, offset, first: number == 0, &translator, pc) else { return }
      if isLabel { translator.label(pc: pc) }
      translator.begin(pc: pc, length: length)
      if semihosting, encoding == Self.ebreak {
        translator.isSemihostingCall = isSemihostingCall(request.code, offset)
      }
      translator.spinLength =
        Trail.mayClose(encoding) ? spinLength(translator.trail, encoding, length, pc) : 0
      translator.trail.note(encoding, at: pc, length)
      if let instruction = decoder.decode(encoding, length: length) {
        decoder.translate(instruction, with: &translator)
      } else {
        translator.illegal(encoding)
      }
      offset &+= length
      number &+= 1
    }
    translator.stop(before: translator.nextPC)
  }

  /// The encoding at `offset` and its length. An instruction that reaches into the next page is only taken at the start
  /// of a block; nil when the block has been ended instead.
  @inline(__always)
  private func fetch(
    _ code: CodeBytes, _ offset: Int, first: Bool, _ translator: inout Translator, _ pc: UInt64
  ) -> (UInt32, Int)? {
    if offset &+ 4 <= code.count {
      let encoding = code.load(offset, as: UInt32.self)
      return encoding & 3 == 3 ? (encoding, 4) : (encoding & 0xFFFF, 2)
    }
    return fetchLast(code, offset, first: first, &translator, pc)
  }

  /// The same, at the end of a page.
  @inline(never)
  private func fetchLast(
    _ code: CodeBytes, _ offset: Int, first: Bool, _ translator: inout Translator, _ pc: UInt64
  ) -> (UInt32, Int)? {
    guard offset + 2 <= code.count else {
      // Memory of an odd size ends with half an instruction.
      guard first else {
        translator.stop(before: pc)
        return nil
      }
      let exception = accessFault(.execute, pc &+ 1)
      translator.begin(pc: pc, length: 2)
      translator.raise(exception.cause, value: exception.value)
      return nil
    }
    let half = UInt32(code.load(offset, as: UInt16.self))
    if half & 3 != 3 { return (half, 2) }
    guard first else {
      translator.stop(before: pc)
      return nil
    }
    switch code.nextPage() {
    case .success(let following):
      return (half | UInt32(truncatingIfNeeded: following) << 16, 4)
    case .failure(let exception):
      translator.begin(pc: pc, length: 4)
      translator.raise(exception.cause, value: exception.value)
      return nil
    }
  }
}

extension Translator {
  /// Moves `pc`, where a region so far leads to, on to where there is more to translate; false if there is none.
  fileprivate mutating func goOn(at pc: inout UInt64, _ region: RegionShape) -> Bool {
    if !builder.isTerminated {
      if region.contains(pc) { return true }
      stop(before: pc)
    }
    guard let label = region.label(from: pc) else { return false }
    pc = label
    return true
  }

  /// Begins a part of the block with an entry of its own at `pc`.
  mutating func label(pc: UInt64) {
    builder.label(pc: pc)
    farAddress.next = .max
    singles = InlineArray(repeating: .none)
  }

  /// Begins the instruction at `pc`.
  @inline(__always)
  mutating func begin(pc: UInt64, length: Int) {
    self.pc = pc
    self.length = length
    builder.instruction(pc: pc, length: length)
  }
}
