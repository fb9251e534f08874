// Random blocks of IR that use every op in every type.

import IR
import TestSupport

struct RandomBlock: ~Copyable {
  var random: SplitMix
  var builder = Builder(pc: 0x1000)
  let registerType: Type
  private var byType: [Type: [ValueID]] = [:]
  private let types: [Type] = [.i1, .i8, .i16, .i32, .i64]

  init(seed: UInt64, registerType: Type, length: Int) {
    random = SplitMix(seed: seed)
    self.registerType = registerType
    for index in 0..<length {
      builder.instruction(pc: 0x1000 + UInt64(index) * 4, length: 4)
      for _ in 0..<Int.random(in: 1...4, using: &random) { step() }
    }
    end()
  }

  private mutating func interesting(_ type: Type) -> Int64 {
    switch Int.random(in: 0..<5, using: &random) {
    case 0: Int64.random(in: -2...2, using: &random)
    case 1: Int64.random(in: -130...130, using: &random)
    case 2:
      type == .i64
        ? Int64.random(in: .min ... .max, using: &random) : Int64(Int32.random(in: .min ... .max, using: &random))
    case 3: 1 << Int64.random(in: 0..<Int64(type.bits), using: &random)
    default: Int64(bitPattern: UInt64.max << UInt64(type.bits - 1))
    }
  }

  private mutating func value(_ type: Type) -> ValueID {
    let known = byType[type] ?? []
    let choice = Int.random(in: 0..<10, using: &random)
    if !known.isEmpty && choice < 6 {
      // Mostly recent values, now and then an old one.
      let recent = Bool.random(using: &random) ? known.suffix(3) : known[...]
      return recent.randomElement(using: &random)!
    }
    if choice < 8 {
      let register = builder.getRegister(Int.random(in: 0..<16, using: &random), registerType)
      note(register)
      if type == registerType { return register }
      let converted = builder.unary(type.bits < registerType.bits ? .truncate : .signExtend, register, to: type)
      return note(converted)
    }
    return note(builder.const(type, interesting(type)))
  }

  @discardableResult
  private mutating func note(_ value: ValueID) -> ValueID {
    byType[builder.block.type(of: value), default: []].append(value)
    return value
  }

  private mutating func address() -> (ValueID, Int64) {
    let type: Type = registerType
    switch Int.random(in: 0..<20, using: &random) {
    case 0: return (value(type), Int64.random(in: -8...8, using: &random))
    case 1:
      return (
        builder.const(type, 0x1000_0000 + Int64.random(in: 0..<0x800, using: &random)),
        Int64.random(in: 0..<64, using: &random)
      )
    case 2...4: return (builder.const(type, signExtended(0x8000_0100)), Int64.random(in: -200..<4096, using: &random))
    default:
      let offset = builder.binary(.and, value(type), builder.const(type, 0xFFFF))
      let base = builder.binary(.add, offset, builder.const(type, signExtended(0x8000_0000)))
      return (note(base), Int64.random(in: -40...100, using: &random))
    }
  }

  private func signExtended(_ address: Int64) -> Int64 {
    registerType == .i32 ? Int64(Int32(truncatingIfNeeded: address)) : address
  }

  private mutating func accessOf(_ type: Type) -> MemoryAccess {
    let sizes = [1, 2, 4, 8].filter { $0 <= type.bytes }
    let rare = Int.random(in: 0..<20, using: &random)
    return MemoryAccess(
      size: sizes.randomElement(using: &random)!, signed: Bool.random(using: &random), bigEndian: rare > 16,
      aligned: rare == 1 || rare == 2, space: rare == 3 ? .user : .current)
  }

  private mutating func step() {
    let type = types.dropFirst().randomElement(using: &random)!
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<35:
      let choices: [Opcode] = [
        .add, .add, .sub, .mul, .and, .or, .xor, .andNot, .shiftLeft, .shiftRight, .shiftRightArithmetic, .rotateLeft,
        .rotateRight, .divSigned, .divUnsigned, .remSigned, .remUnsigned,
      ]
      let (a, b) = (value(type), value(type))
      note(builder.binary(choices.randomElement(using: &random)!, a, b))
    case 35..<38:
      let wide: Type = Bool.random(using: &random) ? .i32 : .i64
      let choices: [Opcode] = [.mulHighSigned, .mulHighUnsigned, .mulHighSignedUnsigned]
      let (a, b) = (value(wide), value(wide))
      note(builder.binary(choices.randomElement(using: &random)!, a, b))
    case 38..<42:
      let choices: [Opcode] = [.countLeadingZeros, .countTrailingZeros, .populationCount, .byteSwap, .copy, .bitcast]
      note(builder.unary(choices.randomElement(using: &random)!, value(type)))
    case 42..<50:
      let (a, b) = (value(type), value(type))
      let truth = note(builder.compare(Condition.allCases.randomElement(using: &random)!, a, b))
      if Bool.random(using: &random) {
        let other = types.randomElement(using: &random)!
        let (x, y) = (value(other), value(other))
        note(builder.select(truth, x, y))
      }
    case 50..<56:
      let from = types.randomElement(using: &random)!
      let wider = types.filter { $0.bits > from.bits }
      let narrower = types.filter { $0.bits < from.bits }
      let operand = value(from)
      if let to = wider.randomElement(using: &random), Bool.random(using: &random) {
        note(builder.unary(Bool.random(using: &random) ? .signExtend : .zeroExtend, operand, to: to))
      } else if let to = narrower.randomElement(using: &random) {
        note(builder.unary(.truncate, operand, to: to))
      }
    case 56..<78:
      builder.setRegister(Int.random(in: 0..<16, using: &random), value(registerType))
    case 78..<86:
      let (base, offset) = address()
      if Bool.random(using: &random) {
        note(builder.load(type, accessOf(type), at: base, offset: offset))
      } else {
        let stored = value(type)
        builder.store(stored, accessOf(type), at: base, offset: offset)
      }
    case 86..<90: update(type)
    case 90..<94:
      let helper = [0, 0, 1, 2, 3].randomElement(using: &random)!
      if helper == 3 && Bool.random(using: &random) { builder.retireBeforeCurrent() }
      let immediate = Int64.random(in: 0..<100, using: &random) | (registerType == .i32 ? 256 : 0)
      let argumentType = types.randomElement(using: &random)!
      let (a, b, c) = (value(argumentType), value(type), value(type))
      note(builder.call(helper, helper == 3 ? .i64 : type, a, b, c, imm: immediate))
    case 94..<95: builder.fence(.sequential)
    default:
      let truth = value(.i1)
      builder.exitIf(truth, to: 0x8000 + UInt64.random(in: 0..<100, using: &random) * 2, exitFlags())
    }
  }

  /// An atomic update, or a reservation with a store that may hold to it, or a compare-exchange.
  private mutating func update(_ type: Type) {
    let (base, _) = address()
    let access = accessOf(type)
    let operand = value(type)
    switch Int.random(in: 0..<10, using: &random) {
    case 0:
      let expected = value(type)
      note(builder.compareExchange(type, access, at: base, expected: expected, new: operand))
    case 1...3:
      note(builder.atomic(.loadReserved, type, access, at: base, operand))
      let between = Int.random(in: 0..<4, using: &random)
      if between == 0 { builder.store(operand, accessOf(type), at: base, offset: 0) }
      let (other, _) = between == 1 ? address() : (base, 0)
      let last = between == 2 ? accessOf(type) : access
      note(builder.atomic(.storeConditional, type, last, at: other, operand))
    default:
      let kind = AtomicKind.allCases.randomElement(using: &random)!
      let old = builder.atomic(kind, type, access, at: base, operand)
      // Nobody may want to know what was there.
      if Bool.random(using: &random) { note(old) }
    }
  }

  private mutating func exitFlags() -> ExitFlags {
    var flags: ExitFlags = []
    if Bool.random(using: &random) { flags.insert(.checksBudget) }
    if Int.random(in: 0..<4, using: &random) == 0 { flags.insert(.unchainable) }
    return flags
  }

  private mutating func end() {
    // The end sees everything computed: the last values go to registers.
    for _ in 0..<4 { builder.setRegister(Int.random(in: 0..<16, using: &random), value(registerType)) }
    switch Int.random(in: 0..<5, using: &random) {
    case 0:
      // Odd PCs stand for empty entries of the jump cache.
      builder.exitIndirect(builder.binary(.and, value(registerType), builder.const(registerType, -2)))
    case 1: builder.exit(with: .stateChanged, pc: 0x4000_0000_1234)
    case 2: builder.raise(3, value: value(registerType))
    default: builder.exit(to: 0x7000, exitFlags())
    }
  }
}
