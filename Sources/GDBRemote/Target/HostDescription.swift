/// A target that says what machine it is, as LLDB wants to know before anything else.
public protocol HostDescribing: Target {
  var hostDescription: HostDescription { get }
}

public struct HostDescription: Equatable, Sendable {
  /// As LLVM spells it: `riscv64-unknown-none-elf`.
  public var triple: String
  /// In bytes.
  public var pointerSize: Int
  public var isBigEndian: Bool
  /// The number of the program counter in the target description.
  public var programCounter: Int

  public init(
    triple: String, pointerSize: Int, isBigEndian: Bool = false, programCounter: Int
  ) {
    self.triple = triple
    self.pointerSize = pointerSize
    self.isBigEndian = isBigEndian
    self.programCounter = programCounter
  }
}
