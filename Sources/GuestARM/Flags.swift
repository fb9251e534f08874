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
  var configuration: Configuration { Configuration(rawValue: rawValue >> 9 & 7) }

  /// See ``Core/isFloatReady``; false without a floating-point unit.
  var isFloatReady: Bool { rawValue >> 16 & 1 != 0 }
  /// The modes of floating-point instructions.
  var floatModes: FloatModes { FloatModes((rawValue >> 17) << 22) }

  /// What ``isFloatReady`` and ``floatModes`` are made of.
  static func float(_ core: Core) -> TranslationFlags {
    (core.isFloatReady ? 1 << 16 : 0) | (core.floatModes.bits >> 22) << 17
  }

  init(_ core: Core) {
    rawValue = core[.itState] & 0xFF | (core.isPrivileged ? 1 << 8 : 0) | core[.configuration] << 9
  }
}

extension ARMGuest {
  public func translationFlags(_ cpu: VCPUState) -> TranslationFlags {
    let core = Core(cpu)
    let flags = Flags(core).rawValue
    return model.features.contains(.float) ? flags | Flags.float(core) : flags
  }

  public func memoryMode(_ flags: TranslationFlags) -> MemoryMode {
    Flags(rawValue: flags).configuration.contains(.protectsMemory) ? .tlb : .window
  }
}
