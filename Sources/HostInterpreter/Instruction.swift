// Owns the form in which the interpreter keeps IR, and the raw memory it keeps it in.

import IR

/// An IR op with what its execution needs to know besides, 40 bytes.
struct Instruction: BitwiseCopyable {
  var op: Op
  /// Mask and width of the op's type.
  var mask: UInt64
  /// Exit number of `exit` and `exitIf`; state offset of `getRegister` and `setRegister`; 1 for a `call` that calls
  /// out (``IR/Effects/callsOut``).
  var detail: UInt32
  var bits: UInt8
  /// Width of operand `a`, where it may differ from the op's type.
  var sourceBits: UInt8
}

/// Fixed raw memory for `capacity` elements. Untouched pages cost nothing. Indices are checked in debug builds only.
@safe struct Table<Element: BitwiseCopyable> {
  private let base: UnsafeMutablePointer<Element>
  let capacity: Int

  init(capacity: Int) {
    unsafe base = .allocate(capacity: capacity)
    self.capacity = capacity
  }

  func deallocate() { unsafe base.deallocate() }

  func fill(_ element: Element) { unsafe base.update(repeating: element, count: capacity) }

  @inline(__always)
  subscript(index: Int) -> Element {
    get {
      assert(index >= 0 && index < capacity)
      return unsafe base[index]
    }
    nonmutating set {
      assert(index >= 0 && index < capacity)
      unsafe base[index] = newValue
    }
  }
}
