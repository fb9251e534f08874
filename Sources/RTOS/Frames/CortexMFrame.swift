// Owns the frames in which an M-profile CPU and its kernels' handlers save registers (ARMv7-M Architecture Reference
// Manual, B1.5.6 "Exception entry behavior", B1.5.7 "Stack alignment on exception entry"; ARMv8-M likewise).

import Bits

enum CortexMFrame {
  /// Whether a word can be an EXC_RETURN, which a handler found in LR.
  static func isExceptionReturn(_ word: UInt64) -> Bool { word & 0xFFFF_FF80 == 0xFFFF_FF80 }

  /// Bit 4 of EXC_RETURN is clear if the frame has floating-point registers.
  static func hasFloat(_ exceptionReturn: UInt64) -> Bool { !exceptionReturn.bit(4) }

  /// Adds what the CPU has stacked at `base`, and the stack pointer from before.
  static func addStacked(
    _ context: inout SavedContext, at base: UInt64, hasFloat: Bool, _ reader: KernelReader
  ) throws(KernelError) {
    let xpsr = try reader.number(base &+ 28, size: 4)
    // Thumb state, and thread mode: tasks are no handlers.
    guard xpsr.bit(24), xpsr & 0x1FF == 0 else {
      throw KernelError("no task's registers are saved at \(base.hex0x()): xPSR would be \(xpsr.hex0x(digits: 8))")
    }
    for (index, name) in ["r0", "r1", "r2", "r3", "r12", "lr", "pc", "xpsr"].enumerated() {
      context[name] = .memory(base &+ UInt64(4 * index), size: 4)
    }
    if hasFloat {
      for number in 0..<8 { context["d\(number)"] = .memory(base &+ 32 &+ UInt64(8 * number), size: 8) }
      context["fpscr"] = .memory(base &+ 96, size: 4)
    }
    context.stackPointer = (base &+ (hasFloat ? 104 : 32) &+ (xpsr.bit(9) ? 4 : 0)) & 0xFFFF_FFFF
    context["psp"] = context["sp"]
    for name in ["msp", "primask", "basepri", "faultmask", "control", "msplim"] { context[name] = .shared }
  }

  /// Adds r4 to r11, one word each from `base` on.
  static func addPreserved(_ context: inout SavedContext, at base: UInt64) {
    for number in 4...11 { context["r\(number)"] = .memory(base &+ UInt64(4 * (number - 4)), size: 4) }
  }

  /// Adds s16 to s31, one word each from `base` on.
  static func addPreservedFloat(_ context: inout SavedContext, at base: UInt64) {
    for number in 8..<16 { context["d\(number)"] = .memory(base &+ UInt64(8 * (number - 8)), size: 8) }
  }
}
