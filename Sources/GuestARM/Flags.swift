// Owns the translation flags: the CPU state that translated code depends on.

import GuestKit
import IR

/// The CPU's mode as far as translated code was specialised for it.
public struct Flags: RawRepresentable, Equatable, Sendable {
  public var rawValue: TranslationFlags
  public init(rawValue: TranslationFlags) { self.rawValue = rawValue }

  /// ITSTATE of the first instruction.
  var itState: UInt8 { UInt8(truncatingIfNeeded: rawValue) }
  var isPrivileged: Bool { rawValue >> 8 & 1 != 0 }
  /// The traps of CCR.
  var configuration: Configuration { Configuration(rawValue: UInt32(rawValue >> 9 & 3)) }
  /// Whether some memory is denied: by the MPU, or the Private Peripheral Bus to user mode.
  var isRestricted: Bool { rawValue >> 11 & 1 != 0 }
  /// Whether the stack pointer in use has a limit above 0.
  var limitsStack: Bool { rawValue >> 12 & 1 != 0 }

  /// See ``Core/isFloatReady``; false without a floating-point unit.
  var isFloatReady: Bool { rawValue >> 16 & 1 != 0 }
  /// The modes of floating-point instructions.
  var floatModes: FloatModes { FloatModes(UInt32(rawValue >> 17) << 22) }

  /// What ``isFloatReady`` and ``floatModes`` are made of.
  static func float(_ core: Core) -> TranslationFlags {
    (core.isFloatReady ? 1 << 16 : 0) | TranslationFlags(core.floatModes.bits >> 22) << 17
  }

  init(_ core: Core) {
    let configuration = core.configuration
    let isPrivileged = core.isPrivileged
    var value = core[.itState] & 0xFF | (isPrivileged ? 1 << 8 : 0) | (configuration.rawValue & 3) << 9
    let isProtected =
      configuration.contains(.protectsMemory)
      && (configuration.contains(.protectsFaultHandlers) || !core.hasNegativePriority)
    if !isPrivileged || isProtected { value |= 1 << 11 }
    if core.stackLimit != 0 { value |= 1 << 12 }
    rawValue = TranslationFlags(value)
  }
}

extension Flags {
  /// For listings: what holds, leaving out what is usual.
  var words: [String] {
    var words = [isPrivileged ? "privileged" : "unprivileged"]
    if itState & 15 != 0 {
      let names = ["eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al", "al"]
      // The mask's lowest one stands behind the last instruction's bit (ARMv7-M manual, A7.3.3).
      let left = 4 - Int(itState & 15).trailingZeroBitCount
      words.append("in an IT block: \(names[Int(itState >> 4)]), \(left) to go")
    }
    if isRestricted { words.append("some memory denied") }
    if limitsStack { words.append("stack limit") }
    if configuration.contains(.trapsDivideByZero) { words.append("traps division by zero") }
    if configuration.contains(.trapsUnaligned) { words.append("traps unaligned accesses") }
    guard isFloatReady else { return words }
    words.append("FPU ready")
    if floatModes.rounding != .nearestEven { words.append("rounds by \(floatModes.rounding.name)") }
    if floatModes.flushesSubnormals { words.append("flushes to zero") }
    if floatModes.deliversDefaultNaN { words.append("default NaN") }
    return words
  }
}

extension ARMGuest {
  public func describe(_ flags: TranslationFlags) -> [String] { Flags(rawValue: flags).words }

  public func translationFlags(_ cpu: VCPUState) -> TranslationFlags {
    let core = Core(cpu)
    let flags = Flags(core).rawValue
    return model.features.contains(.float) ? flags | Flags.float(core) : flags
  }

  public func memoryMode(_ flags: TranslationFlags) -> MemoryMode {
    Flags(rawValue: flags).isRestricted ? .restrictedWindow : .window
  }
}
