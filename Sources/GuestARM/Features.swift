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
  /// A Memory Protection Unit.
  @inlinable public static var mpu: Features { .init(rawValue: 1 << 3) }
  /// ARMv8-M, Baseline or (with ``main``) Mainline, without the Security Extension.
  @inlinable public static var v8: Features { .init(rawValue: 1 << 4) }
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
      name: "cortex-m0+", features: [.unprivileged, .mpu], identifier: 0x410C_C601, priorityBits: 2,
      note: "ARMv6-M"),
    CPUModel(
      name: "cortex-m3", features: [.main, .unprivileged, .mpu], identifier: 0x412F_C231, priorityBits: 3,
      note: "ARMv7-M"),
    CPUModel(
      name: "cortex-m4", features: [.main, .unprivileged, .mpu, .dsp], identifier: 0x410F_C241, priorityBits: 3,
      note: "ARMv7E-M, without its floating-point unit"),
    CPUModel(
      name: "cortex-m4f", features: [.main, .unprivileged, .mpu, .dsp, .float], identifier: 0x410F_C241,
      priorityBits: 3, note: "ARMv7E-M with FPv4-SP"),
    CPUModel(
      name: "cortex-m7", features: [.main, .unprivileged, .mpu, .dsp, .float, .float5, .double],
      identifier: 0x411F_C272, priorityBits: 3, note: "ARMv7E-M with double-precision FPv5, without caches"),
    CPUModel(
      name: "cortex-m23", features: [.unprivileged, .mpu, .v8], identifier: 0x411C_D200, priorityBits: 2,
      note: "ARMv8-M Baseline, without the Security Extension"),
    CPUModel(
      name: "cortex-m33", features: [.main, .unprivileged, .mpu, .dsp, .v8], identifier: 0x410F_D213, priorityBits: 3,
      note: "ARMv8-M Mainline, without the Security Extension and its floating-point unit"),
    CPUModel(
      name: "cortex-m33f", features: [.main, .unprivileged, .mpu, .dsp, .v8, .float, .float5],
      identifier: 0x410F_D213, priorityBits: 3,
      note: "ARMv8-M Mainline with FPv5, without the Security Extension"),
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
