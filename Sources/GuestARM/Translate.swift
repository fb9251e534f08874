// Owns the translation loop: fetch, decode, translate, until the block ends.

import GuestKit
import IR

extension ARMGuest {
  /// Blocks grow no longer than this, whatever is asked for.
  static let blockLimit = 64

  /// Translates an extended basic block: on through branches that fall through, up to the first unconditional jump,
  /// exception, change of state or end of the page; and on from there if an earlier branch leads to what follows.
  ///
  /// An odd PC stands for one that a branch with bit 0 clear led to: executing there faults, as the T bit is clear.
  public func translate(_ request: borrowing TranslationRequest, into builder: inout Builder) {
    var translator = Translator(builder, guest: self, flags: request.flags, pc: request.pc)
    if request.pc & 1 == 0 {
      translate(request, with: &translator)
    } else {
      translator.begin(pc: request.pc, length: 1)
      translator.raise(.usageFault, .invalidState)
    }
    builder = translator.takeBuilder()
  }

  private func translate(_ request: borrowing TranslationRequest, with translator: inout Translator) {
    let limit = min(max(request.maximumInstructions, 1), request.region == nil ? Self.blockLimit : Int.max)
    var offset = 0
    let stops = request.stopBefore
    var nextStop = 0
    for number in 0..<limit {
      var pc = (request.pc &+ UInt64(offset)) & 0xFFFF_FFFF
      if number > 0 {
        guard translator.goOn(at: &pc, request.region) else { return }
        offset = Int((pc &- request.pc) & 0xFFFF_FFFF)
        while nextStop < stops.count, stops[nextStop] < pc { nextStop += 1 }
        if offset >= request.code.count || nextStop < stops.count && stops[nextStop] == pc {
          return translator.stop(before: pc)
        }
      }
      guard let (encoding, length) = fetch(request.code, offset, first: number == 0, &translator, pc) else { return }
      if number > 0, translator.builder.targets.contains(pc) || request.region?.isLabel(pc) == true {
        translator.label(pc: pc)
      }
      translator.begin(pc: pc, length: length)
      if let instruction = decoder.decode(encoding, length: length) {
        decoder.translate(instruction, with: &translator)
      } else {
        translator.undefined()
      }
      if let state = translator.beginsITBlock, limit > 1 {
        translator.endOfITBlock = end(ofITBlock: state, from: offset + length, request, nextStop)
      }
      translator.finish()
      offset += length
    }
    translator.stop(before: translator.nextPC)
  }

  /// Where the IT block ends that begins at `offset` with ITSTATE `state`; nil if that is out of reach, or a breakpoint in
  /// between.
  private func end(ofITBlock state: UInt8, from offset: Int, _ request: borrowing TranslationRequest, _ nextStop: Int)
    -> UInt64?
  {
    var end = offset
    for _ in 0...Translator.remaining(state) {
      guard end + 2 <= request.code.count else { return nil }
      end += request.code.load(end, as: UInt16.self) < 0xE800 ? 2 : 4
    }
    guard end < request.code.count else { return nil }
    let pcs = (request.pc &+ UInt64(offset))..<(request.pc &+ UInt64(end))
    return request.stopBefore.dropFirst(nextStop).contains(where: pcs.contains) ? nil : pcs.upperBound & 0xFFFF_FFFF
  }

  /// The encoding at `offset`, the first halfword of a long one high, and its length. An instruction that reaches into
  /// the next page is only taken at the start of a block; nil when the block has been ended instead.
  private func fetch(
    _ code: CodeBytes, _ offset: Int, first: Bool, _ translator: inout Translator, _ pc: UInt64
  ) -> (UInt32, Int)? {
    guard offset + 2 <= code.count else {
      // Memory of an odd size ends with half an instruction.
      guard first else {
        translator.stop(before: pc)
        return nil
      }
      translator.begin(pc: pc, length: 2)
      translator.raise(accessFault(.execute, pc &+ 1))
      return nil
    }
    let half = UInt32(code.load(offset, as: UInt16.self))
    if half < 0xE800 { return (half, 2) }
    if offset + 4 <= code.count { return (half << 16 | UInt32(code.load(offset + 2, as: UInt16.self)), 4) }
    guard first else {
      translator.stop(before: pc)
      return nil
    }
    switch code.nextPage() {
    case .success(let following):
      return (half << 16 | UInt32(truncatingIfNeeded: following & 0xFFFF), 4)
    case .failure(let exception):
      translator.begin(pc: pc, length: 4)
      translator.raise(exception)
      return nil
    }
  }
}

extension Translator {
  /// Moves `pc`, where the block so far leads to, on to where there is more to translate; false if there is none. No part
  /// begins within an IT block.
  fileprivate mutating func goOn(at pc: inout UInt64, _ region: RegionShape?) -> Bool {
    guard let region else { return !builder.isTerminated || !inITBlock && mayLabel(pc) && builder.targets.contains(pc) }
    if !builder.isTerminated {
      if region.contains(pc) { return true }
      stop(before: pc)
    }
    guard !inITBlock, let label = region.label(from: pc), mayLabel(label) else { return false }
    pc = label
    return true
  }

  private func mayLabel(_ pc: UInt64) -> Bool { flags.itState == 0 && !inner.contains(pc) }

  /// Begins a part of the block with an entry of its own at `pc`, unless that is within an IT block, where its flags would
  /// be others.
  fileprivate mutating func label(pc: UInt64) {
    guard !inITBlock, mayLabel(pc) else { return }
    builder.label(pc: pc)
    forgetFlags()
    floatOrder = nil
    doubles = InlineArray(repeating: .none)
    forgetAlignedBases()
  }
}
