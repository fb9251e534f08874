// Owns the code of many cases laid out in one image, which every executor runs at the same addresses.

import TestSupport

/// Cases with the memory they start from, laid out one after the other. A case's code is preceded by what a user-mode
/// program does before it, and followed by a word to stop at and by what that program does after it.
struct Batch {
  var cases: [RandomCase]
  /// What the scratch memory holds before each case.
  var memory: [UInt8]
  private(set) var image: [UInt8] = []
  /// Per case the PC of its first instruction, and of the word behind its last.
  private(set) var spans: [ClosedRange<UInt64>] = []

  init(_ cases: [RandomCase], seed: UInt64, xlen: Int) {
    self.cases = cases
    var random = SplitMix(seed: seed ^ 0xBA7C4)
    memory = (0..<Place.scratchSize / 8).flatMap { _ in
      let word = random.once(in: 2) ? HardValues.float(using: &random) : HardValues.integer(using: &random)
      return (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) }
    }
    let program = UserProgram(xlen: xlen)
    emit(program.start)
    for (number, one) in cases.enumerated() {
      let code = one.code
      let size = 4 * program.prologue(number, reserved: one.reserved, end: 0).count
      let start = pc + UInt64(size)
      emit(program.prologue(number, reserved: one.reserved, end: start + UInt64(code.count)))
      image += code
      spans.append(start...pc)
      emit([Assembler.ebreak])
      emit(program.epilogue(number: number, reserved: one.reserved, at: pc))
    }
    emit(program.end(cases.count))
  }

  private var pc: UInt64 { Place.code + UInt64(image.count) }

  private mutating func emit(_ words: [UInt32]) {
    for word in words { for byte in 0..<UInt32(4) { image.append(UInt8(truncatingIfNeeded: word >> (8 * byte))) } }
  }

  /// The image with another word behind each case.
  func image(endingWith word: UInt32) -> [UInt8] {
    var image = image
    for span in spans {
      for byte in 0..<4 {
        image[Int(span.upperBound - Place.code) + byte] = UInt8(truncatingIfNeeded: word >> (8 * UInt32(byte)))
      }
    }
    return image
  }
}
