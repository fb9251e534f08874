// Owns the Arm guest: one M-profile CPU model, put together from instruction groups.

import GuestKit
import IR

/// An M-profile CPU model. The `Guest` protocol is adopted in extensions, each beside what it needs.
public final class ARMGuest: Guest {
  public let model: CPUModel
  public let registerFile: RegisterFile
  /// Numbered as ``HelperNumber`` says.
  public let helpers: [Helper]
  public let decoder: DecodeTable<Translator>
  /// Whether `bkpt 0xab` is a semihosting call.
  public let semihosting: Bool

  /// - Parameters:
  ///   - model: the name of one of ``CPUModel/all``.
  ///   - custom: instructions of the caller's own.
  public init(
    model name: String, semihosting: Bool = false, custom: [InstructionGroup<Translator>] = []
  ) throws(ARMModelError) {
    guard let model = CPUModel.all.first(where: { $0.name == name.lowercased() }) else { throw .unknownModel(name) }
    self.model = model
    self.semihosting = semihosting
    registerFile = ARMRegisters.make(model.features)
    helpers = HelperNumber.allCases.map(\.helper) + FloatHelper.allCases.map(\.helper)
    do throws(PatternError) {
      decoder = try DecodeTable(
        Self.groups(model.features) + custom, width: 32, shortIndex: [6..<16], longIndex: [20..<29, 12..<16],
        signed: "j")
    } catch {
      throw .rows(error.description)
    }
  }

  /// The instruction groups of a CPU, in the order of the architecture manual's chapter "The Thumb Instruction Set
  /// Encoding".
  static func groups(_ features: Features) -> [InstructionGroup<Translator>] {
    var groups = [
      Thumb.dataProcessing, Thumb.special, Thumb.memory, Thumb.miscellaneous, Thumb.branches, Thumb.system,
    ]
    if features.contains(.main) {
      groups += [
        Thumb.conditional, WideData.modified, WideData.plain, WideBranches.group, WideMemory.multiple,
        WideMemory.single,
        WideData.shifted, WideData.register, WideMultiply.group, Coprocessor.group,
      ]
    }
    if features.contains(.dsp) { groups.append(DSP.group) }
    if features.contains(.v8) { groups += (features.contains(.main) ? [] : V8.baseline) + [V8.group] }
    if features.contains(.float) { groups += [FloatData.single, FloatMemory.group] }
    if features.contains(.double) { groups.append(FloatData.double) }
    if features.contains(.float5) { groups.append(FloatData.version5) }
    if features.isSuperset(of: [.float5, .double]) { groups.append(FloatData.version5Double) }
    return groups
  }

  public var architecture: String {
    if model.features.contains(.v8) { return model.features.contains(.main) ? "armv8-m.main" : "armv8-m.base" }
    return !model.features.contains(.main) ? "armv6-m" : model.features.contains(.dsp) ? "armv7e-m" : "armv7-m"
  }
  public var addressBits: Int { 32 }
  public var debuggerArchitecture: String { "arm" }
  public var triple: String {
    "thumb" + architecture.dropFirst(3).replacing("e-m", with: "em").replacing("-m", with: "m") + "-unknown-none-eabi"
  }
  public var longestInstruction: Int { 4 }
  public var instructionAlignment: UInt64 { 2 }
  /// VLDM and VSTM move 32 words.
  public var longestTransfer: Int { 128 }
  public func instructionAddress(_ pointer: UInt64) -> UInt64 { pointer & ~1 }
  public var stackPointer: Int { ARMRegisters.sp }
  public var interruptRegisters: [String] { ["primask", "basepri", "faultmask"] }
  public var programCounter: Int { ARMRegisters.pc }
  /// r0 and r1, and `bkpt 0xab` ("Semihosting for AArch32 and AArch64").
  public var semihostingConvention: SemihostingConvention? {
    SemihostingConvention(operation: 0, parameter: 1, instructionSize: 2)
  }
  public var codeFlags: TranslationFlags { 0xFF }
}
