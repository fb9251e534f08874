// Owns what an M-profile CPU implements, and the CPU models by name.

/// The parts of the architecture that a CPU has beyond ARMv6-M.
public struct Features: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32
  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// ARMv7-M: all of T32, configurable faults, BASEPRI and FAULTMASK.
  @inlinable public static var main: Features { .init(rawValue: 1 << 0) }
  /// The DSP extension of ARMv7E-M.
  @inlinable public static var dsp: Features { .init(rawValue: 1 << 1) }
  /// Unprivileged mode and a relocatable vector table, which ARMv6-M may lack.
  @inlinable public static var unprivileged: Features { .init(rawValue: 1 << 2) }
  /// The floating-point extension FPv4-SP, all of which FPv5 has.
  @inlinable public static var float: Features { .init(rawValue: 1 << 16) }
  /// FPv5.
  @inlinable public static var float5: Features { .init(rawValue: 1 << 17) }
  /// Double-precision arithmetic.
  @inlinable public static var double: Features { .init(rawValue: 1 << 18) }
}

/// A CPU by the name it goes by in command lines and devicetrees.
public struct CPUModel: Sendable {
  /// `cortex-m0`…
  public let name: String
  public let features: Features
  /// The value of CPUID.
  public let identifier: UInt32
  /// Bits of priority the interrupt controller has where the board does not say.
  public let priorityBits: Int
  /// What the model lacks of the CPU of that name.
  public let note: String

  /// The model of that name. Devicetrees add an `f` to the name of a core with a floating-point unit, which may be left
  /// out of a model's.
  public static func named(_ name: String) -> CPUModel? {
    all.first { $0.name == name } ?? all.first { $0.name + "f" == name }
  }

  /// Every model. Identifiers: the cores' Technical Reference Manuals, "CPUID Base Register".
  public static let all: [CPUModel] = [
    CPUModel(name: "cortex-m0", features: [], identifier: 0x410C_C200, priorityBits: 2, note: "ARMv6-M"),
    CPUModel(
      name: "cortex-m0+", features: [.unprivileged], identifier: 0x410C_C601, priorityBits: 2,
      note: "ARMv6-M, without its MPU"),
    CPUModel(
      name: "cortex-m3", features: [.main, .unprivileged], identifier: 0x412F_C231, priorityBits: 3,
      note: "ARMv7-M, without its MPU"),
    CPUModel(
      name: "cortex-m4", features: [.main, .unprivileged, .dsp], identifier: 0x410F_C241, priorityBits: 3,
      note: "ARMv7E-M, without its MPU and its floating-point unit"),
    CPUModel(
      name: "cortex-m4f", features: [.main, .unprivileged, .dsp, .float], identifier: 0x410F_C241, priorityBits: 3,
      note: "ARMv7E-M with FPv4-SP, without its MPU"),
    CPUModel(
      name: "cortex-m7", features: [.main, .unprivileged, .dsp, .float, .float5, .double], identifier: 0x411F_C272,
      priorityBits: 3, note: "ARMv7E-M with double-precision FPv5, without its MPU and caches"),
  ]
}

/// Why a CPU model cannot be made.
public enum ARMModelError: Error, Equatable, Sendable, CustomStringConvertible {
  case unknownModel(String)
  /// Instruction rows are malformed; only custom ones can be.
  case rows(String)

  public var description: String {
    switch self {
    case .unknownModel(let name):
      "no Arm CPU is called '\(name)'; there are: \(CPUModel.all.map(\.name).joined(separator: ", "))"
    case .rows(let text): "instruction rows: \(text)"
    }
  }
}
