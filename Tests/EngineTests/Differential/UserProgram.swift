// Owns the instructions that make a batch a Linux user-mode program: they load the registers of each case from a
// table and store what it leaves to another, which the program writes to its standard output at its end.

/// Tables: one record per case, of x0–x31, f0–f31 and fcsr in 8 bytes each; in the output table the scratch memory
/// follows.
struct UserProgram {
  static let initialSize = 65 * 8
  static let outputSize = initialSize + Place.scratchSize
  /// Where the initial content of the scratch memory is: before the table of registers.
  static let memory = Place.initial
  static let initial = Place.initial + UInt64(Place.scratchSize)

  let xlen: Int

  private func load(_ d: Int, _ s: Int, _ offset: Int) -> UInt32 {
    Assembler.immediate(0x03, xlen == 64 ? 3 : 2, d, s, offset)
  }
  private func save(_ t: Int, _ s: Int, _ offset: Int) -> UInt32 {
    Assembler.store(0x23, xlen == 64 ? 3 : 2, t, s, offset)
  }
  private func add(_ d: Int, _ s: Int, _ value: Int) -> UInt32 { Assembler.immediate(0x13, 0, d, s, value) }

  /// Sets the scratch memory up, and jumps over the routine that each case ends with: a0 is its output record.
  var start: [UInt32] {
    let routine = finish
    // Its first copy goes to the first record, which is overwritten later.
    let setup = Assembler.address(10, Place.output) + [Assembler.jump(1, 8), Assembler.jump(0, 4 * routine.count + 4)]
    return setup + routine
  }

  /// The address of `finish` in the image.
  private let routine = Place.code + 16

  private var finish: [UInt32] {
    let step = xlen / 8
    // sc.w x5, x0, (a0): there is no reservation after it.
    var code: [UInt32] = [0x1805_22AF, Assembler.immediate(0x73, 2, 5, 0, 3), save(5, 10, 512)]
    if xlen == 32 { code.append(save(0, 10, 516)) }
    code += Assembler.address(11, Place.scratch) + Assembler.address(12, Self.memory)
    code += [add(10, 10, Self.initialSize), add(13, 11, Place.scratchSize)]
    let loop = [
      load(5, 11, 0), save(5, 10, 0), load(5, 12, 0), save(5, 11, 0), add(10, 10, step), add(11, 11, step),
      add(12, 12, step),
    ]
    code += loop + [Assembler.branchNotEqual(11, 13, -4 * loop.count)]
    return code + [Assembler.immediate(0x67, 0, 0, 1, 0)]
  }

  /// `reserved` holds the address of the output record while the case runs; the record's own address differs from case
  /// to case, but the register has one value: it points to the first.
  func prologue(_ number: Int, reserved: Int) -> [UInt32] {
    var code = Assembler.address(reserved, Self.initial + UInt64(number * Self.initialSize))
    let free = reserved == 5 ? 6 : 5
    code += [load(free, reserved, 512), Assembler.immediate(0x73, 1, 0, free, 3)]
    code += (0..<32).map { Assembler.immediate(0x07, 3, $0, reserved, 256 + 8 * $0) }
    code += (1..<32).filter { $0 != reserved }.map { load($0, reserved, 8 * $0) }
    return code + Assembler.address(reserved, Place.output)
  }

  func epilogue(number: Int, reserved: Int, at pc: UInt64) -> [UInt32] {
    var code = Assembler.address(reserved, Place.output + UInt64(number * Self.outputSize))
    code += (0..<32).map { save($0, reserved, 8 * $0) }
    code += (0..<32).map { Assembler.store(0x27, 3, $0, reserved, 256 + 8 * $0) }
    code.append(add(10, reserved, 0))
    let here = pc + UInt64(4 * code.count)
    return code + [Assembler.jump(1, Int(routine) - Int(here))]
  }

  /// write(1, the output table), exit(0)
  func end(_ count: Int) -> [UInt32] {
    var code = [add(10, 0, 1)] + Assembler.address(11, Place.output)
    code += Assembler.address(12, UInt64(count * Self.outputSize)) + [add(17, 0, 64), Assembler.ecall]
    return code + [add(10, 0, 0), add(17, 0, 93), Assembler.ecall]
  }
}
