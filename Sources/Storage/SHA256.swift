// Owns the fingerprint by which files are told apart.

import CMessageDigest

/// The SHA-256 of bytes in hexadecimal, as `sha256sum` prints it.
public func sha256(_ bytes: [UInt8]) -> String {
  var context = SHA2_CTX()
  var digest = [UInt8](repeating: 0, count: 32)
  unsafe SHA256Init(&context)
  unsafe SHA256Update(&context, bytes, bytes.count)
  unsafe SHA256Final(&digest, &context)
  return digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
