// Owns how the translation loop finds and translates one Arm instruction.

import GuestKit
import IR

extension ARMGuest {
  /// An odd PC stands for one that a branch with bit 0 clear led to: executing there faults, as the T bit is clear.
  public func translate(_ request: borrowing TranslationRequest, into builder: inout Builder) {
    var translator = Translator(builder, guest: self, flags: request.flags, pc: request.pc)
    translator.maySkipITBlocks = request.maximumInstructions > 1
    if request.pc & 1 == 0 {
      translator.translateBlock(request, for: self)
    } else {
      translator.begin(pc: request.pc, length: 1)
      translator.raise(.usageFault, .invalidState)
    }
    builder = translator.takeBuilder()
  }
}

extension Translator: BlockTranslator {
  @inline(__always) public var hasEnded: Bool { builder.isTerminated }

  @inline(__always) public func leads(to pc: UInt64) -> Bool { builder.targets.contains(pc) }

  @inline(__always) public func address(_ value: UInt64) -> UInt64 { value & 0xFFFF_FFFF }

  /// The encoding, the first halfword of a long one high.
  @inline(__always)
  public func decode(_ code: CodeBytes, _ offset: Int, for guest: ARMGuest) -> Decoding<UInt32> {
    guard offset &+ 2 <= code.count else { return .incomplete(2) }
    let half = UInt32(code.load(offset, as: UInt16.self))
    if half < 0xE800 { return .instruction(half, length: 2) }
    guard offset &+ 4 <= code.count else { return .incomplete(4) }
    return .instruction(half << 16 | UInt32(code.load(offset &+ 2, as: UInt16.self)), length: 4)
  }

  @inline(__always)
  public mutating func translate(
    _ encoding: UInt32, _ offset: Int, of request: borrowing TranslationRequest, for guest: ARMGuest
  ) {
    if let instruction = guest.decoder.decode(encoding, length: length) {
      guest.decoder.translate(instruction, with: &self)
    } else {
      undefined()
    }
    if let state = beginsITBlock, maySkipITBlocks {
      endOfITBlock = end(ofITBlock: state, from: offset + length, request)
    }
    finish()
  }

  /// Where the IT block ends that begins at `offset` with ITSTATE `state`; nil if that is out of reach, or a breakpoint in
  /// between.
  private func end(ofITBlock state: UInt8, from offset: Int, _ request: borrowing TranslationRequest) -> UInt64? {
    var end = offset
    for _ in 0...Self.remaining(state) {
      guard end + 2 <= request.code.count else { return nil }
      end += request.code.load(end, as: UInt16.self) < 0xE800 ? 2 : 4
    }
    guard end < request.code.count else { return nil }
    let pcs = (request.pc &+ UInt64(offset))..<(request.pc &+ UInt64(end))
    return request.stopBefore.contains(where: pcs.contains) ? nil : pcs.upperBound & 0xFFFF_FFFF
  }

  public func reachesSystem(_ encoding: UInt32) -> Bool {
    SpecialAccess(encoding, length: encoding >> 16 == 0 ? 2 : 4) != nil
  }

  public mutating func holdBack() { builder.exit(with: .step, pc: pc, executed: false) }

  /// No entry is within an IT block, where its flags would be others.
  public func mayLabel(_ pc: UInt64) -> Bool { !inITBlock && flags.itState == 0 && !inner.contains(pc) }

  public mutating func label(pc: UInt64) {
    builder.label(pc: pc)
    forgetFlags()
    floatOrder = nil
    doubles = InlineArray(repeating: .none)
    forgetAlignedBases()
  }
}
