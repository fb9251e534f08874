// Owns the simulation of what a function's instructions do to its frame: registers and stack words as far as they are
// known.

import GuestKit

/// A value in a function: what a register held at some beginning, plus an offset; without a register a number.
struct FrameValue: Hashable, Sendable {
  var root: Int?
  var offset: UInt64
}

/// Registers and stack words at a point of a function.
struct FrameSimulation {
  /// What is not here is as it was at the beginning; nil: unknown.
  private var registers: [Int: FrameValue?] = [:]
  /// Words by their places.
  private(set) var words: [FrameValue: FrameValue?] = [:]
  let wordSize: Int
  private let memory: any StackMemory
  /// What a call changes.
  private let lostByCalls: [Int]

  /// At a function's beginning, where every register has the value that it had in the caller.
  /// - Parameter registerCount: of the register file.
  init(_ guest: any Guest & Unwinding, _ memory: any StackMemory) {
    wordSize = guest.addressBits / 8
    self.memory = memory
    let kept = Set(guest.preservedRegisters + [guest.stackPointer])
    lostByCalls = guest.registerFile.registers.indices.filter {
      guest.registerFile.registers[$0].group == "general" && !kept.contains($0)
    }
  }

  /// With numbers for registers.
  init(_ guest: any Guest & Unwinding, _ memory: any StackMemory, _ values: RegisterValues) {
    self.init(guest, memory)
    for register in guest.registerFile.registers.indices {
      registers[register] = .some(values[register].map { FrameValue(root: nil, offset: $0) })
    }
  }

  private var mask: UInt64 { wordSize == 4 ? 0xFFFF_FFFF : .max }

  subscript(register: Int) -> FrameValue? {
    get { registers[register] ?? FrameValue(root: register, offset: 0) }
    set { registers[register] = .some(newValue) }
  }

  /// The number a register holds, if it is one.
  func number(_ register: Int) -> UInt64? { self[register].flatMap { $0.root == nil ? $0.offset : nil } }

  private func moved(_ value: FrameValue?, by offset: UInt64) -> FrameValue? {
    value.map { FrameValue(root: $0.root, offset: ($0.offset &+ offset) & mask) }
  }

  private func place(_ base: Int?, _ offset: Int) -> FrameValue? {
    let offset = UInt64(bitPattern: Int64(offset)) & mask
    guard let base else { return FrameValue(root: nil, offset: offset) }
    return moved(self[base], by: offset)
  }

  private func load(_ place: FrameValue?) -> FrameValue? {
    guard let place else { return nil }
    if let known = words[place] { return known }
    guard place.root == nil, let value = memory.value(at: place.offset, size: wordSize) else { return nil }
    return FrameValue(root: nil, offset: value)
  }

  mutating func apply(_ effect: FrameEffect) {
    switch effect {
    case .set(let register, let base, let offset): self[register] = place(base, offset)
    case .sum(let register, let left, let right, let isDifference):
      guard let a = self[left], let b = self[right] else { return self[register] = nil }
      if b.root == nil {
        self[register] = moved(a, by: isDifference ? 0 &- b.offset : b.offset)
      } else {
        self[register] = a.root == nil && !isDifference ? moved(b, by: a.offset) : nil
      }
    case .store(let register, let base, let offset):
      if let place = place(base, offset) { words[place] = .some(self[register]) }
    case .load(let register, let base, let offset): self[register] = load(place(base, offset))
    case .exchange(let first, let second, let third):
      let value = self[third]
      self[first] = self[second]
      self[second] = value
    case .forget(let register): self[register] = nil
    }
  }

  /// A function was called, and has returned.
  mutating func call() {
    for register in lostByCalls { self[register] = nil }
  }
}
