// Owns the making of random valid blocks.

import IR

extension SplitMix {
  public mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
  public mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
  public mutating func pick<T>(_ list: [T]) -> T { list[below(list.count)] }
}

/// Builds one block for the ``TestGuest``: few registers and small constants, so that values meet again often.
public struct RandomBlock: ~Copyable {
  private var random: SplitMix
  private var builder = Builder(pc: 0x1000)
  private var pool: [Type: [ValueID]] = [:]

  static let binary = computing(2).filter { !highProducts.contains($0) }
  static let highProducts: [Opcode] = [.mulHighSigned, .mulHighUnsigned, .mulHighSignedUnsigned]
  static let unary = computing(1)
  /// Ops whose operands and result have one type.
  private static func computing(_ operands: Int) -> [Opcode] {
    Opcode.allCases.filter {
      let info = $0.info
      return info.evaluator != nil && info.operands == operands && info.result == .asOperands
    }
  }
  public static let constants: [Int64] = [
    0, 1, -1, 2, 3, 8, 31, 32, 33, 63, 64, 255, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, .min, .max,
  ]
  private static let types: [Type] = [.i64, .i64, .i64, .i32, .i32, .i16, .i8]

  public static func make(seed: UInt64) -> Block {
    var maker = RandomBlock(random: SplitMix(seed: seed))
    let count = 1 + maker.random.below(12)
    for number in 0..<count {
      if number > 0, maker.random.chance(15) { maker.label(number) }
      maker.instruction(number)
    }
    maker.end(pc: Self.pc(count))
    return maker.builder.block
  }

  private init(random: SplitMix) { self.random = random }

  private mutating func keep(_ value: ValueID) { pool[builder.block.type(of: value), default: []].append(value) }

  /// A value of `type`: an earlier one, a constant, or a register's.
  private mutating func value(_ type: Type) -> ValueID {
    if let known = pool[type], random.chance(65) { return random.pick(known) }
    let value =
      type != .v128 && random.chance(50)
      ? builder.const(type, type == .i1 ? Int64(random.below(2)) : random.pick(Self.constants))
      : builder.getRegister(register(type), type)
    keep(value)
    return value
  }

  private mutating func register(_ type: Type) -> Int {
    let numbers = TestGuest.registers.indices.filter { TestGuest.registers[$0].type == type }
    return random.pick(Array(numbers.prefix(5)))
  }

  private static func pc(_ number: Int) -> UInt64 { 0x1000 + UInt64(4 * number) }

  /// Behind code that falls into it, or behind an end.
  private mutating func label(_ number: Int) {
    if random.chance(30) { end(pc: Self.pc(number)) }
    builder.label(pc: Self.pc(number))
    pool = [:]
  }

  private mutating func instruction(_ number: Int) {
    builder.instruction(pc: Self.pc(number), length: 4)
    if random.chance(10) { builder.retireBeforeCurrent() }
    for _ in 0..<1 + random.below(3) { compute() }
    if random.chance(35) { memory() }
    if random.chance(12) { call() }
    for _ in 0..<random.below(3) { compute() }
    for _ in 0..<random.below(4) { write() }
    if random.chance(25) {
      // To the top, to another page, or ahead, where perhaps there is a label.
      let target = random.pick([0x1000, 0x2000 + UInt64(4 * number), Self.pc(number + 1 + random.below(5))])
      builder.exitIf(value(.i1), to: target, target == 0x1000 ? .checksBudget : [])
    }
  }

  private mutating func write() {
    let type = random.pick([Type.i64, .i64, .i64, .i32, .i32, .i16, .i8, .i1, .v128])
    builder.setRegister(register(type), value(type))
  }

  private mutating func compute() {
    let type = random.pick(Self.types)
    switch random.below(12) {
    case 0..<4: keep(builder.binary(random.pick(Self.binary), value(type), value(type)))
    case 4 where random.chance(30):
      // Hosts have the high halves of products for whole words only.
      let word = random.pick([Type.i32, .i64])
      keep(builder.binary(random.pick(Self.highProducts), value(word), value(word)))
    case 4: keep(builder.unary(random.pick(Self.unary), value(type)))
    case 5: keep(builder.compare(random.pick(Condition.allCases), value(type), value(type)))
    case 6: keep(builder.select(value(.i1), value(type), value(type)))
    case 7:
      let from = random.pick([Type.i1, .i8, .i16, .i32])
      let to = random.pick([Type.i8, .i16, .i32, .i64].filter { $0.bits > from.bits })
      keep(builder.unary(random.chance(50) ? .signExtend : .zeroExtend, value(from), to: to))
    case 8:
      let from = random.pick([Type.i8, .i16, .i32, .i64])
      let to = random.pick([Type.i1, .i8, .i16, .i32].filter { $0.bits < from.bits })
      keep(builder.unary(.truncate, value(from), to: to))
    case 9: keep(builder.binary(random.pick([.and, .or, .xor, .andNot]), value(.i1), value(.i1)))
    default: vector()
    }
  }

  private mutating func vector() {
    let row = random.pick(VectorKind.allCases)
    let lane = random.pick(row.row.lanes)
    let shape = row.row.shape
    let number = shape.numbers(lane).map { random.below($0.count) } ?? 0
    // Scalars may be floating-point numbers.
    let float: Type? = lane == .i32 ? .f32 : lane == .i64 ? .f64 : nil
    let isFloat = float != nil && random.chance(30)
    let scalar = isFloat ? float ?? lane.type : lane.type
    var operands: [ValueID] = []
    for index in 0..<shape.operands {
      let isScalar = !shape.isVector(index) && shape != .choice
      let operand = value(shape.isVector(index) ? .v128 : shape == .choice ? .i1 : lane.type)
      operands.append(isScalar && isFloat ? builder.unary(.bitcast, operand, to: scalar) : operand)
    }
    while operands.count < 3 { operands.append(.none) }
    let result = builder.vector(
      VectorOperation(row, lane, number), operands[0], operands[1], operands[2],
      to: shape.givesVector ? .v128 : shape == .mask ? .i32 : scalar)
    keep(shape == .extract && isFloat ? builder.unary(.bitcast, result, to: lane.type) : result)
  }

  private mutating func vectorAccess() {
    let access = MemoryAccess(size: 16, aligned: random.chance(20))
    let (base, offset) = (address(), Int64(random.below(8) * 8))
    if random.chance(50) { return keep(builder.load(.v128, access, at: base, offset: offset)) }
    builder.store(value(.v128), access, at: base, offset: offset)
  }

  /// Mostly an address that is there, reached in ways that address folding sees.
  private mutating func address() -> ValueID {
    let type: Type = random.chance(70) ? .i64 : .i32
    if random.chance(4) { return value(type) }
    var address = builder.binary(.and, value(type), builder.const(type, 0x7F8))
    if random.chance(50) {
      let step = builder.const(type, Int64(random.below(64) * 8))
      address = builder.binary(random.chance(80) ? .add : .sub, address, step)
      keep(address)
    }
    return address
  }

  private mutating func memory() {
    if random.chance(15) { return vectorAccess() }
    let type = random.pick([Type.i64, .i64, .i32, .i16, .i8])
    let size = random.pick([1, 2, 4, 8].filter { $0 <= type.bytes })
    let access = MemoryAccess(
      size: size, signed: random.chance(50), bigEndian: random.chance(10), aligned: random.chance(20))
    let base = address()
    switch random.below(10) {
    case 0..<4: keep(builder.load(type, access, at: base, offset: Int64(random.below(8) * 8)))
    case 4..<6: builder.store(value(type), access, at: base, offset: Int64(random.below(8) * 8))
    case 6, 7: keep(builder.atomic(random.pick(AtomicKind.allCases), type, access, at: base, value(type)))
    case 8:
      keep(builder.atomic(.loadReserved, type, access, at: base, value(type)))
      if random.chance(30) { builder.store(value(type), access, at: random.chance(50) ? base : address()) }
      keep(builder.atomic(.storeConditional, type, access, at: base, value(type)))
    default: keep(builder.compareExchange(type, access, at: base, expected: value(type), new: value(type)))
    }
  }

  private mutating func call() {
    let helper = random.below(TestGuest.helpers.count)
    switch TestGuest.helpers[helper].name {
    case "check":
      // Raises only for a register that happens to hold a truth value.
      let truth = builder.unary(.zeroExtend, value(.i1), to: .i64)
      let rare = builder.binary(.mul, truth, builder.const(.i64, random.chance(15) ? 3 : 0))
      keep(builder.call(helper, .i64, rare, value(.i64)))
    case "pure":
      keep(builder.call(helper, .i32, value(.i32), value(.i64), value(.i8), imm: random.pick(Self.constants)))
    case "clock": keep(builder.call(helper, .i64))
    default: keep(builder.call(helper, .i64, value(.i64)))
    }
  }

  private mutating func end(pc: UInt64) {
    switch random.below(8) {
    case 0:
      // Even: an odd PC stands for an empty jump-cache entry.
      let type: Type = random.chance(70) ? .i64 : .i32
      builder.exitIndirect(builder.binary(.and, value(type), builder.const(type, -2)))
    case 1: builder.exit(with: .stateChanged, pc: pc)
    case 2:
      builder.instruction(pc: pc, length: 4)
      builder.raise(2, value: value(.i32))
    default: builder.exit(to: pc)
    }
  }
}
