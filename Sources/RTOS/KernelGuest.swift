// Owns what a reader of a kernel's structures may ask of the guest, and the bounds of its asking.

import Bits

/// A guest as readers of kernels see it. Nothing that is asked changes it.
public protocol KernelGuest {
  /// As `Guest` names it: `armv7e-m`, `riscv64`, …
  var architecture: String { get }
  /// In bytes: 4 or 8.
  var pointerSize: Int { get }
  var byteOrder: Endianness { get }
  /// Where an object of the guest's program is, and how many bytes it has (0: unknown).
  func symbol(_ name: String) -> (address: UInt64, size: UInt64)?
  /// The object or function of the program that covers an address; nil if none is known, or its size is not.
  func object(covering address: UInt64) -> (start: UInt64, size: UInt64)?
  /// The bytes up to the first that cannot be read without side effects.
  func read(_ address: UInt64, _ count: Int) -> [UInt8]
  /// A register of the CPU that the kernel runs on, by name.
  func register(_ name: String) -> UInt64?
}

/// Why tasks, or a part of them, cannot be shown, in words for the user.
public struct KernelError: Error, Equatable, Sendable, CustomStringConvertible {
  public var description: String

  public init(_ description: String) { self.description = description }
}

/// Reads a kernel's structures. Whatever they are, it ends: so many bytes are read, and no more.
public final class KernelReader {
  /// More tasks than this are taken for a sign of broken structures.
  static let mostTasks = 1024

  let guest: any KernelGuest
  let wordSize: Int
  private var bytesLeft = 8 << 20

  public init(_ guest: any KernelGuest) {
    self.guest = guest
    wordSize = guest.pointerSize
  }

  /// All of `count` bytes.
  func bytes(_ address: UInt64, _ count: Int) throws(KernelError) -> [UInt8] {
    bytesLeft -= count
    guard bytesLeft >= 0 else { throw KernelError("the kernel's structures do not come to an end") }
    let bytes = guest.read(address & .mask(8 * wordSize), count)
    guard bytes.count == count else { throw KernelError("\(address.hex0x()) cannot be read") }
    return bytes
  }

  func number(_ address: UInt64, size: Int) throws(KernelError) -> UInt64 {
    guest.byteOrder.number(try bytes(address, size))
  }

  /// A pointer, or what is as wide as one.
  func word(_ address: UInt64) throws(KernelError) -> UInt64 { try number(address, size: wordSize) }

  func isReadable(_ address: UInt64) -> Bool { !guest.read(address & .mask(8 * wordSize), 1).isEmpty }

  /// Text of at most `limit` bytes that ends with a zero.
  /// - Returns: nil if it is no printable ASCII.
  func text(_ address: UInt64, limit: Int) -> String? {
    let bytes = guest.read(address & .mask(8 * wordSize), limit).prefix { $0 != 0 }
    guard bytes.allSatisfy({ (0x20..<0x7F).contains($0) }) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  func address(_ symbol: String) throws(KernelError) -> UInt64 {
    guard let found = guest.symbol(symbol) else { throw KernelError("there is no symbol '\(symbol)'") }
    return found.address
  }

  /// How many bytes from `start` on, of `count`, are still what the kernel filled a new stack with.
  func untouched(_ start: UInt64, _ count: UInt64, filledWith byte: UInt8) -> UInt64? {
    let bytes = guest.read(start, Int(min(count, 1 << 16)))
    bytesLeft -= bytes.count
    let same = bytes.prefix { $0 == byte }.count
    return same == 0 ? nil : UInt64(same)
  }
}
