// Owns the finding of a caller by the code behind: a function's prologue says where it keeps what it saves.

import GuestKit

/// Reads functions from their beginning up to where a frame stands.
struct CodeBehind {
  let guest: any Guest & Unwinding
  let code: GuestCode
  private static var mostInstructions: Int { 50_000 }
  /// Bytes before the place at hand in which the beginning of its function is looked for.
  private static var farthest: UInt64 { 0x4000 }

  /// What the function that begins at `start` has done by `pc`; nil if its instructions do not lead there.
  ///
  /// The code is read in order. Behind a jump that nobody comes back from, the state is that of the branches which lead
  /// there, or else that of the function's body.
  func state(from start: UInt64, to pc: UInt64) -> FrameSimulation? {
    var state = FrameSimulation(guest, code.memory)
    var body = state
    var arriving: [UInt64: FrameSimulation] = [:]
    var at = start
    var left = Self.mostInstructions
    var conditional = 0
    while at < pc {
      if let known = arriving[at] { state = known }
      left -= 1
      guard left > 0, let instruction = code.instruction(at: at) else { return nil }
      let before = state
      for effect in instruction.effects { state.apply(effect) }
      if state.words.count > body.words.count { body = state }
      at = at &+ UInt64(instruction.length)
      switch instruction.flow {
      case .next: break
      case .branch(let target): if target > at { arriving[target] = arriving[target] ?? state }
      case .jump(let target):
        if target > at { arriving[target] = arriving[target] ?? state }
        state = conditional > 0 ? before : body
      case .call: state.call()
      case .ownCall(let link, let target): saveElsewhere(target, link, at, &state, &body)
      case .returns, .exceptionReturn, .unknown: state = conditional > 0 ? before : body
      case .conditional(let count): conditional = count + 1
      }
      conditional -= conditional > 0 ? 1 : 0
    }
    return at == pc ? arriving[pc] ?? state : nil
  }

  /// The part of a prologue that functions share.
  private func saveElsewhere(
    _ target: UInt64, _ link: Int, _ back: UInt64, _ state: inout FrameSimulation, _ body: inout FrameSimulation
  ) {
    var at = target
    state[link] = FrameValue(root: nil, offset: back)
    for _ in 0..<100 {
      guard let instruction = code.instruction(at: at) else { break }
      for effect in instruction.effects { state.apply(effect) }
      at = at &+ UInt64(instruction.length)
      if case .jump(let target) = instruction.flow { at = target }
      if case .returns = instruction.flow { break }
    }
    body = state
  }

  /// Where functions may begin at or before `pc`, nearest first: at instructions that make room on the stack.
  func likelyStarts(upTo pc: UInt64) -> [UInt64] {
    let unit = guest.instructionAlignment
    var found: [UInt64] = []
    var at = pc
    while pc &- at < Self.farthest, found.count < 16 {
      let makesRoom = code.instruction(at: at)?.effects.contains { effect in
        if case .set(guest.stackPointer, base: guest.stackPointer, let offset) = effect { return offset < 0 }
        return false
      }
      if makesRoom == true { found.append(at) }
      guard at >= unit else { break }
      at &-= unit
    }
    return found
  }

  /// The caller's registers, of those at hand and what the function has done so far.
  /// - Parameter isHandler: it was not called, and the link register is restored as well.
  func caller(_ state: FrameSimulation, _ values: RegisterValues, isHandler: Bool = false) -> RegisterValues? {
    var roots = RegisterValues(count: guest.registerFile.registers.count)
    for register in guest.registerFile.registers.indices {
      guard let value = state[register], let root = value.root, let known = values[register] else { continue }
      roots[root] = roots[root] ?? masked(known &- value.offset)
    }
    for (place, value) in state.words.sorted(by: { $0.key.offset < $1.key.offset }) {
      guard let root = place.root, let base = roots[root], let value, let saved = value.root,
        let word = code.memory.value(at: masked(base &+ place.offset), size: state.wordSize)
      else { continue }
      roots[saved] = masked(word &- value.offset)
    }
    guard roots[guest.stackPointer] != nil, let link = roots[guest.linkRegister] else { return nil }
    roots[guest.programCounter] = link
    if !isHandler { roots[guest.linkRegister] = nil }
    // What is no general register is as it was, unless it was saved.
    for register in guest.registerFile.registers.indices where roots[register] == nil {
      if guest.registerFile.registers[register].group != "general" { roots[register] = values[register] }
    }
    return roots
  }

  private func masked(_ value: UInt64) -> UInt64 { guest.addressBits == 32 ? value & 0xFFFF_FFFF : value }

  /// Whether the function has saved the return address by then.
  func savesLink(_ state: FrameSimulation) -> Bool { state.words.values.contains(link) }

  /// Whether the return address is still where the call has left it.
  func keepsLink(_ state: FrameSimulation) -> Bool { state[guest.linkRegister] == link }

  private var link: FrameValue { FrameValue(root: guest.linkRegister, offset: 0) }
}
