// Everything the assembler can emit, over many operands, each with the text a disassembler should show for it.

import HostX86_64

/// One instruction: how it is assembled and how it should read.
struct Instruction {
  let text: String
  /// Number of low bits in which immediates are compared.
  let bits: Int
  let emit: (inout Assembler) -> Void

  init(_ text: String, bits: Int = 64, _ emit: @escaping (inout Assembler) -> Void) {
    self.text = text
    self.bits = bits
    self.emit = emit
  }
}

/// A memory operand and its text without a size.
struct Operand {
  let text: String
  let memory: Memory
}

extension Register {
  func name(_ width: Width) -> String {
    let name = "\(self)"
    if rawValue >= 8 { return name + ["b", "w", "d", ""][Int(width.rawValue)] }
    let stem = name.dropFirst()
    switch width {
    case .qword: return name
    case .dword: return "e" + stem
    case .word: return String(stem)
    case .byte: return rawValue < 4 ? String(stem.prefix(1)) + "l" : stem + "l"
    }
  }
}

let words: [Width] = [.word, .dword, .qword]
let wide: [Width] = [.dword, .qword]
/// Registers whose numbers are special somewhere, and some that are not.
let sampleRegisters: [Register] = [.rax, .rcx, .rsp, .rbp, .rsi, .r8, .r12, .r13, .r15]
let sampleVectors: [VectorRegister] = [.xmm0, .xmm5, .xmm7, .xmm8, .xmm15]
let displacements: [Int32] = [0, 1, -1, 127, -128, 128, -129, 0x1234_5678, .max, .min]

let sampleOperands: [Operand] = [
  .init(text: "[rax]", memory: .init(.rax)),
  .init(text: "[rbp]", memory: .init(.rbp)),
  .init(text: "[r13]", memory: .init(.r13)),
  .init(text: "[rsp + 8]", memory: .init(.rsp, 8)),
  .init(text: "[r12 - 300]", memory: .init(.r12, -300)),
  .init(text: "[rbx + r14*8 + 16]", memory: .init(.rbx, .r14, .x8, 16)),
  .init(text: "[r9 + rcx]", memory: .init(.r9, .rcx)),
  .init(text: "[rsi*4 - 8]", memory: .init(index: .rsi, .x4, -8)),
  .init(text: "gs:[rdx]", memory: .init(.rdx).inGS),
  .init(text: "gs:[r10d + 4]", memory: .init(.r10, 4).wrapping32.inGS),
  .init(text: "gs:[eax]", memory: .init(.rax).wrapping32.inGS),
  .init(text: "gs:[0x1000]", memory: .init(absolute: 0x1000).inGS),
]

/// Every addressing form with every register.
func addressForms() -> [Operand] {
  var forms: [Operand] = []
  for displacement in displacements {
    forms.append(.init(text: "[\(displacement)]", memory: .init(absolute: displacement)))
    for base in Register.allCases {
      forms.append(.init(text: "[\(base) + \(displacement)]", memory: .init(base, displacement)))
    }
    for scale in Scale.allCases {
      let factor = 1 << Int(scale.rawValue)
      for index in Register.allCases where index != .rsp {
        forms.append(
          .init(text: "[\(index)*\(factor) + \(displacement)]", memory: .init(index: index, scale, displacement)))
        guard displacement == 0 || displacement == 1 || displacement == 128 else { continue }
        for base in Register.allCases {
          forms.append(
            .init(
              text: "[\(base) + \(index)*\(factor) + \(displacement)]",
              memory: .init(base, index, scale, displacement)))
        }
      }
    }
  }
  return forms
}

func pairs<A, B>(_ a: [A], _ b: [B]) -> [(A, B)] { a.flatMap { x in b.map { (x, $0) } } }

func addressing() -> [Instruction] {
  addressForms().flatMap { form in
    [
      Instruction("mov r9, qword ptr \(form.text)") { $0.load(.qword, .r9, form.memory) },
      Instruction("mov dword ptr gs:\(form.text), ebx") { $0.store(.dword, form.memory.inGS, .rbx) },
      Instruction("lea rdi, \(form.text)") { $0.lea(.qword, .rdi, form.memory) },
    ]
  }
}

func immediates(_ width: Width) -> [Int32] {
  switch width {
  case .byte: [0, 1, -1, 127, -128]
  case .word: [0, 1, -1, 127, -128, 128, 0x7FFF, -0x8000]
  case .dword, .qword: [0, 1, -1, 127, -128, 128, -129, 0x7FFF_FFFF, .min]
  }
}

func arithmetic() -> [Instruction] {
  var list: [Instruction] = []
  for width in Width.allCases {
    let size = "\(width) ptr"
    for op in Arithmetic.allCases {
      for (a, b) in pairs(Register.allCases, Register.allCases) {
        list.append(.init("\(op) \(a.name(width)), \(b.name(width))") { $0.alu(op, width, a, b) })
      }
      for (a, value) in pairs(Register.allCases, immediates(width)) {
        list.append(.init("\(op) \(a.name(width)), \(value)", bits: width.bits) { $0.alu(op, width, a, value) })
      }
      for (a, m) in pairs(sampleRegisters, sampleOperands) {
        list.append(.init("\(op) \(a.name(width)), \(size) \(m.text)") { $0.alu(op, width, a, m.memory) })
        list.append(.init("\(op) \(size) \(m.text), \(a.name(width))") { $0.alu(op, width, m.memory, a) })
        if op != .cmp {
          list.append(
            .init("lock \(op) \(size) \(m.text), \(a.name(width))") { $0.lockAlu(op, width, m.memory, a) })
        }
      }
      for (a, m) in pairs(sampleRegisters, sampleOperands) where width != .byte {
        list.append(.init("movbe \(a.name(width)), \(size) \(m.text)") { $0.loadReversed(width, a, m.memory) })
        list.append(.init("movbe \(size) \(m.text), \(a.name(width))") { $0.storeReversed(width, m.memory, a) })
      }
      for (m, value) in pairs(sampleOperands, immediates(width)) {
        list.append(
          .init("\(op) \(size) \(m.text), \(value)", bits: width.bits) { $0.alu(op, width, m.memory, value) })
        if op != .cmp {
          list.append(
            .init("lock \(op) \(size) \(m.text), \(value)", bits: width.bits) {
              $0.lockAlu(op, width, m.memory, value)
            })
        }
      }
    }
    for (a, b) in pairs(sampleRegisters, sampleRegisters) {
      list.append(.init("test \(a.name(width)), \(b.name(width))") { $0.test(width, a, b) })
    }
    for (a, value) in pairs(Register.allCases, immediates(width)) {
      list.append(.init("test \(a.name(width)), \(value)", bits: width.bits) { $0.test(width, a, value) })
    }
    for m in sampleOperands {
      list.append(.init("test \(size) \(m.text), \(Register.rsi.name(width))") { $0.test(width, m.memory, .rsi) })
      list.append(.init("inc \(size) \(m.text)") { $0.inc(width, m.memory) })
    }
    for a in Register.allCases {
      for op in Unary.allCases {
        list.append(.init("\(op) \(a.name(width))") { $0.unary(op, width, a) })
      }
    }
  }
  for width in words {
    for (a, b) in pairs(sampleRegisters, sampleRegisters) {
      list.append(.init("imul \(a.name(width)), \(b.name(width))") { $0.imul(width, a, b) })
      for value in immediates(width) {
        list.append(
          .init("imul \(a.name(width)), \(b.name(width)), \(value)", bits: width.bits) {
            $0.imul(width, a, b, value)
          })
      }
    }
    for (a, m) in pairs(sampleRegisters, sampleOperands) {
      list.append(.init("imul \(a.name(width)), \(width) ptr \(m.text)") { $0.imul(width, a, m.memory) })
    }
  }
  list.append(.init("cwd") { $0.signIntoRDX(.word) })
  list.append(.init("cdq") { $0.signIntoRDX(.dword) })
  list.append(.init("cqo") { $0.signIntoRDX(.qword) })
  return list
}

func moves() -> [Instruction] {
  var list: [Instruction] = []
  for width in Width.allCases {
    let size = "\(width) ptr"
    for (a, b) in pairs(Register.allCases, Register.allCases) {
      list.append(.init("mov \(a.name(width)), \(b.name(width))") { $0.mov(width, a, b) })
    }
    for (a, m) in pairs(Register.allCases, sampleOperands) {
      list.append(.init("mov \(a.name(width)), \(size) \(m.text)") { $0.load(width, a, m.memory) })
      list.append(.init("mov \(size) \(m.text), \(a.name(width))") { $0.store(width, m.memory, a) })
      list.append(.init("xchg \(size) \(m.text), \(a.name(width))") { $0.xchg(width, m.memory, a) })
      list.append(.init("lock cmpxchg \(size) \(m.text), \(a.name(width))") { $0.lockCmpxchg(width, m.memory, a) })
      list.append(.init("lock xadd \(size) \(m.text), \(a.name(width))") { $0.lockXadd(width, m.memory, a) })
    }
    for (m, value) in pairs(sampleOperands, immediates(width)) {
      list.append(.init("mov \(size) \(m.text), \(value)", bits: width.bits) { $0.store(width, m.memory, value) })
    }
  }
  for a in Register.allCases {
    for value in [0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF] as [Int64] {
      list.append(.init("mov \(a.name(.dword)), \(value)", bits: 32) { $0.mov(a, value) })
    }
    for value in [-1, -128, -0x8000_0000] as [Int64] {
      list.append(.init("mov \(a), \(value)") { $0.mov(a, value) })
    }
    for value in [0x1_0000_0000, -0x8000_0001, .max, .min] as [Int64] {
      list.append(.init("movabs \(a), \(value)") { $0.mov(a, value) })
    }
    list.append(.init("xor \(a.name(.dword)), \(a.name(.dword))") { $0.zero(a) })
    list.append(.init("push \(a)") { $0.push(a) })
    list.append(.init("pop \(a)") { $0.pop(a) })
    for width in wide { list.append(.init("bswap \(a.name(width))") { $0.bswap(width, a) }) }
  }
  list.append(.init("push 5") { $0.push(5) })
  list.append(.init("push -1") { $0.push(-1) })
  for from in [Width.byte, .word] {
    for (a, b) in pairs(Register.allCases, Register.allCases) {
      list.append(.init("movzx \(a.name(.dword)), \(b.name(from))") { $0.movzx(from: from, a, b) })
      for to in wide {
        list.append(.init("movsx \(a.name(to)), \(b.name(from))") { $0.movsx(from: from, to: to, a, b) })
      }
    }
    for (a, m) in pairs(sampleRegisters, sampleOperands) {
      list.append(.init("movzx \(a.name(.dword)), \(from) ptr \(m.text)") { $0.movzx(from: from, a, m.memory) })
      for to in wide {
        list.append(.init("movsx \(a.name(to)), \(from) ptr \(m.text)") { $0.movsx(from: from, to: to, a, m.memory) })
      }
    }
  }
  for (a, b) in pairs(sampleRegisters, sampleRegisters) {
    list.append(.init("movsxd \(a), \(b.name(.dword))") { $0.movsx(from: .dword, to: .qword, a, b) })
    list.append(.init("mov \(a.name(.dword)), \(b.name(.dword))") { $0.movzx(from: .dword, a, b) })
  }
  for (a, m) in pairs(sampleRegisters, sampleOperands) {
    list.append(.init("movsxd \(a), dword ptr \(m.text)") { $0.movsx(from: .dword, to: .qword, a, m.memory) })
    list.append(.init("mov \(a.name(.dword)), dword ptr \(m.text)") { $0.movzx(from: .dword, a, m.memory) })
  }
  for m in sampleOperands where !m.text.contains("gs") {
    for width in words {
      list.append(.init("lea \(Register.r11.name(width)), \(m.text)") { $0.lea(width, .r11, m.memory) })
    }
  }
  return list
}

func bits() -> [Instruction] {
  var list: [Instruction] = []
  for width in Width.allCases {
    for op in Shift.allCases {
      for a in Register.allCases {
        for count in [1, 2, 7, 31] as [UInt8] {
          list.append(.init("\(op) \(a.name(width)), \(count)") { $0.shift(op, width, a, by: count) })
        }
        list.append(.init("\(op) \(a.name(width)), cl") { $0.shiftByCL(op, width, a) })
      }
    }
  }
  for width in words {
    for (a, b) in pairs(sampleRegisters, sampleRegisters) {
      for op in BitCount.allCases {
        list.append(.init("\(op) \(a.name(width)), \(b.name(width))") { $0.count(op, width, a, b) })
      }
    }
    for op in BitTest.allCases {
      for a in Register.allCases { list.append(.init("\(op) \(a.name(width)), 9") { $0.bit(op, width, a, 9) }) }
    }
  }
  return list
}

func bmi() -> [Instruction] {
  var list: [Instruction] = []
  for width in wide {
    for a in sampleRegisters {
      for (b, c) in pairs(sampleRegisters, sampleRegisters) {
        let three = "\(a.name(width)), \(b.name(width)), \(c.name(width))"
        for op in ControlledShift.allCases {
          list.append(.init("\(op) \(three)") { $0.shiftX(op, width, a, b, by: c) })
        }
        list.append(.init("andn \(three)") { $0.andn(width, a, b, c) })
      }
      for b in sampleRegisters {
        list.append(.init("rorx \(a.name(width)), \(b.name(width)), 13") { $0.rorx(width, a, b, by: 13) })
      }
    }
  }
  return list
}

func control() -> [Instruction] {
  var list: [Instruction] = []
  for op in Plain.allCases { list.append(.init("\(op)") { $0.plain(op) }) }
  for a in Register.allCases {
    list.append(.init("jmp \(a)") { $0.jmp(a) })
    list.append(.init("call \(a)") { $0.call(a) })
  }
  for m in sampleOperands {
    list.append(.init("jmp qword ptr \(m.text)") { $0.jmp(m.memory) })
    list.append(.init("lock cmpxchg16b xmmword ptr \(m.text)") { $0.lockCmpxchg16b(m.memory) })
  }
  for condition in ConditionCode.allCases {
    for a in Register.allCases {
      list.append(.init("set\(condition) \(a.name(.byte))") { $0.setcc(condition, a) })
    }
    for width in words {
      for (a, b) in pairs(sampleRegisters, sampleRegisters) {
        list.append(
          .init("cmov\(condition) \(a.name(width)), \(b.name(width))") { $0.cmovcc(condition, width, a, b) })
      }
      for (a, m) in pairs(sampleRegisters, sampleOperands) {
        list.append(
          .init("cmov\(condition) \(a.name(width)), \(width) ptr \(m.text)") {
            $0.cmovcc(condition, width, a, m.memory)
          })
      }
    }
  }
  let nops = [
    "nop", "xchg ax, ax", "nop dword ptr [rax]", "nop dword ptr [rax]", "nop dword ptr [rax + rax]",
    "nop word ptr [rax + rax]", "nop dword ptr [rax]", "nop dword ptr [rax + rax]", "nop word ptr [rax + rax]",
  ]
  for (index, text) in nops.enumerated() { list.append(.init(text) { $0.nop(index + 1) }) }
  return list
}

func vectors() -> [Instruction] {
  var list: [Instruction] = []
  for (a, b) in pairs(sampleVectors, sampleVectors) {
    for op in VectorOp.allCases { list.append(.init("\(op) \(a), \(b)") { $0.vector(op, a, b) }) }
    for op in VectorOpImmediate.allCases {
      list.append(.init(immediateForm("\(op)", "\(a), \(b)", 1)) { $0.vector(op, a, b, 1) })
    }
    for op in FusedOp.allCases {
      for c in sampleVectors {
        list.append(.init("\(op)sd \(a), \(b), \(c)") { $0.fused(op, isDouble: true, a, b, c) })
        list.append(.init("\(op)ss \(a), \(b), \(c)") { $0.fused(op, isDouble: false, a, b, c) })
      }
    }
  }
  for a in sampleVectors {
    for op in VectorShift.allCases { list.append(.init("\(op) \(a), 5") { $0.vector(op, a, by: 5) }) }
  }
  for (a, m) in pairs(sampleVectors, sampleOperands) {
    for op in VectorOp.allCases { list.append(.init("\(op) \(a), \(m.text)") { $0.vector(op, a, m.memory) }) }
    for op in VectorOpImmediate.allCases {
      list.append(.init(immediateForm("\(op)", "\(a), \(m.text)", 1)) { $0.vector(op, a, m.memory, 1) })
    }
    for op in VectorStore.allCases {
      list.append(.init("\(op) \(m.text), \(a)") { $0.vectorStore(op, m.memory, a) })
    }
    for op in FusedOp.allCases {
      list.append(.init("\(op)sd \(a), xmm9, \(m.text)") { $0.fused(op, isDouble: true, a, .xmm9, m.memory) })
      list.append(.init("\(op)ss \(a), xmm9, \(m.text)") { $0.fused(op, isDouble: false, a, .xmm9, m.memory) })
    }
    for width in wide {
      for op in ConvertFromInteger.allCases {
        list.append(.init("\(op) \(a), \(width) ptr \(m.text)") { $0.convert(op, width, a, m.memory) })
      }
    }
  }
  for (a, b) in pairs(sampleVectors, sampleRegisters) {
    for op in LaneInsert.allCases {
      list.append(.init("\(op) \(a), \(b.name(.dword)), 1") { $0.insert(op, a, b, lane: 1) })
    }
    list.append(.init("pinsrq \(a), \(b.name(.qword)), 1") { $0.insert(.pinsrd, a, b, lane: 1, width: .qword) })
    for op in LaneExtract.allCases {
      list.append(.init("\(op) \(b.name(.dword)), \(a), 1") { $0.extract(op, b, a, lane: 1) })
    }
    list.append(.init("pextrq \(b.name(.qword)), \(a), 1") { $0.extract(.pextrd, b, a, lane: 1, width: .qword) })
    for op in LaneMask.allCases { list.append(.init("\(op) \(b.name(.dword)), \(a)") { $0.mask(op, b, a) }) }
    for width in wide {
      let move = width == .dword ? "movd" : "movq"
      list.append(.init("\(move) \(a), \(b.name(width))") { $0.mov(width, a, b) })
      list.append(.init("\(move) \(b.name(width)), \(a)") { $0.mov(width, b, a) })
      for op in ConvertFromInteger.allCases {
        list.append(.init("\(op) \(a), \(b.name(width))") { $0.convert(op, width, a, b) })
      }
      for op in ConvertToInteger.allCases {
        list.append(.init("\(op) \(b.name(width)), \(a)") { $0.convert(op, width, b, a) })
      }
    }
  }
  for m in sampleOperands {
    list.append(.init("ldmxcsr dword ptr \(m.text)") { $0.ldmxcsr(m.memory) })
    list.append(.init("stmxcsr dword ptr \(m.text)") { $0.stmxcsr(m.memory) })
    for op in ConvertToInteger.allCases {
      list.append(.init("\(op) r9, \(m.text)") { $0.convert(op, .qword, .r9, m.memory) })
    }
  }
  return list
}

/// Compares are shown with the predicate in the mnemonic.
private func immediateForm(_ name: String, _ operands: String, _ value: Int) -> String {
  name.hasPrefix("cmp") ? "cmplt\(name.dropFirst(3)) \(operands)" : "\(name) \(operands), \(value)"
}
