// Owns what software outside of a guest's code expects of it: firmware's registers, semihosting's, images' attributes.

import IR

/// A guest that starts at an image's first instruction, with a devicetree in memory. Others start at what their vectors in
/// memory say, and nothing else is put there.
public protocol DevicetreeBoot: AnyObject {
  /// What boot firmware is told of the next stage (RISC-V: OpenSBI's `fw_dynamic_info`), to be put into memory.
  /// - Parameter entry: that of a kernel; 0 without one.
  func bootParameters(entry: UInt64) -> [UInt8]
  /// Puts what boot firmware is handed into registers: the addresses of the devicetree, and of ``bootParameters(entry:)``.
  func passBootParameters(_ cpu: VCPUState, number: Int, devicetree: UInt64, parameters: UInt64)
}

/// Where an instruction set puts what a semihosting call passes.
public struct SemihostingConvention: Sendable {
  /// Numbers of the registers with the operation, which also takes the result, and with the parameter.
  public var operation: Int
  public var parameter: Int
  /// Bytes of the calling instruction.
  public var instructionSize: UInt64

  public init(operation: Int, parameter: Int, instructionSize: UInt64) {
    self.operation = operation
    self.parameter = parameter
    self.instructionSize = instructionSize
  }
}

/// A guest that can tell whether an image was made for it.
public protocol ImageChecking: AnyObject {
  /// Why a CPU that was just reset cannot run what was loaded, if it cannot: what is wrong with the image, what to do.
  func startProblem(_ cpu: VCPUState) -> String?
  /// What speaks against running a file built with these attributes (the ELF ABI's, by tag).
  func objection(toAttributes attributes: [UInt64: UInt64]) -> ImageObjection?
}

/// What speaks against running an image on a CPU.
public struct ImageObjection: Sendable, Equatable {
  public var text: String
  /// The CPU lacks a whole instruction set that the image was built for. Otherwise the image may do without what is
  /// missing: attributes say what compilers were allowed to use, not what they used.
  public var isCertain: Bool

  public init(_ text: String, isCertain: Bool) {
    self.text = text
    self.isCertain = isCertain
  }
}
