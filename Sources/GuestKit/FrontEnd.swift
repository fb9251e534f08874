// Owns the facet of a guest that turns its code into IR.

import Bits
import IR

/// What reads a guest's instructions.
public protocol FrontEnd: AnyObject {
  /// Numbered as `call` ops name them.
  var helpers: [Helper] { get }
  /// Bytes of the longest instruction; at most 16.
  var longestInstruction: Int { get }
  /// Bytes that instructions are aligned to.
  var instructionAlignment: UInt64 { get }
  /// The most bytes, in ascending order, that the loads or stores of one instruction move by several accesses
  /// (``IR/Builder/store(_:_:at:offset:following:)``); 0 if none makes several.
  var longestTransfer: Int { get }
  /// Where the instruction is that a pointer to code means (Arm: bit 0 only says that it is of Thumb).
  func instructionAddress(_ pointer: UInt64) -> UInt64
  /// The state that translation depends on.
  func translationFlags(_ cpu: VCPUState) -> TranslationFlags
  /// Translation flags in words, for listings.
  func describe(_ flags: TranslationFlags) -> [String]
  /// The translation flags, of the low 8 bits, that ordinary instructions change (Arm's ITSTATE): they are looked at anew
  /// wherever a block was left, and a block's exits say what they are there (`ExitFlags.changing(_:)`). They are 0 at the
  /// targets of indirect exits, and what is kept for each mode (TLB, window, jump cache) does not depend on them.
  var codeFlags: TranslationFlags { get }
  /// Translates from `request.pc` on until a block end; always at least one instruction, or an op that raises. See
  /// ``BlockTranslator/translateBlock(_:for:)``.
  func translate(_ request: borrowing TranslationRequest, into builder: inout Builder)
  /// Disassembles the instruction in `bytes` (up to 16, from `pc` on).
  func disassemble(_ bytes: [UInt8], pc: UInt64) -> (text: String, length: Int)
}

extension FrontEnd {
  public var instructionAlignment: UInt64 { 1 }
  public var longestTransfer: Int { 0 }
  public func instructionAddress(_ pointer: UInt64) -> UInt64 { pointer }
  public var codeFlags: TranslationFlags { 0 }
  public func describe(_ flags: TranslationFlags) -> [String] { [] }
}

/// The part of vCPU state that translation depends on, packed by the guest; blocks are looked up by it.
public typealias TranslationFlags = UInt64

/// Guest code at a PC, for a front end to decode: to the end of the PC's page, and on demand beyond it.
@safe public struct CodeBytes {
  @usableFromInline let base: UnsafeRawPointer
  public let count: Int
  /// So many bytes of the following page, or the exception that fetching them raises.
  let nextPage: (Int) -> Result<[UInt8], GuestException>

  /// - Parameter bytes: at least one.
  public init(_ bytes: UnsafeRawBufferPointer, nextPage: @escaping (Int) -> Result<[UInt8], GuestException>) {
    unsafe base = bytes.baseAddress!
    count = bytes.count
    self.nextPage = nextPage
  }

  /// `T` at `offset`; the caller has checked `offset + size <= count`.
  @inlinable @inline(__always)
  public func load<T: FixedWidthInteger & BitwiseCopyable>(
    _ offset: Int, as type: T.Type, _ order: Endianness = .little
  ) -> T {
    precondition(offset >= 0 && offset &+ MemoryLayout<T>.size <= count)
    let value = unsafe base.loadUnaligned(fromByteOffset: offset, as: type)
    return order == .little ? T(littleEndian: value) : T(bigEndian: value)
  }

  /// The first `needed` bytes, more than ``count``, those of the next page among them.
  @usableFromInline func beyond(_ needed: Int) -> Result<[UInt8], GuestException> {
    let own = (0..<min(count, needed)).map { load($0, as: UInt8.self) }
    return nextPage(needed - own.count).map { own + $0 }
  }
}

extension [UInt8] {
  /// Calls `body` with these bytes as all the code there is.
  @usableFromInline func withCode<Result>(_ body: (CodeBytes) -> Result) -> Result {
    unsafe withUnsafeBytes { bytes in
      body(unsafe CodeBytes(bytes) { _ in preconditionFailure("these bytes are all there are") })
    }
  }
}

/// What the engine asks a front end to translate.
public struct TranslationRequest: ~Copyable {
  public var pc: UInt64
  public var flags: TranslationFlags
  public var code: CodeBytes
  /// At most so many guest instructions (1 when single-stepping).
  public var maximumInstructions: Int
  /// Stop before an instruction at one of these PCs, other than the first (breakpoints); sorted.
  public var stopBefore: [UInt64]
  /// Leave instructions that reach system registers (``SystemRegisters``) undone, each for a block of its own.
  public var holdsSystemBack = false
  /// All of the code to translate, in order, with an `IR` label at each of its labels but the first, which is `pc`; nil for
  /// the block that is found from `pc` on. A front end may leave a part at its end out.
  public var region: RegionShape?

  public init(
    pc: UInt64, flags: TranslationFlags, code: CodeBytes, maximumInstructions: Int, stopBefore: [UInt64],
    region: RegionShape? = nil
  ) {
    self.region = region
    self.pc = pc
    self.flags = flags
    self.code = code
    self.maximumInstructions = maximumInstructions
    self.stopBefore = stopBefore
  }
}
