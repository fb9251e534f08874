// Owns the prediction of returns, which need no look at the engine's tables.

import IR

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
