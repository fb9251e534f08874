// Owns the translation loop: fetch, decode, translate, until the block ends.

import GuestKit
import IR

extension ARMGuest {
  /// Blocks grow no longer than this, whatever is asked for.
  static let blockLimit = 64

  /// Translates an extended basic block: on through branches that fall through, up to the first unconditional jump,
  /// exception, change of state or end of the page.
  ///
  /// An odd PC stands for one that a branch with bit 0 clear led to: executing there faults, as the T bit is clear.
  public func translate(_ request: TranslationRequest, into builder: inout Builder) {
    var translator = Translator(
      Builder(pc: request.pc, reserving: 0), guest: self, flags: request.flags, pc: request.pc)
    // Swapped, not copied: the arrays stay uniquely referenced.
    swap(&translator.builder, &builder)
    if request.pc & 1 == 0 {
      translate(request, with: &translator)
    } else {
      translator.begin(pc: request.pc, length: 1)
      translator.raise(.usageFault, .invalidState)
    }
    swap(&translator.builder, &builder)
  }

  private func translate(_ request: TranslationRequest, with translator: inout Translator) {
    let limit = min(max(request.maximumInstructions, 1), Self.blockLimit)
    var offset = 0
    let stops = request.stopBefore
    var nextStop = 0
    for number in 0..<limit {
      let pc = (request.pc &+ UInt64(offset)) & 0xFFFF_FFFF
      if number > 0 {
        while nextStop < stops.count, stops[nextStop] < pc { nextStop += 1 }
        if offset >= request.code.count || nextStop < stops.count && stops[nextStop] == pc {
          return translator.stop(before: pc)
        }
      }
      guard let (encoding, length) = fetch(request.code, offset, first: number == 0, &translator, pc) else { return }
      translator.begin(pc: pc, length: length)
      if let instruction = decoder.decode(encoding, length: length) {
        decoder.translate(instruction, with: &translator)
      } else {
        translator.undefined()
      }
      if translator.builder.isTerminated { return }
      translator.finish()
      if translator.builder.isTerminated { return }
      offset += length
    }
    translator.stop(before: translator.nextPC)
  }

  /// The encoding at `offset`, the first halfword of a long one high, and its length. An instruction that reaches into
  /// the next page is only taken at the start of a block; nil when the block has been ended instead.
  private func fetch(
    _ code: CodeBytes, _ offset: Int, first: Bool, _ translator: inout Translator, _ pc: UInt64
  ) -> (UInt32, Int)? {
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
