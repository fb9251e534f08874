// Owns the facets of a guest that debugs itself: comparators it programs, exceptions that stop for a debugger.

import IR

/// A guest whose CPU has a debug unit of its own, which software or a debugger's probe sets up.
public protocol DebugUnit: AnyObject {
  /// Why the machine is to stop for a debugger now that an exception was entered, if it is; said once.
  func takeDebugStop(_ cpu: VCPUState) -> String?
  /// A debugger came or went.
  func debuggerChanged(_ cpu: VCPUState, isAttached: Bool)
  /// A comparator matched. The exception to take for it, if there is one; see ``takeDebugStop(_:)`` too.
  func comparatorMatched(_ cpu: VCPUState, _ comparator: Comparator, isWrite: Bool) -> GuestException?
  /// What ``setCatches(_:_:)`` understands: the words of vector catch.
  var catchWords: [String] { get }
  /// Makes the machine stop as these exceptions' handlers begin, and no others.
  func setCatches(_ cpu: VCPUState, _ words: [String])
  func catches(_ cpu: VCPUState) -> [String]
}

/// A comparator of a debug unit that the guest itself programs (Arm's DWT).
public struct Comparator: Hashable, Sendable {
  public var number: Int
  public var address: UInt64
  public var length: UInt64
  /// Matches before the instruction at `address` is executed; else after an access to memory.
  public var isInstruction: Bool
  public var onRead: Bool
  public var onWrite: Bool
  /// What an access has to move besides, in some aligned part of it; nil for anything.
  public var value: ComparedValue?

  public init(
    number: Int, address: UInt64, length: UInt64, isInstruction: Bool, onRead: Bool, onWrite: Bool,
    value: ComparedValue? = nil
  ) {
    self.value = value
    self.number = number
    self.address = address
    self.length = length
    self.isInstruction = isInstruction
    self.onRead = onRead
    self.onWrite = onWrite
  }
}

/// A value that a comparator waits for: the low `size` (1, 2, 4) bytes of `bits`.
public struct ComparedValue: Hashable, Sendable {
  public var bits: UInt64
  public var size: Int

  public init(bits: UInt64, size: Int) {
    self.bits = bits
    self.size = size
  }

  /// Whether an access of `count` bytes at `address` has moved it.
  public func appears(in value: UInt64, at address: UInt64, count: Int) -> Bool {
    let mask: UInt64 = (1 << UInt64(8 * size)) - 1
    return (0..<count).contains { byte in
      (address &+ UInt64(byte)) % UInt64(size) == 0 && byte + size <= count
        && (value >> UInt64(8 * byte) ^ bits) & mask == 0
    }
  }
}
