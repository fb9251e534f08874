// Owns the form of files that are written piece by piece: each piece is a zstd frame of its own, with a checksum.
//
// So a file whose writer was killed is whole up to its last piece, `zstd -t` checks one and `zstd -dc` shows what is in it.

import CZstd

/// A part of such a file: what it is, and what it holds.
public struct Piece: Equatable, Sendable {
  public var kind: UInt8
  public var bytes: [UInt8]

  /// Bytes that one may hold.
  public static let largest = 16 << 20
  private static let level: Int32 = 3

  public init(kind: UInt8, bytes: [UInt8]) { (self.kind, self.bytes) = (kind, bytes) }

  /// As the file has it. At most ``largest`` bytes can be packed.
  public func packed() -> [UInt8] {
    precondition(bytes.count <= Self.largest, "a piece of a file is too large")
    let content = [kind] + bytes
    guard let context = unsafe ZSTD_createCCtx() else { fatalError("no memory for zstd") }
    defer { unsafe ZSTD_freeCCtx(context) }
    unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Self.level)
    unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    return unsafe [UInt8](unsafeUninitializedCapacity: ZSTD_compressBound(content.count)) { buffer, count in
      count = unsafe ZSTD_compress2(context, buffer.baseAddress, buffer.count, content, content.count)
      precondition(ZSTD_isError(count) == 0, "zstd cannot pack a piece of a file")
    }
  }
}

/// Why the bytes of a file are no piece.
public enum PieceError: Error, Equatable, Sendable {
  /// The file ends within the piece that begins there.
  case cut(offset: Int)
  case damaged(offset: Int, reason: String)
}

/// Takes the pieces out of a file.
public struct PieceReader {
  private let bytes: [UInt8]
  /// Where the next piece begins.
  public private(set) var offset = 0

  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The next piece; nil at the end of the file.
  public mutating func next() throws(PieceError) -> Piece? {
    guard offset < bytes.count else { return nil }
    let (start, bytes) = (offset, bytes)
    let size = unsafe bytes.withUnsafeBytes {
      unsafe ZSTD_findFrameCompressedSize($0.baseAddress! + start, $0.count - start)
    }
    guard ZSTD_isError(size) == 0 else {
      if ZSTD_getErrorCode(size) == ZSTD_error_srcSize_wrong { throw .cut(offset: start) }
      throw Self.damaged(start, size)
    }
    let length = unsafe bytes.withUnsafeBytes { unsafe ZSTD_getFrameContentSize($0.baseAddress! + start, size) }
    guard length > 0, length <= UInt64(Piece.largest + 1) else {
      throw .damaged(offset: start, reason: "it holds no piece of such a file")
    }
    var failure: PieceError?
    let content = unsafe [UInt8](unsafeUninitializedCapacity: Int(length)) { buffer, count in
      count = unsafe bytes.withUnsafeBytes {
        unsafe ZSTD_decompress(buffer.baseAddress, buffer.count, $0.baseAddress! + start, size)
      }
      guard ZSTD_isError(count) != 0 else { return }
      failure = Self.damaged(start, count)
      count = 0
    }
    if let failure { throw failure }
    guard let kind = content.first else { throw .damaged(offset: start, reason: "it is empty") }
    offset += size
    return Piece(kind: kind, bytes: Array(content.dropFirst()))
  }

  private static func damaged(_ offset: Int, _ code: Int) -> PieceError {
    .damaged(offset: offset, reason: unsafe String(cString: ZSTD_getErrorName(code)))
  }
}
