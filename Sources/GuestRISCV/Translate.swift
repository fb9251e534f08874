// Owns how the translation loop finds and translates one RISC-V instruction.

import GuestKit
import IR

extension RISCVGuest {
  public func translate(_ request: borrowing TranslationRequest, into builder: inout Builder) {
    var translator = Translator(builder, guest: self, flags: request.flags, pc: request.pc)
    translator.translateBlock(request, for: self)
    builder = translator.takeBuilder()
  }
}

extension Translator: BlockTranslator {
  @inline(__always) public var hasEnded: Bool { builder.isTerminated }

  @inline(__always) public func leads(to pc: UInt64) -> Bool { builder.targets.contains(pc) }

  @inline(__always)
  public func decode(_ code: CodeBytes, _ offset: Int, for guest: RISCVGuest) -> Decoding<UInt32> {
    if offset &+ 4 <= code.count {
      let encoding = code.load(offset, as: UInt32.self)
      return encoding & 3 == 3
        ? .instruction(encoding, length: 4) : .instruction(encoding & 0xFFFF, length: 2)
    }
    guard offset &+ 2 <= code.count else { return .incomplete(2) }
    let half = UInt32(code.load(offset, as: UInt16.self))
    return half & 3 == 3 ? .incomplete(4) : .instruction(half, length: 2)
  }

  @inline(__always)
  public mutating func begin(pc: UInt64, length: Int) {
    self.pc = pc
    self.length = length
    builder.instruction(pc: pc, length: length)
  }

  @inline(__always)
  public mutating func translate(
    _ encoding: UInt32, _ offset: Int, of request: borrowing TranslationRequest, for guest: RISCVGuest
  ) {
    if guest.semihosting, encoding == RISCVGuest.ebreak {
      isSemihostingCall = guest.isSemihostingCall(request.code, offset)
    }
    spinLength = Trail.mayClose(encoding) ? guest.spinLength(trail, encoding, length, pc) : 0
    trail.note(encoding, at: pc, length)
    if let instruction = guest.decoder.decode(encoding, length: length) {
      guest.decoder.translate(instruction, with: &self)
    } else {
      illegal(encoding)
    }
  }

  public mutating func label(pc: UInt64) {
    builder.label(pc: pc)
    farAddress.next = .max
    singles = InlineArray(repeating: .none)
  }

  public func reachesSystem(_ encoding: UInt32) -> Bool { RISCVGuest.reachesSystem(encoding) }

  public mutating func holdBack() { builder.exit(with: .step, pc: pc, executed: false) }

  public mutating func raise(_ exception: GuestException) { raise(exception.cause, value: exception.value) }
}
