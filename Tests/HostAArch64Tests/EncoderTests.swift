// The AArch64 assembler against LLVM: each instruction is read back as what was meant; and its labels and limits.

import Foundation
import HostAArch64
import TestSupport
import Testing

/// An instruction as it is asked for, and as LLVM writes it.
struct Instruction: Sendable {
  let text: String
  let emit: @Sendable (inout Assembler) -> Void

  init(_ text: String, _ emit: @escaping @Sendable (inout Assembler) -> Void) {
    self.text = text
    self.emit = emit
  }
}

/// Operands with all bits of their numbers, each in every place.
private let registers: [(Register, Register, Register)] = [(.x1, .x2, .x3), (.x10, .x21, .x15), (.x30, .x7, .x29)]

private func w(_ register: Register) -> String { "w\(register.rawValue)" }
private func x(_ register: Register) -> String { "x\(register.rawValue)" }

private func arithmetic() -> [Instruction] {
  registers.flatMap { (d, n, m) -> [Instruction] in
    [
      Instruction("add \(x(d)), \(x(n)), \(x(m))") { $0.add(d, n, m) },
      Instruction("add \(w(d)), \(w(n)), \(w(m))") { $0.add(d, n, m, wide: false) },
      Instruction("add \(x(d)), \(x(n)), \(x(m)), lsl #4") { $0.add(d, n, m, shift: 4) },
      Instruction("sub \(x(d)), \(x(n)), \(x(m))") { $0.sub(d, n, m) },
      Instruction("sub \(w(d)), \(w(n)), \(w(m))") { $0.sub(d, n, m, wide: false) },
      Instruction("add \(x(d)), \(x(n)), #4095") { $0.add(d, n, 4095) },
      Instruction("sub \(w(d)), \(w(n)), #1") { $0.add(d, n, -1, wide: false) },
      Instruction("subs \(x(d)), \(x(n)), #17") { $0.subs(d, n, 17) },
      Instruction("adds \(w(d)), \(w(n)), #17") { $0.subs(d, n, -17, wide: false) },
      Instruction("cmp \(x(n)), #0") { $0.subs(.zero, n, 0) },
      Instruction("cmp \(x(n)), \(x(m))") { $0.cmp(n, m, wide: true) },
      Instruction("cmp \(w(n)), \(w(m))") { $0.cmp(n, m, wide: false) },
      Instruction("and \(x(d)), \(x(n)), \(x(m))") { $0.logic(.and, d, n, m, wide: true) },
      Instruction("orr \(w(d)), \(w(n)), \(w(m))") { $0.logic(.orr, d, n, m, wide: false) },
      Instruction("eor \(x(d)), \(x(n)), \(x(m))") { $0.logic(.eor, d, n, m, wide: true) },
      Instruction("ands \(w(d)), \(w(n)), \(w(m))") { $0.logic(.ands, d, n, m, wide: false) },
      Instruction("lsl \(x(d)), \(x(n)), \(x(m))") { $0.shift(.lslv, d, n, by: m, wide: true) },
      Instruction("lsr \(w(d)), \(w(n)), \(w(m))") { $0.shift(.lsrv, d, n, by: m, wide: false) },
      Instruction("asr \(x(d)), \(x(n)), \(x(m))") { $0.shift(.asrv, d, n, by: m, wide: true) },
      Instruction("mov \(x(d)), \(x(n))") { $0.mov(d, n, wide: true) },
      Instruction("mov \(w(d)), wzr") { $0.mov(d, .zero, wide: false) },
      Instruction("sxtb \(w(d)), \(w(n))") { $0.extract(d, n, bits: 8, signed: true, wide: false) },
      Instruction("sxtw \(x(d)), \(w(n))") { $0.extract(d, n, bits: 32, signed: true, wide: true) },
      Instruction("sbfx \(x(d)), \(x(n)), #0, #1") { $0.extract(d, n, bits: 1, signed: true, wide: true) },
      Instruction("uxth \(w(d)), \(w(n))") { $0.extract(d, n, bits: 16, signed: false, wide: false) },
      Instruction("ubfx \(w(d)), \(w(n)), #0, #1") { $0.extract(d, n, bits: 1, signed: false, wide: false) },
      Instruction("ubfx \(x(d)), \(x(n)), #1, #12") { $0.ubfx(d, n, shift: 1, bits: 12) },
      Instruction("tst \(w(n)), #0x1") { $0.testLowest(n) },
    ]
  }
    + ConditionCode.allCases.map { condition in
      Instruction("cset w9, \(condition)") { $0.cset(.x9, condition) }
    }
}

private func constants() -> [Instruction] {
  [
    Instruction("mov x3, #0") { $0.mov(.x3, 0) },
    Instruction("mov x3, #-1") { $0.mov(.x3, -1) },
    Instruction("mov x30, #4660") { $0.mov(.x30, 0x1234) },
    Instruction("mov x3, #-4661") { $0.mov(.x3, ~0x1234) },
    Instruction("mov x3, #-65536; movk x3, #32768, lsl #16") { $0.mov(.x3, Int64(Int32.min)) },
    Instruction("mov x3, #4660; movk x3, #22136, lsl #48") { $0.mov(.x3, 0x5678_0000_0000_1234) },
    Instruction("mov x3, #1; movk x3, #2, lsl #16; movk x3, #3, lsl #32; movk x3, #4, lsl #48") {
      $0.mov(.x3, 0x0004_0003_0002_0001)
    },
    Instruction("mov x3, #-2; movk x3, #5, lsl #16") { $0.mov(.x3, Int64(bitPattern: 0xFFFF_FFFF_0005_FFFE)) },
  ]
}

private func transfers() -> [Instruction] {
  let names: [Transfer: String] = [
    .strb: "strb w", .ldrb: "ldrb w", .ldrsb: "ldrsb x", .strh: "strh w", .ldrh: "ldrh w", .ldrsh: "ldrsh x",
    .strw: "str w", .ldrw: "ldr w", .ldrsw: "ldrsw x", .str: "str x", .ldr: "ldr x",
  ]
  return Transfer.allCases.flatMap { kind -> [Instruction] in
    let name = names[kind]!
    return [
      Instruction("\(name)5, [x27, #64]") { $0.transfer(kind, .x5, .x27, 64) },
      Instruction("\(name)30, [sp]") { $0.transfer(kind, .x30, .sp, 0) },
      Instruction("\(name)5, [x25, x17]") { $0.transfer(kind, .x5, .x25, index: .x17, wide: true) },
      Instruction("\(name)5, [x25, w9, uxtw]") { $0.transfer(kind, .x5, .x25, index: .x9, wide: false) },
    ]
  } + [
    Instruction("stp x29, x30, [sp, #80]") { $0.pair(loads: false, .x29, .x30, 80) },
    Instruction("ldp x19, x20, [sp]") { $0.pair(loads: true, .x19, .x20, 0) },
    Instruction("ldr d7, [x27, #24]") { $0.transfer(VectorRegister(number: 7), .x27, 24, loads: true, bytes: 8) },
    Instruction("str s31, [sp, #4]") { $0.transfer(VectorRegister(number: 31), .sp, 4, loads: false, bytes: 4) },
    Instruction("str q9, [x27, #32]") { $0.transfer(VectorRegister(number: 9), .x27, 32, loads: false, bytes: 16) },
    Instruction("mov v1.16b, v30.16b") { $0.mov(VectorRegister(number: 1), VectorRegister(number: 30)) },
    Instruction("fmov d1, x30") { $0.fmov(VectorRegister(number: 1), .x30, wide: true) },
    Instruction("fmov w3, s29") { $0.fmov(.x3, VectorRegister(number: 29), wide: false) },
  ]
}

private func branches() -> [Instruction] {
  [
    Instruction("br x17") { $0.br(.x17) }, Instruction("ret") { $0.ret() }, Instruction("brk #0") { $0.brk() },
    Instruction("svc #0") { $0.svc() }, Instruction("nop") { $0.nop() },
    Instruction("b 0x0") { $0.b(toOffset: 0) }, Instruction("bl 0x8000") { $0.bl(toOffset: 0x8000) },
    Instruction("adr x16, 0x4") { $0.adr(.x16, offset: 4) },
  ]
    + ConditionCode.allCases.map { condition in
      Instruction("b.\(condition) 0x0; b 0x0") { assembler in
        let start = assembler.makeLabel()
        assembler.bind(start)
        assembler.b(condition, start)
        assembler.b(start)
      }
    }
}

@Suite struct EncoderTests {
  @Test(.enabled(if: Toolchain.hasDisassembler, "needs clang and llvm-objdump"))
  func llvmReadsWhatIsMeant() throws {
    for group in [arithmetic(), constants(), transfers()] { try check(group) }
  }

  /// Targets are addresses, so that each is looked at alone.
  @Test(.enabled(if: Toolchain.hasDisassembler, "needs clang and llvm-objdump"))
  func llvmFindsTheTargetsOfBranches() throws {
    for instruction in branches() { try check([instruction]) }
  }

  private func check(_ list: [Instruction]) throws {
    let listed = try listing(assemble { assembler in list.forEach { $0.emit(&assembler) } })
    let meant = list.flatMap { $0.text.split(separator: "; ").map { normal(String($0)) } }
    #expect(listed.count == meant.count)
    for (listed, meant) in zip(listed, meant) where listed != meant {
      Issue.record("assembled as \(listed) but meant \(meant)")
    }
  }

  // MARK: Limits

  @Test func aFullBufferIsReported() {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 8, alignment: 8)
    defer { unsafe memory.deallocate() }
    var assembler = unsafe Assembler(memory, runningAt: 0)
    for _ in 0..<3 { assembler.nop() }
    #expect(assembler.failure == .bufferFull && assembler.count == 8)
  }

  @Test func aBranchTooFarIsReported() {
    for distance in [1 << 20 - 4, 1 << 20] {
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: distance + 8, alignment: 8)
      defer { unsafe memory.deallocate() }
      var assembler = unsafe Assembler(memory, runningAt: 0)
      let label = assembler.makeLabel()
      assembler.b(.eq, label)
      while assembler.count < distance { assembler.nop() }
      assembler.bind(label)
      assembler.resolveLabels()
      #expect((assembler.failure == .outOfReach) == (distance == 1 << 20))
    }
  }

  // MARK: The oracle

  private func assemble(_ body: (inout Assembler) -> Void) -> [UInt32] {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 14, alignment: 8)
    defer { unsafe memory.deallocate() }
    var assembler = unsafe Assembler(memory, runningAt: 0)
    body(&assembler)
    assembler.resolveLabels()
    #expect(assembler.failure == .none)
    return stride(from: 0, to: assembler.count, by: 4).map {
      unsafe UInt32(littleEndian: memory.load(fromByteOffset: $0, as: UInt32.self))
    }
  }

  private func listing(_ words: [UInt32]) throws -> [String] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let source = folder.appending(path: "all.s"), object = folder.appending(path: "all.o")
    let text = words.map { ".inst 0x\(String($0, radix: 16))\n" }.joined()
    try text.write(to: source, atomically: true, encoding: .utf8)
    _ = try Toolchain.run("clang", ["--target=aarch64-linux-gnu", "-c", source.path, "-o", object.path])
    return try Toolchain.run("llvm-objdump", ["-d", "--no-show-raw-insn", object.path]).split(separator: "\n")
      .filter { $0.hasPrefix(" ") }.compactMap {
        $0.split(separator: ":", maxSplits: 1).last.map { normal(String($0)) }
      }
  }

  /// Single blanks, decimal numbers, no symbols and comments.
  private func normal(_ text: String) -> String {
    let plain = text.split(separator: "//")[0].replacing(/\ <.*>/, with: "").replacing(/0x([0-9a-f]+)/) { match in
      UInt64(match.1, radix: 16).map { String($0) } ?? String(match.0)
    }
    return plain.split(whereSeparator: { $0 == " " || $0 == "\t" }).joined(separator: " ")
  }
}
