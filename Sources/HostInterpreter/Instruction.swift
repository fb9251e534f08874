// Owns the form in which the interpreter keeps IR.

import IR

/// An IR op with what its execution needs to know besides, 40 bytes.
struct Instruction: BitwiseCopyable {
  var op: Op
  /// Mask and width of the op's type.
  var mask: UInt64
  /// Exit number of `exit` and `exitIf`; state offset of `getRegister` and `setRegister`; the helper's
  /// ``IR/Effects`` for a `call`; the type of operand `a` for floating-point ops.
  var detail: UInt32
  var bits: UInt8
  /// Width of operand `a`, where it may differ from the op's type.
  var sourceBits: UInt8
}
