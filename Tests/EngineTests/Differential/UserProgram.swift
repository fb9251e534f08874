// Owns the instructions that make a batch a Linux user-mode program: they load the registers of each case from a
// table and store what it leaves to another, which the program writes to its standard output at its end.

/// Tables: one record per case, of x0–x31, f0–f31 and fcsr in 8 bytes each; in the output table the number of the signal
/// that ended the case, or 0, and the scratch memory follow.
struct UserProgram {
  static let initialSize = 65 * 8
  static let outputSize = initialSize + 8 + Place.scratchSize
  /// Where the program keeps the end of the current case, then the signal that came; behind it the handler's stack.
  static let control = Place.scratch & ~0xFFF
  static let controlSize = 0x8000
  /// After the initial content of the scratch memory: the descriptions of the signal handler and of its stack.
  static let action = memory + UInt64(Place.scratchSize)
  /// Where the initial content of the scratch memory is: before the table of registers.
  static let memory = Place.initial
  static let initial = action + 64

  let xlen: Int

  private func load(_ d: Int, _ s: Int, _ offset: Int) -> UInt32 {
    Assembler.immediate(0x03, xlen == 64 ? 3 : 2, d, s, offset)
  }
  private func save(_ t: Int, _ s: Int, _ offset: Int) -> UInt32 {
    Assembler.store(0x23, xlen == 64 ? 3 : 2, t, s, offset)
  }
  private func add(_ d: Int, _ s: Int, _ value: Int) -> UInt32 { Assembler.immediate(0x13, 0, d, s, value) }

  /// Installs the signal handler, sets the scratch memory up, and jumps over the routine that each case ends with: a0 is
  /// its output record.
  var start: [UInt32] {
    let routines = finish + handler
    var code = [Assembler.jump(0, 4 * routines.count + 4)] + routines
    code += Assembler.address(10, Self.action + 32) + [add(11, 0, 0), add(17, 0, 132), Assembler.ecall]
    for signal in Self.signals {
      code += [add(10, 0, signal)] + Assembler.address(11, Self.action)
      code += [add(12, 0, 0), add(13, 0, 8), add(17, 0, 134), Assembler.ecall]
    }
    code += Assembler.address(10, Place.output)
    // Its first copy goes to the first record, which is overwritten later.
    return code + [Assembler.jump(1, Int(routine) - Int(Place.code) - 4 * code.count)]
  }

  private static let signals = [4, 7, 11]

  /// The signal that an exception of this cause becomes; 0 for the breakpoint behind a case.
  static func signal(cause: UInt64) -> UInt64 {
    switch cause {
    case 2: 4
    case 0, 4, 6: 7
    case 3: 0
    default: 11
    }
  }

  /// `struct sigaction` (handler, flags: information, own stack; no mask), then in 32 bytes `stack_t`.
  var actionBytes: [UInt8] {
    func bytes(_ value: UInt64) -> [UInt8] {
      (0..<UInt64(xlen / 8)).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    let handler = routine + UInt64(4 * finish.count)
    let action = bytes(handler) + bytes(0x0800_0004)
    let stack = bytes(Self.control + 0x3000) + bytes(0) + bytes(0x5000)
    return [action, stack].flatMap { $0 + [UInt8](repeating: 0, count: 32 - $0.count) }
  }

  /// The address of `finish` in the image.
  private let routine = Place.code + 4

  /// Goes on at the end of the case: puts it in the program counter of the context (Linux, `struct ucontext`).
  private var handler: [UInt32] {
    Assembler.address(5, Self.control) + [
      load(6, 5, 0), save(6, 12, xlen == 64 ? 176 : 160), save(10, 5, 8), Assembler.immediate(0x67, 0, 0, 1, 0),
    ]
  }

  private var finish: [UInt32] {
    let step = xlen / 8
    // sc.w x5, x0, (a0): there is no reservation after it.
    var code: [UInt32] = [0x1805_22AF, Assembler.immediate(0x73, 2, 5, 0, 3), save(5, 10, 512)]
    code += Assembler.address(11, Self.control) + [load(5, 11, 8), save(0, 11, 8), save(5, 10, 520)]
    code += Assembler.address(11, Place.scratch) + Assembler.address(12, Self.memory)
    code += [add(10, 10, Self.initialSize + 8), add(13, 11, Place.scratchSize)]
    let loop = [
      load(5, 11, 0), save(5, 10, 0), load(5, 12, 0), save(5, 11, 0), add(10, 10, step), add(11, 11, step),
      add(12, 12, step),
    ]
    code += loop + [Assembler.branchNotEqual(11, 13, -4 * loop.count)]
    return code + [Assembler.immediate(0x67, 0, 0, 1, 0)]
  }

  /// `reserved` holds the address of the output record while the case runs; the record's own address differs from case
  /// to case, but the register has one value: it points to the first.
  func prologue(_ number: Int, reserved: Int, end: UInt64) -> [UInt32] {
    var code = Assembler.address(5, Self.control) + Assembler.address(6, end) + [save(6, 5, 0)]
    code += Assembler.address(reserved, Self.initial + UInt64(number * Self.initialSize))
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
