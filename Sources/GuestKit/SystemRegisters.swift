// Owns the facet of a guest that says which instructions reach system registers, for debuggers that watch those.

/// An instruction's access to system registers.
public struct SystemAccess: Hashable, Sendable {
  /// The one it names, by its number in the register file; nil if it names none, or several, and may change some.
  public var register: Int?
  public var reads: Bool
  public var writes: Bool

  public init(_ register: Int?, reads: Bool, writes: Bool) {
    self.register = register
    self.reads = reads
    self.writes = writes
  }
}

/// A guest that has registers which only instructions of their own reach: RISC-V's CSRs, Arm's special registers.
public protocol SystemRegisters: AnyObject {
  /// What debuggers' users call such a register: `csr`, `msr`.
  var systemRegisterWord: String { get }
  /// Their numbers in the register file.
  var systemRegisters: [Int] { get }
  /// What the instruction that begins with these bytes does to them; nil if it reaches none. Those of which this is not nil
  /// are the ones that ``BlockTranslator/reachesSystem(_:)`` holds back.
  func systemAccess(_ bytes: [UInt8]) -> SystemAccess?
  /// How else the register changes, in words; nil if only by such instructions.
  func otherChanges(of register: Int) -> String?
}
