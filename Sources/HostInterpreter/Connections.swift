// Owns the ways from block to block that need no look at the engine's tables: connected exits, and returns.

import HostKit
import IR

/// An exit, or the word behind a call, that leads to an entry.
struct Connection: BitwiseCopyable {
  var site: Int
  var isReturn: Bool
  /// What it said before.
  var before: PackedOp
}

extension InterpreterHost: PackedHost {
  public func connect(_ site: UInt32, isReturn: Bool, to entry: CodeAddress) {
    let place = Int(site)
    // A tombstone by now?
    if !isReturn, code[place].flags.contains(.unchainable) { return }
    connections.value.append(Connection(site: place, isReturn: isReturn, before: code[place]))
    if isReturn { code[place].returnEntry = entry.offset } else { code[place].connection = entry.offset }
  }

  public func disconnectAll() -> Int {
    let count = connections.value.count
    for number in 0..<count {
      let connection = connections.value[number]
      // An entry may have been closed there.
      if connection.isReturn || code[connection.site].connection != nil { code[connection.site] = connection.before }
    }
    connections.value.removeAll()
    return count
  }

  public func forgetReturns() { returns.clear() }

  public func takeReturn(to pc: UInt64) -> UInt32 { unsafe returns.pop(to: pc, in: code.memory) }

  public func returnEntry(_ site: UInt32) -> CodeAddress? {
    let entry = CodeAddress(code[Int(site)].returnEntry)
    return entry.offset == 0 || isWorn(entry) ? nil : entry
  }

  public func isWorn(_ entry: CodeAddress) -> Bool {
    code[Int(entry.offset) &- 1].entries >= configuration.entryLimit ?? .max
  }

  public func close(_ entry: CodeAddress) {
    let place = Int(entry.offset)
    code[place] = .tombstone(after: code[place &- 1])
  }
}

/// The calls made last: where their words are. Those that are too deep are forgotten.
@safe struct ReturnStack {
  private let memory: UnsafeMutablePointer<UInt32>
  private static var depth: UInt32 { 32 }

  init() {
    unsafe memory = .allocate(capacity: Int(Self.depth) + 1)
    clear()
  }

  func deallocate() { unsafe memory.deallocate() }

  /// The first word of a code cache returns nowhere.
  func clear() { unsafe memory.update(repeating: 0, count: Int(Self.depth) + 1) }

  private var top: UInt32 {
    @inline(__always)
    get { unsafe memory[Int(Self.depth)] }
    nonmutating set { unsafe memory[Int(Self.depth)] = newValue }
  }

  @inline(__always)
  func push(_ site: UInt32) {
    top = (top &+ 1) & (Self.depth &- 1)
    unsafe memory[Int(top)] = site
  }

  /// The call that returns to `pc`, taken off: the last one, or the one before, where another host's function was left.
  /// 0 if it is neither.
  @inline(__always)
  func pop(to pc: UInt64, in code: UnsafeMutablePointer<PackedOp>) -> UInt32 {
    for depth in 0..<UInt32(2) {
      let place = (top &- depth) & (Self.depth &- 1)
      let site = unsafe memory[Int(place)]
      if unsafe code[Int(site)].word == pc {
        top = (place &- 1) & (Self.depth &- 1)
        return site
      }
    }
    return 0
  }
}
