// Generates large flat code: very many basic blocks that run a few times each, and works out what they compute.

import Foundation

/// A program of random blocks in functions that are called one after the other, in RISC-V assembly, with a model of its
/// execution. Each block does a few operations on eight registers and a table, and ends in a branch over the next block,
/// a jump over a trap, or a call of a leaf function.
struct FlatProgram {
  static let blocksPerFunction = 20
  private static let leaves = 16

  private enum Operation {
    /// Register to register.
    case add, sub, xor, or, and, addWord
    case addImmediate, shiftLeft, shiftRight
    case load, store
  }

  private struct Step {
    var operation: Operation
    var destination, left, right: Int
    /// Constant, shift distance, or index in the table.
    var immediate: Int
  }

  private enum End {
    /// Skips the next block if the registers are equal in their low bits (or if they are not).
    case branch(left: Int, right: Int, isUnequal: Bool)
    case jump
    case call(leaf: Int)
    case `return`
  }

  private struct Block {
    var steps: [Step]
    var end: End

    /// Guest instructions on the way through it.
    var instructions: Int {
      switch end {
      case .branch: steps.count + 3
      case .jump: steps.count + 1
      case .call, .return: steps.count + 2
      }
    }
  }

  private let functions: [[Block]]
  private let leaves: [[Step]]
  let passes: Int
  /// Different guest instructions that are executed.
  private(set) var distinctInstructions = 0
  private(set) var executedBlocks = 0
  /// What `kernel_run` returns.
  private(set) var checksum: UInt64 = 0

  init(blocks: Int, passes: Int) {
    var random = Xorshift(state: 0x5EED_F1A7)
    leaves = (0..<Self.leaves).map { _ in (0..<4).map { _ in Self.step(&random) } }
    functions = (0..<max(1, blocks / Self.blocksPerFunction)).map { _ in
      (0..<Self.blocksPerFunction).map { index in
        let steps = (0..<2 + random.below(5)).map { _ in Self.step(&random) }
        return Block(steps: steps, end: Self.end(&random, isLast: index == Self.blocksPerFunction - 1))
      }
    }
    self.passes = passes
    execute()
  }

  private static func step(_ random: inout Xorshift) -> Step {
    let register: [Operation] = [.add, .sub, .xor, .or, .and, .addWord]
    let operation: Operation =
      switch random.below(10) {
      case 0..<5: register[random.below(register.count)]
      case 5: .addImmediate
      case 6: .shiftLeft
      case 7: .shiftRight
      case 8: .load
      default: .store
      }
    let immediate =
      switch operation {
      case .addImmediate: random.below(4000) - 2000
      case .shiftLeft, .shiftRight: 1 + random.below(31)
      default: random.below(64)
      }
    return Step(
      operation: operation, destination: random.below(8), left: random.below(8), right: random.below(8),
      immediate: immediate)
  }

  private static func end(_ random: inout Xorshift, isLast: Bool) -> End {
    if isLast { return .return }
    switch random.below(10) {
    case 0..<6: return .branch(left: random.below(8), right: random.below(8), isUnequal: random.below(2) == 0)
    case 6..<8: return .jump
    default: return .call(leaf: random.below(leaves))
    }
  }

  // MARK: The model

  private struct State {
    var registers = (0..<8).map { UInt64($0 + 1) &* 0x9E37_79B9_7F4A_7C15 }
    var table = (0..<64).map { UInt64($0 * $0 + 1) }

    mutating func execute(_ step: Step) {
      let (a, b) = (registers[step.left], registers[step.right])
      switch step.operation {
      case .add: registers[step.destination] = a &+ b
      case .sub: registers[step.destination] = a &- b
      case .xor: registers[step.destination] = a ^ b
      case .or: registers[step.destination] = a | b
      case .and: registers[step.destination] = a & b
      case .addWord:
        registers[step.destination] = UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: a &+ b)))
      case .addImmediate: registers[step.destination] = a &+ UInt64(bitPattern: Int64(step.immediate))
      case .shiftLeft: registers[step.destination] = a << UInt64(step.immediate)
      case .shiftRight: registers[step.destination] = a >> UInt64(step.immediate)
      case .load: registers[step.destination] = table[step.immediate]
      case .store: table[step.immediate] = a
      }
    }
  }

  private mutating func execute() {
    var state = State()
    var visited = Array(repeating: false, count: functions.count * Self.blocksPerFunction)
    var visitedLeaves = Array(repeating: false, count: leaves.count)
    for _ in 0..<passes {
      for (number, blocks) in functions.enumerated() {
        var index = 0
        while index < blocks.count {
          let block = blocks[index]
          visited[number * Self.blocksPerFunction + index] = true
          for step in block.steps { state.execute(step) }
          index += 1
          switch block.end {
          case .branch(let left, let right, let isUnequal):
            let difference = (state.registers[left] ^ state.registers[right]) & 1
            if (difference != 0) == isUnequal { index += 1 }
          case .call(let leaf):
            visitedLeaves[leaf] = true
            for step in leaves[leaf] { state.execute(step) }
          case .jump, .return: break
          }
          if index == blocks.count, case .branch = block.end { index = blocks.count - 1 }
        }
      }
    }
    let blocks = functions.joined()
    distinctInstructions = zip(blocks, visited).reduce(0) { $0 + ($1.1 ? $1.0.instructions : 0) }
    distinctInstructions += zip(leaves, visitedLeaves).reduce(0) { $0 + ($1.1 ? $1.0.count + 1 : 0) }
    if passes > 0 { distinctInstructions += functions.count * 3 }
    executedBlocks = visited.filter { $0 }.count
    checksum = 0xCBF2_9CE4_8422_2325
    for value in state.registers + state.table { checksum = (checksum ^ value) &* 0x100_0000_01B3 }
  }

  // MARK: Assembly

  /// s0–s7 hold the registers, s8 the state, s9 the return address; t0 is free.
  var assembly: String {
    var text = "  .text\n  .globl flat_run\nflat_run:\n  addi sp, sp, -112\n  sd ra, 0(sp)\n"
    for index in 0..<10 { text += "  sd s\(index), \(8 + 8 * index)(sp)\n" }
    text += "  mv s8, a0\n"
    for index in 0..<8 { text += "  ld s\(index), \(8 * index)(s8)\n" }
    for number in functions.indices { text += "  call f\(number)\n" }
    for index in 0..<8 { text += "  sd s\(index), \(8 * index)(s8)\n" }
    for index in 0..<10 { text += "  ld s\(index), \(8 + 8 * index)(sp)\n" }
    text += "  ld ra, 0(sp)\n  addi sp, sp, 112\n  ret\n"
    for (number, steps) in leaves.enumerated() {
      text += "leaf\(number):\n"
      for step in steps { text += Self.line(step) }
      text += "  ret\n"
    }
    for (number, blocks) in functions.enumerated() {
      text += "f\(number):\n  mv s9, ra\n"
      for (index, block) in blocks.enumerated() { text += Self.lines(block, function: number, index: index) }
    }
    return text
  }

  private static func lines(_ block: Block, function: Int, index: Int) -> String {
    var text = ".L\(function)_\(index):\n"
    for step in block.steps { text += line(step) }
    func label(_ index: Int) -> String { ".L\(function)_\(min(index, blocksPerFunction - 1))" }
    switch block.end {
    case .branch(let left, let right, let isUnequal):
      text +=
        "  xor t0, s\(left), s\(right)\n  andi t0, t0, 1\n  \(isUnequal ? "bnez" : "beqz") t0, \(label(index + 2))\n"
    case .jump: text += "  j \(label(index + 1))\n  ebreak\n"
    case .call(let leaf): text += "  call leaf\(leaf)\n"
    case .return: text += "  mv ra, s9\n  ret\n"
    }
    return text
  }

  private static func line(_ step: Step) -> String {
    let (d, a, b, i) = ("s\(step.destination)", "s\(step.left)", "s\(step.right)", step.immediate)
    return switch step.operation {
    case .add: "  add \(d), \(a), \(b)\n"
    case .sub: "  sub \(d), \(a), \(b)\n"
    case .xor: "  xor \(d), \(a), \(b)\n"
    case .or: "  or \(d), \(a), \(b)\n"
    case .and: "  and \(d), \(a), \(b)\n"
    case .addWord: "  addw \(d), \(a), \(b)\n"
    case .addImmediate: "  addi \(d), \(a), \(i)\n"
    case .shiftLeft: "  slli \(d), \(a), \(i)\n"
    case .shiftRight: "  srli \(d), \(a), \(i)\n"
    case .load: "  ld \(d), \(64 + 8 * i)(s8)\n"
    case .store: "  sd \(a), \(64 + 8 * i)(s8)\n"
    }
  }
}

/// Marsaglia's xorshift64.
struct Xorshift {
  var state: UInt64

  mutating func below(_ limit: Int) -> Int {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Int(truncatingIfNeeded: (state >> 20) % UInt64(limit))
  }
}
