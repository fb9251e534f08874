// Which register an access reaches: registers by their offsets, flat.

import Bits

/// The registers of one region.
public struct RegisterMap: Sendable {
  public let registers: [RegisterInfo]
  /// What accesses are compared with, by number.
  @usableFromInline let spans: [Span]
  /// By offset in units of `1 << granule` bytes, the numbers of the first register there that may be read and of the first
  /// that may be written, or how many registers there are.
  @usableFromInline let starts: [Starts]
  @usableFromInline let granule: UInt64
  /// Offsets behind the table are looked for from the first register on.
  private static let longestTable: UInt64 = 0x4000

  @usableFromInline struct Span: BitwiseCopyable, Sendable {
    @usableFromInline let first: UInt64
    /// Bytes of the register, or the first of an array.
    @usableFromInline let nearest: UInt64
    let end, stride, width: UInt64
    let isReadable, isWritable: Bool
  }

  @usableFromInline struct Starts: BitwiseCopyable, Sendable {
    @usableFromInline var readable, writable: UInt16
  }

  /// Where an access reaches a register.
  public struct Match: BitwiseCopyable, Sendable {
    /// Position in `registers`.
    public let number: Int
    /// Which one of an array, 0 otherwise.
    public let index: Int
    /// Byte within the register.
    public let byte: Int

    @inlinable init(number: Int, index: Int, byte: Int) {
      self.number = number
      self.index = index
      self.byte = byte
    }
  }

  public init(_ registers: [RegisterInfo]) {
    self.registers = registers
    spans = registers.map { register in
      let (bytes, overflows) = register.stride.multipliedReportingOverflow(by: UInt64(max(0, register.count)))
      let (end, wraps) = register.offset.addingReportingOverflow(bytes)
      return Span(
        first: register.offset, nearest: register.count > 0 ? min(UInt64(register.width), max(1, register.stride)) : 0,
        end: overflows || wraps ? .max : end, stride: max(1, register.stride), width: UInt64(register.width),
        isReadable: register.access != .writeOnly,
        isWritable: register.access != .readOnly)
    }
    granule = spans.allSatisfy { $0.end <= 0x100 } ? 0 : 2
    let none = UInt16(clamping: spans.count)
    var starts: [Starts] = []
    for (number, span) in spans.enumerated() where span.first < span.end {
      let last = min((span.end - 1) >> granule, Self.longestTable - 1)
      guard span.first >> granule <= last else { continue }
      if starts.count <= Int(last) {
        starts += repeatElement(Starts(readable: none, writable: none), count: Int(last) + 1 - starts.count)
      }
      for unit in Int(span.first >> granule)...Int(last) {
        if span.isReadable { starts[unit].readable = min(starts[unit].readable, UInt16(clamping: number)) }
        if span.isWritable { starts[unit].writable = min(starts[unit].writable, UInt16(clamping: number)) }
      }
    }
    self.starts = starts
  }

  /// The first register in the list that contains the byte at `offset` and permits the access; registers that share an
  /// offset (read one, write another) are told apart by their access.
  @inlinable @inline(__always)
  public func find(_ offset: UInt64, isWrite: Bool) -> Match? {
    let unit = offset &>> granule
    guard unit < UInt64(starts.count) else { return search(offset, isWrite: isWrite, from: 0) }
    let number = Int(isWrite ? starts[Int(unit)].writable : starts[Int(unit)].readable)
    guard number < spans.count else { return nil }
    let byte = offset &- spans[number].first
    guard byte < spans[number].nearest else { return search(offset, isWrite: isWrite, from: number) }
    return Match(number: number, index: 0, byte: Int(byte))
  }

  @usableFromInline
  func search(_ offset: UInt64, isWrite: Bool, from first: Int) -> Match? {
    for number in first..<spans.count {
      let span = spans[number]
      guard span.first <= offset, offset < span.end, isWrite ? span.isWritable : span.isReadable else { continue }
      var (index, byte) = (0 as UInt64, offset &- span.first)
      if byte >= span.stride { (index, byte) = byte.quotientAndRemainder(dividingBy: span.stride) }
      if byte < span.width { return Match(number: number, index: Int(index), byte: Int(byte)) }
    }
    return nil
  }
}
